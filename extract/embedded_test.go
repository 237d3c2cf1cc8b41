package extract_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// JSON that the document holds itself is read by its name, and by no other.
func TestEmbeddedJSON(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/state/{$}": document(`<title>x</title>
		<script id="__NEXT_DATA__" type="application/json">{"props":{"players":[{"id":9007199254740993,"n":"Dončić"},{"id":2,"n":"</b>"}]}}</script>
		<script>
			window.__STATE__ = {"rows":[["a","b"],["x",1],["y",2]]};
			window.done = true;
		</script>
		<script>var code = {unquoted: [1, 2]}; const other = 1;</script>
		<p id=p>{"n":1}</p>`)})
	for _, test := range []struct{ json, jq, want, problem string }{
		{json: "#__NEXT_DATA__", want: "id|n\n9007199254740993|\"Dončić\"\n2|\"</b>\""},
		{json: "#__NEXT_DATA__", jq: ".props.players[] | {n}", want: "n\n\"Dončić\"\n\"</b>\""},
		{json: "#__STATE__", want: "a|b\n\"x\"|1\n\"y\"|2"},
		{json: "#code", problem: "There were: #__NEXT_DATA__, #__STATE__"},
		{json: "/state", problem: "no response of the page matched"},
	} {
		k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: test.json}, JQ: test.jq, MinRows: 1})
		v := open(t, url+"/state/", k, nil)
		tables, err := extract.Tables(v.reading, v.sources, k, nil)
		var p *extract.Problem
		if test.problem != "" {
			if !errors.As(err, &p) || p.Outcome != "selector_missing" || !strings.Contains(p.Message, test.problem) {
				t.Errorf("%s: %v", test.json, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.json, err)
			continue
		}
		if diff := cmp.Diff(test.want, show(tables[0])); diff != "" || tables[0].Proof != extract.ProofSource {
			t.Errorf("%s %s: proof %s\n%s", test.json, test.jq, tables[0].Proof, diff)
		}
	}
}
