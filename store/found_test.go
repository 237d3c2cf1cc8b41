package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// found are pages that links of one kind lead to: "PATH" or "PATH host", each at
// most as deep as deepest.
func found(deepest int, paths ...string) store.Found {
	f := store.Found{Hosts: func(string) store.Pace { return store.Pace{Concurrency: 4} }}
	for _, path := range paths {
		path, at, other := strings.Cut(path, " ")
		if !other {
			at = host
		}
		u := at + "/" + path
		f.Pages = append(f.Pages, store.FoundPage{NewPage: store.NewPage{Host: at, URL: u, Address: u}, Deepest: deepest})
	}
	return f
}

// finding finishes a page that leads to others, and gives the number of pages
// that are pending by it.
func finding(t testing.TB, v *store.Visit, p store.Page, f store.Found, w ...store.TableWrite) int {
	t.Helper()
	r := result(p, w...)
	n := len(f.Pages)
	r.Links = &n
	_, added, err := v.FinishFinding(t.Context(), r, f)
	ok(t, err)
	return added
}

const pagesByDepth = `SELECT coalesce(string_agg(regexp_replace(url, '.*/', '') || ' ' || depth || ' ' || state, ', ' ORDER BY url), '') FROM tabfarm_internal.page`

// Found pages come with the rows and the end of the page that shows them, once.
func TestFoundPagesComeWithTheirPage(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("r", 2, leaders)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 2)
	const other = "http://other.example:8080"
	f := found(0, "a", "b", "a", "2", "c "+other)
	f.Pages[1].Kind, f.Pages[1].Vars = "detail", map[string]string{"n": "0\x007"}
	if n := finding(t, v, pages[0], f, players(line{"Jordan", "1"})); n != 3 {
		t.Errorf("%d pages were added, want 3", n)
	}
	if n := finding(t, v, pages[1], found(0, "b", "d")); n != 1 {
		t.Errorf("%d pages were added, want 1", n)
	}
	want(t, get[string](d, pagesByDepth), "c 0 0, 1 0 2, 2 0 2, a 0 0, b 0 0, d 0 0")
	want(t, get[string](d, "SELECT kind || vars::text FROM tabfarm_internal.page WHERE url LIKE '%/b'"), `detail{"n": "07"}`)
	want(t, get[string](d, "SELECT string_agg(host || ' ' || delay || ' ' || concurrency, ', ' ORDER BY host) FROM tabfarm_internal.run_host"), other+" 00:00:00 4, "+host+" 00:00:00 4")
	kinds, err := d.Links(t.Context(), run.ID)
	ok(t, err)
	want(t, fmt.Sprint(kinds), "[{ 5 2 7} {detail 1 0 0}]")

	ok(t, v.Close(t.Context()))
	seen := map[string]bool{}
	for range 2 { // the new host has slots of its own
		v, err := w.OpenVisit(t.Context(), run.ID)
		ok(t, err)
		claimed, err := v.Claim(t.Context(), 10)
		ok(t, err)
		for _, p := range claimed {
			seen[p.URL] = true
			_, err := v.Finish(t.Context(), result(p))
			ok(t, err)
		}
	}
	if len(seen) != 4 {
		t.Errorf("claimed %v", seen)
	}
	_, err = w.OpenVisit(t.Context(), run.ID)
	if n := as[*store.NothingError](t, err); n.Leased || !n.Next.IsZero() {
		t.Errorf("pages are left: %v", n)
	}
}

// Nothing is added by a finish that changes nothing, nor to a run that nobody
// works on any more.
func TestFoundPagesOfNoUse(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("r", 3, leaders)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 3)
	bad := players(line{"Jordan", "no number"})
	_, _, err := v.FinishFinding(t.Context(), result(pages[0], bad), found(0, "a"))
	_ = as[*store.StatementError](t, err)
	want(t, get[string](d, pagesByDepth), "1 0 1, 2 0 1, 3 0 1")

	ok(t, d.CancelRun(t.Context(), run.ID))
	if n := finding(t, v, pages[0], found(0, "a")); n != 0 {
		t.Errorf("%d pages were added to a cancelled run", n)
	}
	d.exec("UPDATE tabfarm_internal.slot SET turn = turn + 1")
	d.exec("UPDATE tabfarm_internal.page SET turn = turn + 1 WHERE state = 1")
	_, n, err := v.FinishFinding(t.Context(), result(pages[1]), found(0, "b"))
	is(t, err, store.ErrFenced)
	if n != 0 {
		t.Errorf("%d pages were added by a fenced finish", n)
	}
	want(t, get[string](d, pagesByDepth), "1 0 2, 2 0 1, 3 0 1")
}

