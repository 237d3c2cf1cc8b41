package web

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/store"
)

// Browser is what the metrics ask of the tabs; *browserpool.Pool is one.
type Browser interface {
	Stats() browserpool.Stats
}

// Queue is what the metrics ask of the database; *store.Store is one.
type Queue interface {
	Depth(ctx context.Context) (store.Depth, error)
}

// Sources are where numbers come from that are read when somebody looks. Either may
// be nil; its metrics are left out then.
type Sources struct {
	Version string // of the program
	Browser Browser
	Queue   Queue
	Log     *slog.Logger // Defaults to none
}

// Metrics counts what a worker does. Labels have few values, known beforehand: an
// outcome, a phase, a state; never a host or a URL.
type Metrics struct {
	registry *prometheus.Registry

	pages, retries      *prometheus.CounterVec // by outcome
	failed, rows, found prometheus.Counter
	took                prometheus.Histogram
	phases              *prometheus.HistogramVec
}

// seconds are the buckets of durations: from a statement to the longest page.
var seconds = []float64{.005, .02, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600}

// NewMetrics makes metrics with a registry of their own. What did not happen yet is
// there as zero, so that the first time is seen as an increase.
func NewMetrics(s Sources) *Metrics {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		pages:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tabfarm_pages_total", Help: "Pages that ended, by how."}, []string{"outcome"}),
		retries:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tabfarm_page_retries_total", Help: "Tries that failed and are repeated, by how."}, []string{"outcome"}),
		failed:   prometheus.NewCounter(prometheus.CounterOpts{Name: "tabfarm_pages_failed_total", Help: "Pages that ended and count as failed."}),
		rows:     prometheus.NewCounter(prometheus.CounterOpts{Name: "tabfarm_rows_total", Help: "Rows read of pages that ended well, all tables together."}),
		found:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tabfarm_pages_found_total", Help: "Pages that links added to runs."}),
		took:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tabfarm_page_duration_seconds", Help: "Time of each try of a page.", Buckets: seconds}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tabfarm_page_phase_duration_seconds", Help: "Time of each try of a page, by phase.", Buckets: seconds,
		}, []string{"phase"}),
	}
	for _, o := range farm.Outcomes() {
		m.pages.WithLabelValues(string(o))
		m.retries.WithLabelValues(string(o))
	}
	for phase := range (farm.Phases{}).All() {
		m.phases.WithLabelValues(phase)
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tabfarm_build_info", Help: "1, with the version of the program.", ConstLabels: prometheus.Labels{"version": s.Version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(
		m.pages, m.retries, m.failed, m.rows, m.found, m.took, m.phases, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if s.Browser != nil {
		m.registry.MustRegister(browserMetrics{s.Browser})
	}
	if s.Queue != nil {
		m.registry.MustRegister(newQueueMetrics(s.Queue, s.Log))
	}
	return m
}

// Event counts what happened to a page. It may be called from several goroutines.
func (m *Metrics) Event(e farm.Event) {
	switch {
	case e.Last:
		m.pages.WithLabelValues(string(e.Outcome)).Inc()
		if e.Failed {
			m.failed.Inc()
		}
		m.rows.Add(float64(e.Rows))
		m.found.Add(float64(e.Found))
	case e.Retry > 0:
		m.retries.WithLabelValues(string(e.Outcome)).Inc()
	case e.GivenUp > 0: // with its host
		m.pages.WithLabelValues(string(e.Outcome)).Add(float64(e.GivenUp))
		m.failed.Add(float64(e.GivenUp))
		return
	default:
		return // no end of a try
	}
	m.took.Observe(e.Took.Seconds())
	for phase, d := range e.Phases.All() {
		if d > 0 { // a phase that the try did not come to is none that was quick
			m.phases.WithLabelValues(phase).Observe(d.Seconds())
		}
	}
}

// scrapes is how many answers are made at once; more are asked to come again.
const scrapes = 8

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapes})
}

// desc describes a metric that is read when somebody looks.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tabfarm_"+name, help, labels, nil)
}

// gauge and count are such metrics.
func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func count(d *prometheus.Desc, v int64) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
}

// browserMetrics are the pool's own numbers.
type browserMetrics struct{ browser Browser }

