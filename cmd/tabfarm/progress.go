package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// progress counts what a run does and says it in one line. All methods may be
// called from several goroutines.
type progress struct {
	mu     sync.Mutex
	total  int
	more   bool // the sources are still read: the total grows
	done   int  // ended pages, failed ones included
	failed map[farm.Outcome]int
	rows   int64
	hosts  map[string]bool

	began  time.Time // of this command
	before int       // pages that had ended by then
	pace   float64   // page starts a minute that a host's politeness allows, 0 for any
	now    func() time.Time
}

// newProgress begins with what an earlier command did of the run. pace is that
// of one host, in pages a minute; 0 is no limit.
func newProgress(total, done int, rows int64, pace float64, now func() time.Time) *progress {
	return &progress{
		total: total, done: done, rows: rows, failed: map[farm.Outcome]int{}, hosts: map[string]bool{},
		began: now(), before: done, pace: pace, now: now,
	}
}

// event counts one event of the engine. Further tries of a page end nothing.
func (p *progress) event(e farm.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if host, err := recipe.Host(e.Address); err == nil {
		p.hosts[host] = true
	}
	if e.GivenUp > 0 {
		p.done += e.GivenUp
		p.failed[e.Outcome] += e.GivenUp
	}
	if !e.Last {
		return
	}
	p.done++
	p.total += e.Found
	p.rows += int64(e.Rows)
	if e.Failed {
		p.failed[e.Outcome]++
	}
}

// eventOf is event for the events of one run.
func (p *progress) eventOf(run int64) func(farm.Event) {
	return func(e farm.Event) {
		if e.RunID == run {
			p.event(e)
		}
	}
}

// sync takes over what the database says: other workers end pages, too. Events
// may be ahead of it.
func (p *progress) sync(now store.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total, p.more = max(p.total, now.Total), !now.Planned
	p.done = max(p.done, now.Done+now.Failed)
	var rows int64
	for _, t := range now.Tables {
		rows += t.Inserted + t.Updated + t.Unchanged
	}
	p.rows = max(p.rows, rows)
}

// line is "21/40 pages  11,204 rows  20/min (this host's pace)  1 failed  1 min left".
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	plus := ""
	if p.more {
		plus = "+"
	}
	parts := []string{
		fmt.Sprintf("%d/%d%s pages", p.done, p.total, plus),
		count(p.rows, "row", "rows"),
	}
	perMinute, polite := p.rate()
	if perMinute > 0 {
		rate := rateText(perMinute)
		if polite {
			rate += " (this host's pace)"
		}
		parts = append(parts, rate)
	}
	if text := failedText(p.failed); text != "" {
		parts = append(parts, text)
	}
	if left := p.total - p.done; left > 0 && perMinute > 0 {
		parts = append(parts, roughly(time.Duration(float64(left)/perMinute*float64(time.Minute)))+" left")
	}
	return strings.Join(parts, "  ")
}

// rate is the number of pages a minute so far. Until some have ended, and where
// it is near to what politeness allows on the one host, it is that pace.
func (p *progress) rate() (perMinute float64, polite bool) {
	ended, took := p.done-p.before, p.now().Sub(p.began)
	var seen float64
	if took > 0 {
		seen = float64(ended) / took.Minutes()
	}
	if p.pace > 0 && len(p.hosts) <= 1 && (ended < 3 || seen >= 0.8*p.pace) {
		return p.pace, true
	}
	return seen, false
}

// failedText is "3 failed", with the outcomes behind it where there are several kinds.
func failedText(failed map[farm.Outcome]int) string {
	var n int
	var kinds []string
	for _, o := range farm.Outcomes() {
		if failed[o] > 0 {
			n += failed[o]
			kinds = append(kinds, fmt.Sprintf("%d %s", failed[o], o))
		}
	}
	switch len(kinds) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%d failed", n)
	}
	return fmt.Sprintf("%d failed (%s)", n, strings.Join(kinds, ", "))
}

