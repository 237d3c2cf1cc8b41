package farm

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/store"
)

// Browser lends tabs; *browserpool.Pool is one.
type Browser interface {
	Do(ctx context.Context, f func(*browserpool.Tab) error) error
}

// Store keeps runs, pages and rows; *store.Store is one.
type Store interface {
	StartRun(ctx context.Context, n store.NewRun) (store.Run, error)
	OpenRun(ctx context.Context, recipe string) (store.Run, bool, error)
	RunByID(ctx context.Context, id int64) (store.Run, error)
	RunState(ctx context.Context, id int64) (string, error)
	ResumeRun(ctx context.Context, id int64) error
	EndRun(ctx context.Context, id int64, state string) error
	CancelRun(ctx context.Context, id int64) error
	Reopen(ctx context.Context, id int64, outcomes []string, beside bool) (int, error)
	Progress(ctx context.Context, id int64) (store.Progress, error)
	OpenPages(ctx context.Context, id int64, most int) (int, error)
	SetPace(ctx context.Context, id int64, host string, p store.Pace) error
	Paces(ctx context.Context, id int64, hosts []string) (map[string]store.Pace, error)
	TryHosts(ctx context.Context, run int64) error
	AskRobots(ctx context.Context, host string, long time.Duration) (store.Robots, bool, error)
	KeepRobots(ctx context.Context, host string, r store.Robots) error
	Register(ctx context.Context, name string) (*store.Worker, error)
	Contract(ctx context.Context, table string) (store.Contract, bool, error)
	Query(ctx context.Context, sql string, args ...any) (*store.Rows, error)
	Links(ctx context.Context, id int64) ([]store.KindLinks, error)
	Pages(ctx context.Context, f store.PageFilter) ([]store.PageInfo, error)
	Earlier(ctx context.Context, p store.Page) (store.Earlier, bool, error)
	PutSchedule(ctx context.Context, n store.NewSchedule) (time.Time, error)
	DropSchedule(ctx context.Context, recipe string) (bool, error)
	Schedules(ctx context.Context) ([]store.ScheduleInfo, error)
	DueSchedules(ctx context.Context) ([]store.Schedule, error)
	NextDue(ctx context.Context) (time.Time, error)
	PassDue(ctx context.Context, d store.Due, note string) error
}

// Config is what a Farm works with.
type Config struct {
	Browser   Browser                           // may be nil where no page is opened
	Store     Store                             // may be nil for Try, and for Plan of a recipe without SQL
	Allow     []string                          // private hosts, host:port or CIDR ranges that pages may be on
	PageLimit time.Duration                     // longest time for a page as a whole. Defaults to 10 minutes
	Product   string                            // name for robots.txt and sitemaps, "tabfarm/1.0 (+URL)"
	Proxy     string                            // URL of a proxy; "" goes direct
	Tabs      int                               // tabs of Browser; sizes the number of visits. Defaults to 1
	Secret    func(name string) (string, error) // value of a {secret: NAME}; nil knows none
	Log       *slog.Logger                      // Defaults to none
}

// Farm is the engine. Its methods may be called from several goroutines.
type Farm struct {
	Config
	addresses addresses
	client    *http.Client
	robots    *robots
	number    int64 // of this Farm in the process
}

// made counts the Farms of this process.
var made atomic.Int64

// New makes a Farm; it starts nothing. The error names the entry of Config.Allow
// or the proxy that cannot be read.
func New(c Config) (*Farm, error) {
	if c.PageLimit <= 0 {
		c.PageLimit = 10 * time.Minute
	}
	if c.Tabs <= 0 {
		c.Tabs = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Secret == nil {
		c.Secret = func(name string) (string, error) { return "", fmt.Errorf("secret %q is not set", name) }
	}
	allowed, err := parseAddresses(c.Allow, c.Proxy != "")
	if err != nil {
		return nil, err
	}
	client, err := newClient(c.Product, c.Proxy, allowed)
	if err != nil {
		return nil, err
	}
	return &Farm{Config: c, addresses: allowed, client: client, robots: newRobots(client), number: made.Add(1)}, nil
}

// group names the cookies and the cache that pages share. A browser may serve
// several Farms, whose runs have the same numbers in databases of their own: the
// sign-in of one is not that of another.
func (f *Farm) group(of string) string { return fmt.Sprintf("farm %d %s", f.number, of) }
