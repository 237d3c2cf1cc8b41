package extract_test

import "testing"

// TestSelectors: what finds a table is a name that its author gave, none that was
// made up for this load or this build.
func TestSelectors(t *testing.T) {
	t.Parallel()
	const rows = "<tr><td>1</table>"
	for html, want := range map[string]string{
		`<table id="leaders">` + rows:                                            "#leaders",
		`<table id="DataTables_Table_0">` + rows:                                 "#DataTables_Table_0",
		`<table id="tablepress-12">` + rows:                                      "#tablepress-12",
		`<table id="faded" class="stats">` + rows:                                "#faded",
		`<div id="grid"><table id="ht_89d1ce0e5c3303b7">` + rows + `</div>`:      "table",
		`<table class="x"><tr></table><div id="grid"><table id=":r1:">` + rows:   "#grid > table:nth-of-type(1)",
		`<table id="«r1»" class="css-1q2w3e stats-2">` + rows:                    "table.stats-2",
		`<table id="mui-123" class="Table_table__3xY1z figures">` + rows:         "table.figures",
		`<table id="table-1732612345678" class="sc-bdVaJa1 a7f3c9d2 w3">` + rows: "table.w3",
	} {
		r := readHTML(t, html)
		if len(r.Grids) == 0 || r.Grids[len(r.Grids)-1].Selector != want {
			t.Errorf("%s: %+v, want %s", html, r.Grids, want)
		}
	}
}
