package store_test

import (
	"fmt"
	"testing"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// BenchmarkFinish stores a page of 2,000 rows by 12 columns whose rows are all
// new, all as they were, or all changed. rows/s is what counts.
func BenchmarkFinish(b *testing.B) {
	const n, columns = 2000, 12
	page := func(from, value int) store.TableWrite {
		w := store.TableWrite{Name: "t", Key: []string{"c0"}}
		for c := range columns {
			typ := []recipe.Type{recipe.Text, recipe.Integer, recipe.Numeric}[c%3]
			w.Columns = append(w.Columns, col(fmt.Sprint("c", c), typ))
		}
		for r := range n {
			var cells []*string
			for c := range columns {
				text := fmt.Sprint(value + r + c)
				if c == 0 {
					text = fmt.Sprintf("player number %d", from+r)
				}
				cells = append(cells, &text)
			}
			w.Rows = append(w.Rows, cells)
		}
		return w
	}
	for _, c := range []struct {
		name string
		page func(i int) store.TableWrite
	}{
		{"new", func(i int) store.TableWrite { return page(i*n, 0) }},
		{"unchanged", func(int) store.TableWrite { return page(0, 0) }},
		{"changed", func(i int) store.TableWrite { return page(0, i) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := open(b)
			r := newReader(b, d)
			r.read(c.page(0))
			run := d.start("recipe", b.N)
			v, pages := d.visit(r.w, run.ID, b.N)
			b.ResetTimer()
			for i, p := range pages {
				if _, err := v.Finish(b.Context(), result(p, c.page(i+1))); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
