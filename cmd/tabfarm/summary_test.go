package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/farm"
)

// The summary of the documentation's session, letter for letter.
func TestSummaryOfTheSession(t *testing.T) {
	t.Parallel()
	s := farm.Summary{
		RunID: 2, Recipe: "nba_2024_totals", State: "done", Total: 40, Done: 39, Failed: 1,
		ByOutcome: map[farm.Outcome]int{farm.OK: 39, farm.DuplicateKey: 1},
		Tables:    []farm.TableSummary{{Name: "totals", Inserted: 21377}},
		Failures: []farm.Failure{{
			Address: "https://stats.example/leagues/NBA_1999_totals.html", Outcome: farm.DuplicateKey,
			Message: "2 rows have the key player_id=willige02, season=1999, team=TOT and differ in g, pts",
		}},
	}
	var b bytes.Buffer
	if err := printSummary(&b, s, true); err != nil {
		t.Fatal(err)
	}
	want := `
nba_2024_totals  39 of 40 pages ok
  totals     21,377 inserted   0 updated   0 unchanged
  1 failed: duplicate_key
    …/NBA_1999_totals.html  2 rows have the key player_id=willige02, season=1999, team=TOT and differ in g, pts
  Look: tabfarm pages --outcome duplicate_key    Again: tabfarm retry
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Errorf("summary differs (-want +got):\n%s", diff)
	}
	if code := exitOf(s); code != exitPages {
		t.Errorf("exit code %d, want %d", code, exitPages)
	}
}

// Several outcomes, several tables, and all that needs an eye.
func TestSummaryOfMuch(t *testing.T) {
	t.Parallel()
	s := farm.Summary{
		RunID: 7, Recipe: "shop", State: "done", Total: 1200, Done: 1190, Failed: 10,
		// One of the two empty pages is accepted by min_rows: 0.
		ByOutcome: map[farm.Outcome]int{farm.OK: 1189, farm.Empty: 2, farm.Timeout: 8, farm.HTTPError: 1},
		Tables: []farm.TableSummary{
			{Name: "prices", Inserted: 5, Updated: 1200, Unchanged: 12345, Rejected: 1, Rejections: []string{`price: row 3 has "n/a"`}},
			{Name: "long_table_name", Inserted: 1234567, Duplicates: 2, Conflicts: 1, Conflict: "sku=1 is 3 on a and 4 on b"},
		},
		Failures: []farm.Failure{
			{Address: "https://shop.example/p?id=1", Outcome: farm.Timeout, Message: "not ready"},
			{Address: "https://shop.example/", Outcome: farm.HTTPError, Message: "HTTP 404"},
			{Address: "https://shop.example/c/#~day=1", Outcome: farm.Empty, Message: "no row"},
		},
		Warnings: []string{`links: "a" led nowhere`},
	}
	var b bytes.Buffer
	if err := printSummary(&b, s, false); err != nil {
		t.Fatal(err)
	}
	want := `
shop  1190 of 1,200 pages ok
  prices                  5 inserted   1,200 updated   12,345 unchanged
  long_table_name 1,234,567 inserted       0 updated        0 unchanged
  prices: 1 value did not fit the column's type: NULL in the row, kept in tabfarm.rejected
    price: row 3 has "n/a"
    If they are right: declare type: text and run --new
  long_table_name: 2 rows were equal in all columns, kept once
  long_table_name: 1 row was given by two pages with other values; the later one was kept
    sku=1 is 3 on a and 4 on b
    Take a longer key, or say that this is right: duplicates: last
  warning: links: "a" led nowhere
  8 failed: timeout
    …/p?id=1  not ready
    and 7 more
  1 failed: http_error
    https://shop.example/  HTTP 404
  1 failed: empty
    …/c/#~day=1  no row
  Look: tabfarm pages shop --outcome timeout,http_error,empty    Again: tabfarm retry shop
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Errorf("summary differs (-want +got):\n%s", diff)
	}
}

// Scripts ask run --json for any outcome and count: none may be missing.
func TestRunReportHasEverything(t *testing.T) {
	t.Parallel()
	report := newRunReport(farm.Summary{Recipe: "r", RunID: 3, State: "done", Tables: []farm.TableSummary{{Name: "t"}}}, 0)
	var b bytes.Buffer
	if err := printJSON(&b, report); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]any{}
	for _, o := range farm.Outcomes() {
		outcomes[string(o)] = 0.0
	}
	want := map[string]any{
		"recipe": "r", "run": 3.0, "state": "done", "exit": 0.0, "seconds": 0.0,
		"pages": map[string]any{"total": 0.0, "ok": 0.0, "failed": 0.0, "by_outcome": outcomes},
		"tables": map[string]any{"t": map[string]any{
			"inserted": 0.0, "updated": 0.0, "unchanged": 0.0, "rejected": 0.0, "duplicates": 0.0, "conflicts": 0.0, "gone": 0.0,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report differs (-want +got):\n%s", diff)
	}
}

func TestExitOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		s    farm.Summary
		want int
	}{
		{"all ok", farm.Summary{State: "done", Total: 2, Done: 2}, exitOK},
		{"one failed", farm.Summary{State: "done", Total: 2, Done: 1, Failed: 1}, exitPages},
		{"not ended", farm.Summary{State: "stopped", Total: 2, Done: 1, Pending: 1}, exitPages},
		{"cancelled", farm.Summary{State: "cancelled", Total: 2, Done: 2}, exitPages},
		{"conflicts", farm.Summary{State: "done", Total: 2, Done: 2, Tables: []farm.TableSummary{{Conflicts: 1}}}, exitPages},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := exitOf(tt.s); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestPlanWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		plan farm.Plan
		want string
	}{
		{
			farm.Plan{Pages: 40, Took: 120e9, Hosts: []farm.HostPlan{{Host: "https://a.example", Pages: 40, Delay: 3e9, Concurrency: 1}}},
			"ok: 40 pages on 1 host, at 20/min about 2 min",
		},
		{
			farm.Plan{Pages: 1, Hosts: []farm.HostPlan{{Host: "http://a.example", Pages: 1}}},
			"ok: 1 page on 1 host, without a pace",
		},
		{
			farm.Plan{Pages: 5000, Took: 4000e9, Hosts: []farm.HostPlan{
				{Host: "https://a.example", Pages: 1000, Delay: 1e9}, {Host: "https://b.example:8080", Pages: 4000, Delay: 1e9},
			}},
			"ok: 5,000 pages on 2 hosts, at 60/min on b.example:8080 about 1 h 7 min",
		},
	}
	for _, tt := range tests {
		if got := planWords(tt.plan); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://a.example/leagues/NBA_1999_totals.html": "…/NBA_1999_totals.html",
		"https://a.example/x/y/":                         "…/y/",
		"https://a.example/board/8011160#~date=02.12":    "…/8011160#~date=02.12",
		"https://a.example/?q=1":                         "…/?q=1",
		"https://a.example/":                             "https://a.example/",
		"https://a.example":                              "https://a.example",
		"nonsense":                                       "nonsense",
	} {
		if got := shorten(address); got != want {
			t.Errorf("shorten(%q) = %q, want %q", address, got, want)
		}
	}
}
