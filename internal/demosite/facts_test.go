package demosite

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The average of every record was typed beside its games and points; where the
// three do not agree, one of them is wrong.
func TestRecordsAgreeWithThemselves(t *testing.T) {
	t.Parallel()
	for i, season := range records {
		for rank, r := range season {
			if got := fmt.Sprintf("%.1f", average(r.points, r.games)); got != r.average {
				t.Errorf("%s %s: %d points in %d games are %s a game, not %s", seasonName(i), r.player, r.points, r.games, got, r.average)
			}
			if limit := longestSeason(i); r.games > limit {
				t.Errorf("%s %s: %d games in a season of %d", seasonName(i), r.player, r.games, limit)
			}
			if rank > 0 && r.points*season[rank-1].games > season[rank-1].points*r.games {
				t.Errorf("%s: %s averages more than %s above", seasonName(i), r.player, season[rank-1].player)
			}
		}
	}
}

func TestLeadersAreTwoThousandRows(t *testing.T) {
	t.Parallel()
	type row struct {
		player, season string
		points         int
	}
	var rows []row
	for _, season := range Seasons() {
		table, ok := Leaders(season)
		if !ok || len(table.Rows) != 50 || table.Total != 50 {
			t.Fatalf("Leaders(%q): %d rows of %d, %v", season, len(table.Rows), table.Total, ok)
		}
		players := map[any]bool{}
		for i, r := range table.Rows {
			rows = append(rows, row{r[1].(string), season, r[4].(int)})
			players[r[1]] = true
			if i > 0 && r[4].(int)*table.Rows[i-1][3].(int) > table.Rows[i-1][4].(int)*r[3].(int) {
				t.Errorf("%s: row %d averages more than the row above", season, i+1)
			}
		}
		if len(players) != 50 {
			t.Errorf("%s: %d players in 50 rows", season, len(players))
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return b.points - a.points })
	want := []row{{"Michael Jordan", "1986-87", 3041}, {"Michael Jordan", "1987-88", 2868}, {"Kobe Bryant", "2005-06", 2832}}
	if diff := cmp.Diff(want, rows[:3], cmp.AllowUnexported(row{})); diff != "" || len(rows) != 2000 {
		t.Errorf("%d rows; most points (-want +got):\n%s", len(rows), diff)
	}
	if _, ok := Leaders("2023-24"); ok {
		t.Error("there are leaders of 2023-24")
	}
}

func TestEaster(t *testing.T) {
	t.Parallel()
	west := []string{"1583-04-10", "1818-03-22", "1943-04-25", "1954-04-18", "1981-04-19", "2000-04-23", "2008-03-23", "2024-03-31", "2038-04-25", "2285-03-22"}
	east := []string{"1983-05-08", "2000-04-30", "2010-04-04", "2016-05-01", "2021-05-02", "2023-04-16", "2024-05-05", "2025-04-20"}
	for _, want := range west {
		day, _ := time.Parse(time.DateOnly, want)
		if got := easter(day.Year()).Format(time.DateOnly); got != want {
			t.Errorf("easter is on %s, want %s", got, want)
		}
	}
	for _, want := range east {
		day, _ := time.Parse(time.DateOnly, want)
		if got := orthodoxEaster(day.Year()).Format(time.DateOnly); got != want {
			t.Errorf("orthodox easter is on %s, want %s", got, want)
		}
	}
	for year := firstYear; year < firstYear+yearCount; year++ {
		day := easter(year)
		if text := day.Format("01-02"); day.Weekday() != time.Sunday || text < "03-22" || text > "04-25" {
			t.Errorf("easter of %d is on %s, %s", year, day.Weekday(), text)
		}
		if orthodoxEaster(year).Before(day) {
			t.Errorf("orthodox easter of %d is before the western one", year)
		}
	}
}

func TestMonth(t *testing.T) {
	t.Parallel()
	days := 0
	for _, month := range Months(2400) {
		table, ok := Month(month)
		if !ok {
			t.Fatalf("no calendar of %s", month)
		}
		days += len(table.Rows)
	}
	if days != 73049 { // 200 years, 49 of them leap: 1900 is none, 2000 is
		t.Errorf("2,400 months have %d days", days)
	}
	table, _ := Month("2021-01")
	if diff := cmp.Diff([]any{"2021-01-03", "Sunday", 3, "2020-W53"}, table.Rows[2]); diff != "" {
		t.Errorf("3 January 2021 (-want +got):\n%s", diff)
	}
	for _, no := range []string{"1899-12", "2100-01", "2000-13", "", "July"} {
		if _, ok := Month(no); ok {
			t.Errorf("there is a calendar of %q", no)
		}
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	table := Elements()
	symbols := map[any]bool{}
	groups := map[any]int{}
	for _, row := range table.Rows {
		symbols[row[1]] = true
		groups[row[4]]++
	}
	if len(table.Rows) != 118 || len(symbols) != 118 || groups[nil] != 28 || groups[18] != 7 || groups[3] != 4 {
		t.Errorf("%d rows, %d symbols, groups %v", len(table.Rows), len(symbols), groups)
	}
	for _, want := range [][]any{
		{2, "He", "Helium", 1, 18, "s"},
		{13, "Al", "Aluminium", 3, 13, "p"},
		{26, "Fe", "Iron", 4, 8, "d"},
		{57, "La", "Lanthanum", 6, nil, "f"},
		{71, "Lu", "Lutetium", 6, 3, "d"},
		{80, "Hg", "Mercury", 6, 12, "d"},
		{92, "U", "Uranium", 7, nil, "f"},
		{117, "Ts", "Tennessine", 7, 17, "p"},
	} {
		if diff := cmp.Diff(want, table.Rows[want[0].(int)-1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want[2], diff)
		}
	}
}

func TestNotesTermsPlanets(t *testing.T) {
	t.Parallel()
	notes := Notes().Texts()
	for _, want := range [][]string{{"0", "C-1", "-1", "8.18"}, {"60", "C4", "4", "261.63"}, {"69", "A4", "4", "440.00"}, {"127", "G9", "9", "12543.85"}} {
		if !slices.ContainsFunc(notes, func(row []string) bool { return slices.Equal(row, want) }) {
			t.Errorf("no note %q", want)
		}
	}
	var terms []int
	for _, row := range Terms().Rows[:15] {
		terms = append(terms, row[0].(int))
	}
	if diff := cmp.Diff([]int{2, 1, 2, 1, 1, 4, 1, 1, 6, 1, 1, 8, 1, 1, 10}, terms); diff != "" {
		t.Errorf("terms of e (-want +got):\n%s", diff)
	}
	if got := Planets().Texts()[4]; !slices.Equal(got, []string{"Gas giant", "Jupiter", "778.5", "4331.0", "142,984", "23.1", "true"}) {
		t.Errorf("Jupiter is shown as %q", got)
	}
}

func TestStandingsAddUp(t *testing.T) {
	t.Parallel()
	for season := range standings {
		table, _ := Standings(season)
		won := 0
		for _, row := range table.Rows {
			won += row[3].(int)
		}
		if len(table.Rows) != 30 || won != 30*seasonGames/2 {
			t.Errorf("%s: %d teams won %d games", season, len(table.Rows), won)
		}
	}
	table, _ := Standings("2022-23")
	want := []string{"Eastern Conference", "Atlantic", "New York Knicks", "47", "35", ".573", "10.0"}
	if diff := cmp.Diff(want, table.Texts()[2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