var (
	descTabs     = desc("tabs", "Tabs, by whether a page has them.", "state")
	descBrowsers = desc("browsers", "Browser processes that live.")
	descStarts   = desc("browser_starts_total", "Browser processes that were started.")
	descRestarts = desc("browser_restarts_total", "Browser processes that were started after one had died.")
	descReplaced = desc("tabs_replaced_total", "Tabs that were made anew because they were broken.")
	descRecycled = desc("tabs_recycled_total", "Tabs that were made anew after their share of pages.")
	descCrashes  = desc("tab_crashes_total", "Pages during which the tab or its browser died.")
	descTimeouts = desc("tab_timeouts_total", "Pages that were not read by their deadline.")
	descRefused  = desc("addresses_refused_total", "Addresses that were refused as private.")
)

// Describe tells nothing: what Collect gives is checked as it comes.
func (browserMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives the numbers of now.
func (b browserMetrics) Collect(to chan<- prometheus.Metric) {
	s := b.browser.Stats()
	to <- gauge(descTabs, float64(s.TabsBusy), "busy")
	to <- gauge(descTabs, float64(s.Tabs-s.TabsBusy), "free")
	to <- gauge(descBrowsers, float64(s.Browsers))
	to <- count(descStarts, s.BrowserStarts)
	to <- count(descRestarts, s.BrowserRestarts)
	to <- count(descReplaced, s.TabsReplaced)
	to <- count(descRecycled, s.TabsRecycled)
	to <- count(descCrashes, s.Crashes)
	to <- count(descTimeouts, s.Timeouts)
	to <- count(descRefused, s.Refused)
}

// queueHolds is how long a look at the queue holds: ten Prometheis cost the database
// no more than one.
const queueHolds = 10 * time.Second

// queueMetrics are what the database says of all workers together.
type queueMetrics struct {
	queue Queue
	log   *slog.Logger
	holds time.Duration
	fails prometheus.Counter

	mu   sync.Mutex // held during a look: there is one at a time
	at   time.Time
	last store.Depth
	err  error
}

func newQueueMetrics(q Queue, log *slog.Logger) *queueMetrics {
	return &queueMetrics{
		queue: q, log: log, holds: queueHolds,
		fails: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tabfarm_queue_errors_total", Help: "Looks at the queue that the database did not answer; the metrics of the queue are left out then.",
		}),
	}
}

var (
	descPages   = desc("queue_pages", "Pages that wait in running runs, by whether they may be taken now or later; counted to 10,000.", "state")
	descHosts   = desc("queue_hosts", "Hosts on which pages wait, without the paused ones; counted to 2,000.")
	descOldest  = desc("queue_oldest_due_seconds", "For how long the first of the due pages could have been taken.")
	descRuns    = desc("runs", "Unfinished runs, by state.", "state")
	descPaused  = desc("hosts_paused", "Hosts that are paused.")
	descWorkers = desc("workers", "Workers that live, on all machines.")
)

// Describe tells nothing: what Collect gives is checked as it comes.
func (*queueMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives the numbers of the last seconds; none of the queue's where the
// database does not answer, because an old number would be taken for a new one.
func (q *queueMetrics) Collect(to chan<- prometheus.Metric) {
	d, err := q.look()
	to <- q.fails
	if err != nil {
		return
	}
	to <- gauge(descPages, float64(d.Due), "due")
	to <- gauge(descPages, float64(d.Pages-d.Due), "later")
	to <- gauge(descHosts, float64(d.Hosts))
	to <- gauge(descOldest, d.Oldest.Seconds())
	to <- gauge(descRuns, float64(d.Running), store.RunRunning)
	to <- gauge(descRuns, float64(d.Stopped), store.RunStopped)
	to <- gauge(descPaused, float64(d.Paused))
	to <- gauge(descWorkers, float64(d.Workers))
}

// look asks the database, unless that was done a moment ago.
func (q *queueMetrics) look() (store.Depth, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.at.IsZero() && time.Since(q.at) < q.holds {
		return q.last, q.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	q.last, q.err = q.queue.Depth(ctx)
	q.at = time.Now()
	if q.err != nil {
		q.fails.Inc()
		q.log.Warn("the queue was not looked at for the metrics", "error", q.err)
	}
	return q.last, q.err
}
