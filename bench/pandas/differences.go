package main

// rules says of each document that the two read differently why that is: the
// rule by which tabfarm reads it, and what pandas does.
var rules = map[string]string{
	"blocks":                   "Blocks are apart in the text as on the screen; pandas joins their letters.",
	"colspan-junk":             "Spans are those that the browser counts: 2; is 2. For pandas the document is an error.",
	"colspan-past-the-end":     "Columns in which no cell begins are left out; pandas adds empty ones.",
	"colspan-zero":             "Spans are those that the browser counts: colspan 0 is 1. pandas loses the cell.",
	"drawn-by-script":          "A page is read after its scripts have run; pandas reads its source.",
	"footnotes":                "A mark in <sup> that is bracketed, a sign, or a link into the page is a note and no part of the value; for pandas 5,550,203 with note 2 is 55,502,032.",
	"form-fields":              "The text of a field is what it shows; pandas takes no field's value, and all options of a list.",
	"grid-of-divs":             "Grids of role grid or table are read; pandas reads <table> alone.",
	"head-again-in-the-middle": "A head behind rows is a header row again, in its place; pandas moves it to the top.",
	"hidden-attribute":         "What is hidden is left out, whatever hides it; pandas looks for display:none in style attributes alone.",
	"hidden-by-class":          "What is hidden is left out, whatever hides it; pandas looks for display:none in style attributes alone.",
	"hidden-table":             "A table that is not displayed is none of the page's tables.",
	"invisible":                "What is not visible has no text.",
	"layout-table":             "A table of role presentation is none where there are others.",
	"nested":                   "A table in a cell is a table of its own; pandas has its text in the cell too.",
	"only-header-cells":        "Where all cells are <th> the first row alone is the header; pandas leaves no row.",
	"overlap":                  "Where two cells overlap the row's own is shown; pandas moves the other one to the right.",
	"powers":                   "Other <sup> and <sub> keep their place: 10^3 is not 103.",
	"row-without-cells":        "A row without cells is no row.",
	"rowspan-over-bodies":      "A row group ends all cells that reach down; pandas goes on into the next group.",
	"rowspan-past-the-end":     "Rows in which no cell begins are left out; pandas makes rows of them.",
	"rowspan-to-the-end":       "Spans are those that the browser counts: rowspan 0 is to the end of the group. pandas moves the next row to the left.",
	"script-in-a-cell":         "What shows nothing is no text; pandas reads the script.",
	"short-row-under-rowspan":  "A cell that reaches down stays in its column; pandas puts it behind the last cell of a short row.",
	"unseen-characters":        "Zero-width characters and soft hyphens are dropped.",
	"white-space":              "Every run of white space is one space, no-break spaces included.",
	"without-text":             "A table is read whether it holds text or not.",
}