// The limit of a run counts found pages too, also when many find some at once.
func TestFoundPagesAndTheLimit(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.startWith(store.NewRun{Recipe: "r", Pages: pagesOf(host, 8), Limit: 20})
	v, pages := d.visit(d.worker(), run.ID, 8)
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := 0
	for i, p := range pages {
		all.Go(func() {
			f := found(3, fmt.Sprintf("x%d", i), fmt.Sprintf("y%d", (i+1)%8), fmt.Sprintf("y%d", i), "z")
			_, n, err := v.FinishFinding(context.WithoutCancel(t.Context()), result(p), f)
			mu.Lock()
			defer mu.Unlock()
			if sum += n; err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.page"); n != 20 || sum != 12 {
		t.Errorf("%d pages, %d of them added, want 20 and 12", n, sum)
	}
}

// A page is as deep as the fewest links that lead to it. One that ended before
// a shorter way was found is read again if it gave links, for those were too deep.
func TestFoundPagesNearer(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("r", 2, leaders)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 2)
	if n := finding(t, v, pages[0], found(2, "a")); n != 1 {
		t.Fatalf("%d pages were added", n)
	}
	claim := func(path string) store.Page {
		t.Helper()
		claimed, err := v.Claim(t.Context(), 1)
		ok(t, err)
		if len(claimed) != 1 || claimed[0].URL != host+"/"+path {
			t.Fatalf("claimed %v, want %s", claimed, path)
		}
		return claimed[0]
	}
	if n := finding(t, v, claim("a"), found(2, "b", "leaf")); n != 2 {
		t.Fatalf("%d pages were added", n)
	}
	b := claim("b")
	leaf := claim("leaf")
	if n := finding(t, v, leaf, found(2)); n != 0 {
		t.Fatalf("%d pages were added", n)
	}
	if n := finding(t, v, b, found(2, "c"), players(line{"Jordan", "1"})); n != 0 {
		t.Fatalf("%d pages deeper than 2 were added", n)
	}
	want(t, get[string](d, pagesByDepth), "1 0 2, 2 0 1, a 1 2, b 2 2, leaf 2 2")
	if n := finding(t, v, pages[1], found(2, "b", "leaf", "1")); n != 1 {
		t.Fatalf("%d pages are pending again, want b alone", n)
	}
	want(t, get[string](d, pagesByDepth), "1 0 2, 2 0 2, a 1 2, b 1 0, leaf 1 2")
	if n := finding(t, v, claim("b"), found(2, "c"), players(line{"Jordan", "1"})); n != 1 {
		t.Fatalf("%d pages were added, want c", n)
	}
	want(t, get[string](d, pagesByDepth), "1 0 2, 2 0 2, a 1 2, b 1 2, c 2 0, leaf 1 2")
	p, err := d.Progress(t.Context(), run.ID)
	ok(t, err)
	wantCounts(t, p.Tables["leaders"], 1, 0, 0) // what the page did first still counts
}

// Pages that find each other's pages at once wait for each other in no circle.
func TestFoundPagesAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.startWith(store.NewRun{Recipe: "r", Pages: pagesOf(host, 40)})
	v, pages := d.visit(d.worker(), run.ID, 40)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i, p := range pages {
		all.Go(func() {
			var paths []string
			for j := range 30 {
				paths = append(paths, fmt.Sprintf("f%d", (i*7+j*13)%100))
			}
			if _, _, err := v.FinishFinding(ctx, result(p), found(1+i%3, paths...)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.page WHERE url LIKE '%/f%'"); n != 100 {
		t.Errorf("%d pages were found, want 100", n)
	}
}
