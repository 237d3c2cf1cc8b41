// Package extract turns what a page shows into typed rows. It owns the script
// that reads a page from inside, the grid that comes of it, JSON to rows, column
// names, and the rules by which a column gets its type.
//
// It does no I/O: it opens no page and no connection. What comes from a page is
// data; nothing of it is ever evaluated.
package extract

import "github.com/tabfarm/tabfarm/recipe"

// Proof says why the rows of a table are all there.
type Proof string

// The proofs.
const (
	ProofTotal  Proof = "total"  // the number stated was met
	ProofSource Proof = "source" // all rows of the response or grid the page drew from
	ProofEnd    Proof = "end"    // the document ended, the last page was reached, scrolling came to its end
	ProofNone   Proof = "none"
)

// Reading is what the script read of one page, and what the page asked for.
type Reading struct {
	URL   string
	Title string
	Lang  string // html lang
	// Settled is false when the page never came to rest and was read at its deadline.
	Settled bool
	Grids   []Grid
	// Links are those that stand in no row of a grid.
	Links []Link
	// Signs are hints that the page is not the one meant: "password", "captcha",
	// "denied", "consent", "spinner".
	Signs []string
	// Accept finds the button that gives the consent that the page asks for; "" where
	// it stands in a frame, or nothing is asked.
	Accept string
	// Stopped says why the steps of the recipe did not come to their end; nothing was read then.
	Stopped *Problem
	// Short says why the parts that the recipe's next leads to are not all there, in
	// words for the user; "" when they are.
	Short string
	// Embedded is the JSON that the document holds itself, with #NAME for a URL: the
	// id of its script, or the variable that it is assigned to.
	Embedded []Source
	// Cards are repeated elements that may be rows. They are read by LookScript
	// alone; nil for none.
	Cards *Cards

	// FrameLate says that a frame had not loaded, or not come to rest, by the deadline,
	// and might hold what was looked for in frames.
	FrameLate bool

	frames []Frame          // that were looked through
	values []valueElsewhere // for rows that are read elsewhere
	hints  []hint
}

// Cards are elements that repeat on a page, and what differs in them.
type Cards struct {
	Selector string      `json:"selector"`
	Fields   []CardField `json:"fields"`
}

// CardField is one value of each card: the text, or the attribute, of the
// element that CSS finds in it; without CSS of the card itself.
type CardField struct {
	Name     string `json:"name"`
	CSS      string `json:"css"`
	Attr     string `json:"attr"`
	Optional bool   `json:"optional"` // some cards have it not
}

// Grid is one table or grid as text cells, before types. A nil cell is a place
// where the table has no cell.
type Grid struct {
	Table    string // recipe table that asked for it, "" when all tables were asked for
	Kind     string // what it was on the page: "html", "aria", "each"
	Selector string // CSS that finds it
	Caption  string
	Header   [][]*string
	Rows     []GridRow
	Foot     [][]*string
	Complete bool
	Proof    Proof
	Total    *int // number of rows the page states, if it does
	// TotalText is what the recipe's `total` found; nil when it found nothing.
	TotalText *string
	// Note says why the grid is not complete, in words for the user.
	Note string
	// Classes are those of its element. They are read by LookScript alone.
	Classes []string

	frame int // that it stands in, counted from 1; 0 for the page itself

	part string // grids of one table and part, read of several parts of a page, are one
}

// GridRow is one body row with what the script found beside its cells.
type GridRow struct {
	Cells []*string
	// Spans lists the columns that a cell across several columns covers.
	Spans []int
	Role  string // "" for data; "header" repeated header row, "section", "placeholder", "skipped"
	// Fields holds values of columns that the recipe looks for by css, attr or above, by column name.
	Fields map[string]*string
	// Class names the row for messages: its class list.
	Class string
	// Attrs holds, by name, attributes of the cells or of the first element in each
	// that has one; nil for none. Those are read that the recipe wants.
	Attrs map[string][]*string
	Links []Link // that stand in the row
}

// Cell is one value of a row before its type is decided; nil Text is no value.
// JSON says that Text is a JSON scalar or document and no shown text. Span says
// that the text stands in a cell across several columns ("Did Not Play"): it has
// no say in the type of a column and is NULL where that is no text.
type Cell struct {
	Text *string
	JSON bool
	Span bool
}

// Column is one column of a Table.
type Column struct {
	Name     string      // SQL name
	Header   string      // as shown
	Type     recipe.Type // declared type, "" when it is to be inferred
	Format   string      // declared format
	Optional bool
}

// Table is the rows of one recipe table on one page: named columns, text cells.
type Table struct {
	Name       string
	Columns    []Column
	Rows       [][]Cell // as long as Columns each
	Complete   bool
	Proof      Proof
	Total      *int
	Duplicates int // rows that were equal in all columns and collapsed
	links      []rowLink
}

// Problem is why a page's rows are not a success. Outcome is one of empty,
// incomplete, selector_missing, bad_value, duplicate_key, too_large, signed_out,
// blocked; of steps also timeout and script_error.
type Problem struct {
	Outcome string
	Table   string
	Message string
}

func (p *Problem) Error() string { return p.Message }
