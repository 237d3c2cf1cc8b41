package demosite

import "math"

const seasonGames = 82

// division is one division of the league, best team first.
type division struct {
	conference, name string
	teams            []team
}

// team is a team's regular season of 82 games; what it did not win it lost.
type team struct {
	name string
	won  int
}

// standings holds the final standings by season.
var standings = map[string][]division{
	"2022-23": {
		{"Eastern Conference", "Atlantic", []team{
			{"Boston Celtics", 57}, {"Philadelphia 76ers", 54}, {"New York Knicks", 47}, {"Brooklyn Nets", 45}, {"Toronto Raptors", 41},
		}},
		{"Eastern Conference", "Central", []team{
			{"Milwaukee Bucks", 58}, {"Cleveland Cavaliers", 51}, {"Chicago Bulls", 40}, {"Indiana Pacers", 35}, {"Detroit Pistons", 17},
		}},
		{"Eastern Conference", "Southeast", []team{
			{"Miami Heat", 44}, {"Atlanta Hawks", 41}, {"Washington Wizards", 35}, {"Orlando Magic", 34}, {"Charlotte Hornets", 27},
		}},
		{"Western Conference", "Northwest", []team{
			{"Denver Nuggets", 53}, {"Minnesota Timberwolves", 42}, {"Oklahoma City Thunder", 40}, {"Utah Jazz", 37}, {"Portland Trail Blazers", 33},
		}},
		{"Western Conference", "Pacific", []team{
			{"Sacramento Kings", 48}, {"Phoenix Suns", 45}, {"Los Angeles Clippers", 44}, {"Golden State Warriors", 44}, {"Los Angeles Lakers", 43},
		}},
		{"Western Conference", "Southwest", []team{
			{"Memphis Grizzlies", 51}, {"New Orleans Pelicans", 42}, {"Dallas Mavericks", 38}, {"Houston Rockets", 22}, {"San Antonio Spurs", 22},
		}},
	},
	"2023-24": {
		{"Eastern Conference", "Atlantic", []team{
			{"Boston Celtics", 64}, {"New York Knicks", 50}, {"Philadelphia 76ers", 47}, {"Brooklyn Nets", 32}, {"Toronto Raptors", 25},
		}},
		{"Eastern Conference", "Central", []team{
			{"Milwaukee Bucks", 49}, {"Cleveland Cavaliers", 48}, {"Indiana Pacers", 47}, {"Chicago Bulls", 39}, {"Detroit Pistons", 14},
		}},
		{"Eastern Conference", "Southeast", []team{
			{"Orlando Magic", 47}, {"Miami Heat", 46}, {"Atlanta Hawks", 36}, {"Charlotte Hornets", 21}, {"Washington Wizards", 15},
		}},
		{"Western Conference", "Northwest", []team{
			{"Oklahoma City Thunder", 57}, {"Denver Nuggets", 57}, {"Minnesota Timberwolves", 56}, {"Utah Jazz", 31}, {"Portland Trail Blazers", 21},
		}},
		{"Western Conference", "Pacific", []team{
			{"Los Angeles Clippers", 51}, {"Phoenix Suns", 49}, {"Los Angeles Lakers", 47}, {"Sacramento Kings", 46}, {"Golden State Warriors", 46},
		}},
		{"Western Conference", "Southwest", []team{
			{"Dallas Mavericks", 50}, {"New Orleans Pelicans", 49}, {"Houston Rockets", 41}, {"Memphis Grizzlies", 27}, {"San Antonio Spurs", 22},
		}},
	},
}

// Standings gives the final standings of 2022-23 or 2023-24, 30 teams under
// their conference and division; false for any other season. The games behind
// count within the division and are null for its first team.
func Standings(season string) (Table, bool) {
	divisions, ok := standings[season]
	if !ok {
		return Table{}, false
	}
	t := Table{
		Title: "Final standings " + season,
		Note:  "Final standings of the regular season.",
		Columns: []Column{
			{Key: "conference", Title: "Conference"},
			{Key: "division", Title: "Division"},
			{Key: "team", Title: "Team"},
			{Key: "won", Title: "W"},
			{Key: "lost", Title: "L"},
			{Key: "pct", Title: "PCT", Format: Pct3},
			{Key: "behind", Title: "GB", Format: Fixed1},
		},
	}
	for _, d := range divisions {
		for i, club := range d.teams {
			lost := seasonGames - club.won
			var behind any
			if i > 0 { // a game behind is a win fewer and a loss more
				behind = float64(d.teams[0].won - club.won)
			}
			pct := math.Round(1000*float64(club.won)/seasonGames) / 1000
			t.Rows = append(t.Rows, []any{d.conference, d.name, club.name, club.won, lost, pct, behind})
		}
	}
	t.Total = len(t.Rows)
	return t, true
}