// rateText writes pages a minute; above 120 a second is easier to grasp.
func rateText(perMinute float64) string {
	switch {
	case perMinute > 120:
		return fmt.Sprintf("%.1f/s", perMinute/60)
	case perMinute >= 10:
		return fmt.Sprintf("%.0f/min", perMinute)
	case perMinute >= 1:
		return strings.Replace(fmt.Sprintf("%.1f/min", perMinute), ".0/", "/", 1)
	}
	return fmt.Sprintf("%.0f/h", perMinute*60)
}

// roughly writes a time as people say it: 20 s, 2 min, 3 h 5 min, 2 d 4 h. It
// rounds up, so that what is short is not said to be nothing.
func roughly(d time.Duration) string {
	up := func(unit time.Duration) int64 { return int64((d + unit - 1) / unit) }
	switch {
	case d <= 50*time.Second:
		return fmt.Sprintf("%d s", up(time.Second))
	case up(time.Minute) < 60:
		return fmt.Sprintf("%d min", up(time.Minute))
	case up(time.Minute) < 24*60:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", up(time.Minute)/60, up(time.Minute)%60), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%d d %d h", up(time.Hour)/24, up(time.Hour)%24), " 0 h")
}

// display shows a progress until it is closed.
type display interface{ Close() }

// quietDisplay shows no progress.
type quietDisplay struct{}

func (quietDisplay) Close() {}

// barDisplay is a bar on a terminal. Lines that are written to it stand above the bar.
type barDisplay struct {
	container *mpb.Progress
	bar       *mpb.Bar
}

const (
	// barRefresh is how often the bar is drawn; faster only costs.
	barRefresh = 200 * time.Millisecond
	barWidth   = 18 // between the brackets
)

// newBar draws p on w until Close. width is the screen's. Options are for tests,
// where w is no terminal.
func newBar(w io.Writer, p *progress, width int, options ...mpb.ContainerOption) *barDisplay {
	options = append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithWidth(width), mpb.WithRefreshRate(barRefresh)}, options...)
	d := &barDisplay{container: mpb.New(options...)}
	// Without a total the bar ends by Close alone.
	d.bar = d.container.New(0, lineFiller{p, width}, mpb.BarFillerTrim())
	return d
}

// lineFiller draws a progress as one line that fits the screen.
type lineFiller struct {
	p     *progress
	width int
}

// Build makes it an mpb.BarFillerBuilder.
func (f lineFiller) Build() mpb.BarFiller { return f }

// Fill makes it an mpb.BarFiller.
func (f lineFiller) Fill(w io.Writer, _ decor.Statistics) error {
	_, err := io.WriteString(w, runewidth.Truncate(f.p.bar()+" "+f.p.line(), max(f.width-1, 0), ""))
	return err
}

// bar is "[=========>        ]".
func (p *progress) bar() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	filled := barWidth
	if p.total > 0 {
		filled = min(barWidth*p.done/p.total, barWidth)
	}
	if filled == barWidth {
		return "[" + strings.Repeat("=", barWidth) + "]"
	}
	return "[" + strings.Repeat("=", filled) + ">" + strings.Repeat(" ", barWidth-1-filled) + "]"
}

func (d *barDisplay) Write(b []byte) (int, error) { return d.container.Write(b) }

// Close takes the bar off the screen.
func (d *barDisplay) Close() {
	d.bar.Abort(true)
	d.container.Wait()
}

// lineDisplay writes a line now and then, where there is no terminal.
type lineDisplay struct {
	quit  chan struct{}
	ended sync.WaitGroup
}

// lineEvery is the time between two lines.
const lineEvery = 10 * time.Second

// newLines writes "NAME  LINE" on w at each tick until Close.
func newLines(w io.Writer, name string, p *progress, tick <-chan time.Time) *lineDisplay {
	d := &lineDisplay{quit: make(chan struct{})}
	d.ended.Go(func() {
		for {
			select {
			case <-tick:
				_, _ = fmt.Fprintf(w, "%s  %s\n", name, p.line())
			case <-d.quit:
				return
			}
		}
	})
	return d
}

func (d *lineDisplay) Close() {
	close(d.quit)
	d.ended.Wait()
}
