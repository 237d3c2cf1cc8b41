package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// tableModel is what a keyed table must hold: by key, the values and who wrote them.
type tableModel map[string]modelRow

type modelRow struct {
	values    string // of all columns, as SQL shows them
	run, page int64
}

// apply stores a page's rows in the model and counts.
func (m tableModel) apply(page store.Page, rows map[string]string) (c store.TableCounts) {
	for key, values := range rows {
		old, there := m[key]
		switch {
		case !there:
			c.Inserted++
		case old.values == values:
			c.Unchanged++
			continue
		default:
			c.Updated++
			if old.run == page.RunID && old.page != page.ID {
				c.Conflicts++
			}
		}
		m[key] = modelRow{values, page.RunID, page.ID}
	}
	return c
}

// Random pages of random rows in random order: the counts are exact, and the
// table holds what the model holds.
func TestUpsertAgainstModel(t *testing.T) {
	t.Parallel()
	d := open(t)
	w := d.worker()
	tables := 0
	rapid.Check(t, func(rt *rapid.T) {
		tables++
		name := fmt.Sprintf("t%d", tables)
		model := tableModel{}
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			pages := rapid.IntRange(1, 3).Draw(rt, "pages")
			run := d.startWith(store.NewRun{Recipe: name, Pages: pagesOf("https://"+name+".example", pages)})
			v, claimed := d.visit(w, run.ID, pages)
			for _, page := range claimed {
				write, byKey := randomRows(rt, name)
				counts, err := v.Finish(t.Context(), result(page, write))
				if err != nil {
					rt.Fatal(err)
				}
				got, expected := counts[name], model.apply(page, byKey)
				got.Conflict = ""
				if fmt.Sprint(got) != fmt.Sprint(expected) {
					rt.Fatalf("counts %+v, want %+v", got, expected)
				}
			}
			ok(t, v.Close(t.Context()))
		}
		var expected string
		for _, key := range slices.Sorted(maps.Keys(model)) {
			r := model[key]
			expected += fmt.Sprintf("%s|%s|%d|%d\n", key, r.values, r.run, r.page)
		}
		if expected == "" {
			return // no row, no table
		}
		if got := d.text("select k1 || '/' || k2, a, b, _run, _page from " + name + ` order by (k1 || '/' || k2) collate "C"`); got != expected {
			rt.Fatalf("table\n%s\nwant\n%s", got, expected)
		}
	})
}

// randomRows are rows of few keys and few values, so that they meet.
func randomRows(t *rapid.T, table string) (store.TableWrite, map[string]string) {
	w := store.TableWrite{Name: table, Key: []string{"k1", "k2"}, Columns: []store.Column{
		col("a", recipe.Numeric), col("k2", recipe.Text), col("b", recipe.Text), col("k1", recipe.Integer),
	}}
	byKey := map[string]string{}
	value := func(label string, texts ...string) *string {
		if text := rapid.SampledFrom(append(texts, "NULL")).Draw(t, label); text != "NULL" {
			return &text
		}
		return nil
	}
	shown := func(v *string) string {
		if v == nil {
			return "NULL"
		}
		return *v
	}
	for range rapid.IntRange(0, 8).Draw(t, "rows") {
		k1 := fmt.Sprint(rapid.IntRange(-1, 1).Draw(t, "k1"))
		k2 := rapid.SampledFrom([]string{"", "x", "É", `'"\`}).Draw(t, "k2")
		key := k1 + "/" + k2
		if _, twice := byKey[key]; twice {
			continue
		}
		a, b := value("a", "1.5", "2"), value("b", "", "u", "v")
		byKey[key] = shown(a) + "|" + shown(b)
		w.Rows = append(w.Rows, []*string{a, &k2, b, &k1})
	}
	return w, byKey
}

// Random readings of pages without a key: each page has exactly the rows of its
// last reading, and the counts add up.
func TestRowsWithoutKeyAgainstModel(t *testing.T) {
	t.Parallel()
	d := open(t)
	w := d.worker()
	tables := 0
	rapid.Check(t, func(rt *rapid.T) {
		tables++
		name := fmt.Sprintf("t%d", tables)
		model := map[string][]string{}
		made := false
		for range rapid.IntRange(1, 4).Draw(rt, "runs") {
			run := d.startWith(store.NewRun{Recipe: name, Pages: pagesOf("https://"+name+".example", 2)})
			v, claimed := d.visit(w, run.ID, 2)
			for _, page := range claimed {
				texts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 4).Draw(rt, "rows")
				write := store.TableWrite{Name: name, Columns: []store.Column{col("v", recipe.Text)}}
				var expected store.TableCounts
				old := model[page.Address]
				for i, text := range texts {
					write.Rows = append(write.Rows, []*string{&text})
					switch {
					case i >= len(old):
						expected.Inserted++
					case old[i] == text:
						expected.Unchanged++
					default:
						expected.Updated++
					}
				}
				expected.Gone = int64(max(len(old)-len(texts), 0))
				model[page.Address] = texts
				made = made || len(texts) > 0
				counts, err := v.Finish(t.Context(), result(page, write))
				if err != nil {
					rt.Fatal(err)
				}
				if got := counts[name]; fmt.Sprint(got) != fmt.Sprint(expected) {
					rt.Fatalf("counts %+v, want %+v", got, expected)
				}
			}
			ok(t, v.Close(t.Context()))
		}
		if !made {
			return
		}
		var expected string
		for _, url := range slices.Sorted(maps.Keys(model)) {
			for i, text := range model[url] {
				expected += fmt.Sprintf("%s|%d|%s\n", url, i+1, text)
			}
		}
		if got := d.text("select _url, _row, v from " + name + " order by 1, 2"); got != expected {
			rt.Fatalf("table\n%s\nwant\n%s", got, expected)
		}
	})
}
