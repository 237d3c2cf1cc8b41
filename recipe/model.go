// Package recipe owns the recipe language: it loads a recipe file, checks every
// key and tells all mistakes at once, and expands the pages that a recipe names.
//
// It is a leaf: it imports nothing else of tabfarm, opens no connection and
// reads no file but the recipe itself. What an expansion needs from outside
// (files, sitemaps, SQL) comes through Inputs.
package recipe

import "time"

// Type is the type of a column, in the words of the recipe language.
type Type string

// The column types. A duration is stored as a Postgres interval, json as jsonb,
// a timestamp as timestamptz, an integer as bigint; the others bear their SQL name.
const (
	Text      Type = "text"
	Integer   Type = "integer"
	Numeric   Type = "numeric"
	Boolean   Type = "boolean"
	Date      Type = "date"
	Time      Type = "time"
	Timestamp Type = "timestamp"
	Duration  Type = "duration"
	JSON      Type = "json"
)

// Position is a place in a recipe file, both 1-based; zero when unknown.
type Position struct{ Line, Column int }

// Recipe is a checked recipe: every default is filled in.
type Recipe struct {
	Name        string
	Description string
	Schedules   []Schedule
	Timezone    *time.Location
	Priority    int
	Kinds       []Kind // one, with Name "", unless the recipe has `pages`
	Polite      Polite

	File string // path it was loaded from, as given; "" when it came from the database
	Text []byte // the recipe exactly as written

	later Mistakes // keys that do nothing in this version yet
}

// Kind is one kind of pages: where its URLs come from, how a page is opened,
// and which tables it gives.
type Kind struct {
	Name    string
	Sources []Source
	With    []Variable // in the order of the file
	Page    Page
	Tables  []Table // in the order of the file
	Links   []Link  // what is followed on its pages
}

// SourceKind says where the URLs of a Source come from.
type SourceKind string

// The kinds of sources.
const (
	SourceURL     SourceKind = "url"     // a URL template, expanded with variables
	SourceFile    SourceKind = "file"    // a file: one URL a line, or a CSV with a column url
	SourceSitemap SourceKind = "sitemap" // a sitemap or sitemap index, gzipped or not
	SourceSQL     SourceKind = "sql"     // a query with a column url
	SourceLinks   SourceKind = "links"   // links found on pages of another kind
)

// Source is one entry of `urls`.
type Source struct {
	Kind  SourceKind
	Value string     // URL template, file path, sitemap URL, SQL text, or CSS of links
	With  []Variable // variables of this source alone
	Match string     // RE2; keeps URLs that match (sitemap, links)
	In    string     // kind of pages whose links are meant, its own by default (links)
	Hosts []string   // further hosts (links)
	Depth int        // links
	Pos   Position
}

// Variable is one entry of `with`. Exactly one of Values, File, SQL and Range is set.
type Variable struct {
	Name   string
	Values []string // as written in the file: 0123 stays 0123
	File   string   // one value a line
	SQL    string   // first column of the result
	Range  *Range
	Pos    Position
}

// Range is {from, to, step, format}: numbers, dates or months.
type Range struct {
	From, To string // a number, 2024-01-31, 2024-01, today, today+7d
	Step     int    // default 1; may be negative for numbers
	Format   string // strftime format of dates; "" where the form of From is kept
}

// Page is `page`: how a page is opened and when it is ready.
type Page struct {
	Ready    string // CSS
	Timeout  time.Duration
	Steps    []Step
	Next     *Next
	Block    []string // resource kinds: image, font, media, stylesheet, script
	Headers  []Header
	Session  string // path of a storage state file, or the name of a session
	Viewport Viewport
}

// Header is one HTTP header sent to the recipe's own hosts. One of Value and Secret is set.
type Header struct{ Name, Value, Secret string }

// Viewport is the size of the page in CSS pixels; zero for the default.
type Viewport struct{ Width, Height int }

// Step is one of `page.steps`.
type Step struct {
	Verb     string // click, fill, select, press, wait, wait_gone, scroll, js
	Target   string // CSS; for press the key (KeyOf), for scroll "end" or CSS, for js the source
	Value    string // template
	Secret   string // name of a secret instead of Value
	Optional bool
	Pos      Position
}

// Next is `page.next`: how to come to the next part of the same page.
type Next struct {
	Click string // CSS
	Max   int    // most clicks, 0: no limit
}

// Locator finds text on a page. Its CSS may begin with "iframe >>" or "comments >>".
type Locator struct{ CSS, Match string }

// JSONSource names the responses that hold a table's rows.
type JSONSource struct {
	URL  string // part of the URL; * stands for anything
	Body string // part of a POST body, "" for any
}

// Table is one entry of `tables`: what is a row, which columns, which key.
// Of From, Each and JSON at most one is set; none means the largest table of the page.
type Table struct {
	Name         string
	From         string // CSS of tables; may begin with "iframe >>" or "comments >>"
	Each         string // CSS of elements that are one row each, with a place as From; or "page"
	JSON         *JSONSource
	JQ           string
	Rows         string // "all" or "visible"
	Total        *Locator
	MinRows      int
	Skip         string // CSS of rows
	Optional     bool
	Key          []string // empty: rows belong to their page
	Duplicates   string   // "error", "first" or "last"
	Columns      []Column // in the order of the file
	OtherColumns string   // "keep" or "drop"
	Gone         string   // "keep", "mark" or "delete"
	History      bool
	Pos          Position
}

// Column is one entry of `columns`. At most one of Header, Above and Var is set;
// CSS and Attr may stand together.
type Column struct {
	Name     string
	Header   string // header text as shown, or its SQL name
	CSS      string // inside the row; may begin with "page >>", "iframe >>" or "comments >>"
	Attr     string // attribute instead of the text
	Above    string // CSS looked for upwards in document order
	Var      string // variable
	Match    string // RE2: first group, or the whole match
	Type     Type   // "" when it is to be inferred
	Format   string // strftime, for date, time and timestamp
	Optional bool
	Pos      Position
}

// Polite is the pace per host.
type Polite struct {
	Delay       time.Duration // between two page starts on one host; 0 is `rate: none`
	Concurrency int
	ObeyRobots  bool
	Retries     int
}

// Schedule is one cron rule.
type Schedule struct {
	Cron         string
	From, Until  time.Time // zero: no limit
	AllowOverlap bool
}

// Address is one page that a recipe names.
type Address struct {
	Kind string            // name of the Kind
	URL  string            // what the browser opens
	Vars map[string]string // all variables of this page, as written
	// Page is the page's address: URL, and as fragment #~name=value the used
	// variables that do not stand in the URL. It is unique within a run.
	Page string
}
