package site

import (
	"math/rand/v2"
	"strconv"
)

// column is one column of the rows.
type column struct {
	Key   string `json:"key"`
	Title string `json:"title"`
}

var header = [columns]column{
	{"id", "Id"},
	{"player", "Player"},
	{"team", "Team"},
	{"position", "Position"},
	{"games", "Games"},
	{"minutes", "Minutes"},
	{"points", "Points"},
	{"rebounds", "Rebounds"},
	{"assists", "Assists"},
	{"share", "Share"},
}

// table is what the API answers.
type table struct {
	Total   int      `json:"total"`
	Columns []column `json:"columns"`
	Rows    []row    `json:"rows"`
}

type row struct {
	ID       int     `json:"id"`
	Player   string  `json:"player"`
	Team     string  `json:"team"`
	Position string  `json:"position"`
	Games    int     `json:"games"`
	Minutes  int     `json:"minutes"`
	Points   float64 `json:"points"`
	Rebounds float64 `json:"rebounds"`
	Assists  float64 `json:"assists"`
	Share    float64 `json:"share"`
}

// idsPerPage is how far the ids of two pages' first rows are apart: no two pages
// of a kind share one.
const idsPerPage = 1000

// PageOf is the number of the page that a row's id belongs to.
func PageOf(id int) int { return id / idsPerPage }

var (
	given     = [...]string{"Ada", "Ben", "Carla", "Dora", "Emil", "Finn", "Greta", "Hugo", "Ida", "Jon", "Kaja", "Leo", "Mira", "Nils", "Olga", "Paul"}
	family    = [...]string{"Adler", "Berg", "Conti", "Dahl", "Ekman", "Fuchs", "Gruber", "Holm", "Ivers", "Jansen", "Keller", "Lind", "Moser", "Novak", "Olsen", "Petri"}
	teams     = [...]string{"ALP", "BAY", "COV", "DUN", "ELM", "FJD", "GRO", "HIL"}
	positions = [...]string{"G", "F", "C"}
)

// rowsOf makes the rows of a page: the same ones each time, others on each page.
func rowsOf(number, count int) []row {
	random := rand.New(rand.NewPCG(uint64(number), 1))
	rows := make([]row, count)
	for i := range rows {
		rows[i] = row{
			ID:       number*idsPerPage + i,
			Player:   given[random.IntN(len(given))] + " " + family[random.IntN(len(family))],
			Team:     teams[random.IntN(len(teams))],
			Position: positions[random.IntN(len(positions))],
			Games:    1 + random.IntN(82),
			Minutes:  random.IntN(3200),
			Points:   float64(random.IntN(400)) / 10,
			Rebounds: float64(random.IntN(200)) / 10,
			Assists:  float64(random.IntN(150)) / 10,
			Share:    float64(random.IntN(1000)) / 1000,
		}
	}
	return rows
}

// texts are a row's cells as the pages show them.
func (r row) texts() [columns]string {
	decimal := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return [columns]string{
		strconv.Itoa(r.ID), r.Player, r.Team, r.Position, strconv.Itoa(r.Games), strconv.Itoa(r.Minutes),
		decimal(r.Points), decimal(r.Rebounds), decimal(r.Assists), decimal(r.Share),
	}
}
