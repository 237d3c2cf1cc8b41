package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/pgtest"
)

// oneSite writes two recipes of the same pages, on one host at one pace.
func oneSite(t *testing.T, p *program, more string) (*pacedSite, soakSize) {
	t.Helper()
	size := soakSize{hosts: 1, pages: 24, delay: 200 * time.Millisecond}
	site := newPacedSite(t, size.hosts)
	for _, name := range []string{"first", "second"} {
		text := fmt.Sprintf("urls: %s/page/{n}\nwith: {n: {from: 1, to: %d}}\npage: {ready: \"#t\"}\ntables: {%s: {from: \"#t\", key: [name]}}\npolite: {rate: %d/min, concurrency: 2}\n%s",
			site.hosts[0].URL, size.pages, name, time.Minute/size.delay, more)
		if err := os.WriteFile(filepath.Join(p.dir, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return site, size
}

// Two people run two recipes of one site at the same time: each gets all of its
// own, and the site sees one pace.
func (at *place) testTwoRuns(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	site, size := oneSite(t, p, "")
	var both sync.WaitGroup
	for _, name := range []string{"first", "second"} {
		cmd, stdout, stderr := p.command("run", name+".yaml", "--tabs", "2")
		both.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("%s: %v; said\n%s%s", name, err, stdout, stderr)
			}
			if want := fmt.Sprintf("%s  %d of %d pages ok\n  %-8s %8d inserted   0 updated   0 unchanged\n", name, size.pages, size.pages, name, 5*size.pages); unlimited(stdout.String()) != want {
				t.Errorf("said %q, want %q", stdout, want)
			}
		})
	}
	both.Wait()
	if len(site.asked) != 2*size.pages {
		t.Errorf("%d requests for %d pages", len(site.asked), 2*size.pages)
	}
	site.paced(t, size.delay)
}

// Two schedules are due at the same second and three workers look: each starts
// once, and the site sees one pace.
func (at *place) testTwoSchedules(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	site, size := oneSite(t, p, "schedule: \"0 0 1 1 *\"\n")
	if out, said, code := p.output(t, "schedule", "first.yaml", "second.yaml"); code != exitOK {
		t.Fatalf("exit code %d; said\n%s%s", code, out, said)
	}
	workers := []*serving{p.serve(), p.serve(), p.serve()}
	await(t, "three workers live", 30*time.Second, func() bool {
		return pgtest.Value[int](t, p.dsn, "SELECT count(*) FROM tabfarm_internal.worker") == 3
	})
	pgtest.Exec(t, p.dsn, "UPDATE tabfarm_internal.schedule SET next_at = date_trunc('second', now())")
	await(t, "two runs are done", time.Minute, func() bool {
		return pgtest.Value[int](t, p.dsn, "SELECT count(*) FROM tabfarm_internal.run WHERE state = 'done'") >= 2
	})
	for _, w := range workers {
		w.stop(t)
	}
	if n := pgtest.Value[int](t, p.dsn, "SELECT count(*) FROM tabfarm_internal.run"); n != 2 {
		t.Errorf("%d runs began, want 2", n)
	}
	if len(site.asked) != 2*size.pages {
		t.Errorf("%d requests for %d pages", len(site.asked), 2*size.pages)
	}
	site.paced(t, size.delay)
}
