// Package farm owns the engine: it plans the pages of a recipe, takes them from
// URL to rows, keeps every host's pace and robots.txt, tries again what may
// heal, and tells how each page ended.
//
// It refuses to know Chrome's protocol and SQL: tabs come from browserpool and
// the tables are in store, both seen through the small interfaces of this
// package. It prints nothing; the command line does.
package farm

import (
	"time"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// SubmitOptions say how a run of a recipe begins.
type SubmitOptions struct {
	New   bool // start over although an unfinished run of the same recipe exists
	Limit int  // only the first Limit pages; 0 is all

	queue bool // for the workers; else this process works on it
}

// Submission is the run that Submit found or made.
type Submission struct {
	RunID      int64
	Recipe     string
	Resumed    bool  // an unfinished run of the unchanged recipe goes on
	Superseded int64 // older run that was closed for this one, 0 for none
	Finished   int   // pages already finished, when resumed
	Total      int   // pages of the run, as many as were planned so far
	Planned    bool  // no source has more pages
}

// Plan is what a recipe would do.
type Plan struct {
	Pages int
	Links bool // further pages are found on them, as many as there are
	Hosts []HostPlan
	// Took is the time that the slowest host needs at its polite pace.
	Took time.Duration
}

// HostPlan is the part of a Plan that is on one host.
type HostPlan struct {
	Host        string
	Pages       int
	Delay       time.Duration // between two page starts, robots.txt's crawl-delay counted when it was read
	Concurrency int
}

// Event tells what happened in a run, for progress display. It is sent from
// several goroutines, one at a time.
type Event struct {
	RunID   int64
	Address string // of the page that ended or will be tried again
	Outcome Outcome
	Message string
	Rows    int           // stored of this page, all tables together
	Proof   extract.Proof // weakest proof of its tables
	Took    time.Duration // of this try
	Phases  Phases        // of it
	Retry   time.Duration // > 0: the page is tried again after this time; it has not ended
	Last    bool          // the page has ended
	Failed  bool          // it counts as failed; an empty page may be accepted
	Found   int           // pages that the run has more, because its links lead to them

	// Of a host, not of a page: Address is "" then, and Outcome and Message are those
	// of the last try there.
	Host    string
	Paused  time.Duration // > 0: it only fails and is paused for so long
	Waiting int           // pages that wait for it meanwhile, of all runs
	GivenUp int           // pages of the run that have ended with it, after the last pause
}

// Summary is how a run stands, from the database.
type Summary struct {
	RunID     int64
	Recipe    string
	State     string // running, stopped, done, cancelled, superseded
	Total     int
	Done      int // ok, and empty where it is accepted
	Failed    int
	Pending   int // not ended yet
	ByOutcome map[Outcome]int
	Tables    []TableSummary // in the order of the recipe
	Failures  []Failure      // at most 20, the most frequent outcome first
	Warnings  []string       // what no page is to blame for, in words
	Problem   string         // why the sources could not be read to their end, "" where they were
	Seconds   float64
}

// TableSummary is what a run did to one table.
type TableSummary struct {
	Name                                                                string
	Inserted, Updated, Unchanged, Rejected, Duplicates, Conflicts, Gone int64
	// Rejections are examples of values that did not fit, Conflict one of rows that two pages gave differently.
	Rejections []string
	Conflict   string
}

// Failure is one page that did not end well.
type Failure struct {
	Address string
	Outcome Outcome
	Message string
}

// TryRequest is one page to look at. Recipe gives its first page; with Recipe
// nil, URL is opened and all its tables are read.
type TryRequest struct {
	Recipe *recipe.Recipe
	URL    string
	Grid   bool // all grids of the page, before types
}

// Tried is what a try gave; nothing is stored.
type Tried struct {
	URL     string
	Outcome Outcome
	Message string
	Failed  bool           // the outcome counts as a failure; an empty page may be accepted
	Tables  []TypedTable   // in recipe order, or document order
	Grids   []extract.Grid // with TryRequest.Grid
	Links   []TriedLinks   // by the kind that they lead to, in the order of the recipe
}

// TriedLinks is how many pages of a kind the links of a page lead to.
type TriedLinks struct {
	Kind  string // "" where the recipe has one kind
	Pages int
}

// TypedTable is a table with the types that its cells of this page take.
type TypedTable struct {
	Name     string
	Complete bool
	Proof    extract.Proof
	Total    *int
	Columns  []TypedColumn
	Rows     [][]*string // canonical texts, nil is NULL
	Rejected []string    // values that a declared type did not take, in words
}

// TypedColumn is a column with its rule.
type TypedColumn struct {
	Name, Header string
	Rule         extract.Rule
}
