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

// BenchmarkDepth looks at the queue while few and while very many pages wait, on
// one host and on many: the cost must not grow with them.
func BenchmarkDepth(b *testing.B) {
	for _, c := range []struct{ pages, hosts int }{{1000, 1}, {1_000_000, 1}, {1_000_000, 20_000}} {
		b.Run(fmt.Sprintf("pages=%d/hosts=%d", c.pages, c.hosts), func(b *testing.B) {
			d := open(b)
			run := d.start("recipe", 1)
			d.exec("INSERT INTO tabfarm_internal.host (host) SELECT 'https://' || n || '.example' FROM generate_series(1, $1::integer) n", c.hosts)
			d.exec("INSERT INTO tabfarm_internal.run_host (run_id, host, delay, concurrency) SELECT $1, host, '1 s', 1 FROM tabfarm_internal.host ON CONFLICT DO NOTHING", run.ID)
			d.exec(`INSERT INTO tabfarm_internal.page (run_id, kind, host, url, address, address_hash)
SELECT $1, '', 'https://' || 1 + n % $3::integer || '.example', '', '', decode(md5(n::text), 'hex') FROM generate_series(1, $2::integer) n`, run.ID, c.pages, c.hosts)
			d.exec("ANALYZE tabfarm_internal.page")
			b.ResetTimer()
			for range b.N {
				depth, err := d.Depth(b.Context())
				ok(b, err)
				if depth.Hosts != min(c.hosts+1, store.HostsCap) || depth.Pages != min(c.pages+1, store.PagesCap) {
					b.Fatalf("%+v", depth)
				}
			}
		})
	}
}

// BenchmarkClaim claims a page where three runs share a host, and gives it back.
// The times for a thousand and a million pending pages are to be alike.
func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := open(b)
			for i := range 3 {
				run := d.start(fmt.Sprint("recipe", i), 1)
				d.exec(`INSERT INTO tabfarm_internal.page (run_id, kind, host, url, address, address_hash)
SELECT $1, '', $2, n::text, n::text, decode(md5(n::text), 'hex') FROM generate_series(1, $3::integer) n`, run.ID, host, n/3)
			}
			d.exec("VACUUM ANALYZE tabfarm_internal.page")
			v, err := d.worker().OpenVisit(b.Context(), 0)
			ok(b, err)
			for b.Loop() {
				pages, err := v.Claim(b.Context(), 1)
				ok(b, err)
				ok(b, v.GiveBack(b.Context(), pages[0].ID))
			}
			ok(b, v.Close(b.Context()))
		})
	}
}
