package demosite

import (
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
)

// The seasons of the leaders' tables and the rows of each.
const (
	firstSeason    = 1983
	seasonCount    = 40
	leadersPerPage = 50
)

const leadersNote = "Rows marked “record” are season totals from the league's record books. " +
	"Rows marked “sample” are generated, the same ones each time, to fill the table."

// Seasons gives the 40 seasons that have a leaders' table, oldest first: 1983-84 to 2022-23.
func Seasons() []string {
	seasons := make([]string, seasonCount)
	for i := range seasons {
		seasons[i] = seasonName(i)
	}
	return seasons
}

func seasonName(i int) string {
	year := firstSeason + i
	return fmt.Sprintf("%d-%02d", year, (year+1)%100)
}

// Leaders gives the 50 rows of a season's scoring leaders, best average first;
// false when there is no such season.
func Leaders(season string) (Table, bool) {
	for i := range seasonCount {
		if seasonName(i) == season {
			return leadersOf(i), true
		}
	}
	return Table{}, false
}

func leadersOf(i int) Table {
	season := seasonName(i)
	t := Table{
		Title: "Scoring leaders " + season,
		Note:  leadersNote,
		Columns: []Column{
			{Key: "rank", Title: "Rk"},
			{Key: "player", Title: "Player"},
			{Key: "team", Title: "Team"},
			{Key: "games", Title: "G"},
			{Key: "points", Title: "PTS", Format: Thousands},
			{Key: "average", Title: "PPG", Format: Fixed1},
			{Key: "source", Title: "Source"},
		},
	}
	for rank, r := range records[i] {
		t.Rows = append(t.Rows, []any{rank + 1, r.player, r.team, r.games, r.points, average(r.points, r.games), "record"})
	}
	longest := longestSeason(i)
	for rank := len(records[i]); rank < leadersPerPage; rank++ {
		games, points := sample(season, rank, longest, t.Rows[rank-1])
		t.Rows = append(t.Rows, []any{rank + 1, fmt.Sprintf("Sample Player %02d", rank+1), "", games, points, average(points, games), "sample"})
	}
	t.Total = len(t.Rows)
	return t
}

// sample makes up one row below the row before it: a season of two thirds to
// all of the games, and an average up to 0.4 points lower.
func sample(season string, rank, longest int, above []any) (games, points int) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(season + "/" + strconv.Itoa(rank))) // a hash never fails
	n := int(h.Sum32() >> 4)
	games = longest - n%(longest/3)
	ceiling := float64(above[4].(int)) / float64(above[3].(int))
	points = int(math.Floor((ceiling - float64(n/97%40)/100) * float64(games)))
	return games, points
}

// longestSeason is the number of games that a team played in season i.
func longestSeason(i int) int {
	switch seasonName(i) {
	case "1998-99":
		return 50
	case "2011-12":
		return 66
	case "2019-20", "2020-21":
		return 72
	}
	return 82
}

// average is points a game, rounded half up to one decimal as the league does.
func average(points, games int) float64 {
	tenths := (20*points + games) / (2 * games)
	return float64(tenths) / 10
}
