package recipe

import (
	"reflect"
	"strings"
)

// The types of this file are the language: their json tags are its keys, in the
// order in which messages list them. The checker takes the known keys of every
// map from here, and Schema is made of the same types. Nothing is decoded into them.

type recipeKeys struct {
	Name        shortText         `json:"name,omitempty" jsonschema_description:"Name of the recipe in SQL and messages. Default: the file's name without .yaml."`
	Description shortText         `json:"description,omitempty" jsonschema_description:"What the recipe is for, in your words."`
	Schedule    schedules         `json:"schedule,omitempty" jsonschema_description:"When it runs: a cron rule of five fields, a list of them, or {cron, from, until, overlap}."`
	Timezone    shortText         `json:"timezone,omitempty" jsonschema_description:"Time zone of schedule and of today, as Europe/Berlin. Default: UTC."`
	Priority    wholeNumber       `json:"priority,omitempty" jsonschema_description:"Where several runs have pages on a host, those of a higher number go first. Default: 0."`
	URLs        sources           `json:"urls,omitempty" jsonschema_description:"Where the pages are: one URL, or a list of URLs and sources. {name} stands for a value of with."`
	With        variables         `json:"with,omitempty" jsonschema_description:"Values of the {variables}; all combinations are made, the last one varies fastest."`
	Page        *pageKeys         `json:"page,omitempty" jsonschema_description:"How a page is opened and when it is ready. With pages: the defaults of every kind."`
	Tables      tables            `json:"tables,omitempty" jsonschema_description:"The tables to fill, by name."`
	Pages       map[name]kindKeys `json:"pages,omitempty" jsonschema_description:"Several kinds of pages, each with its own urls, with, page and tables."`
	Polite      *politeKeys       `json:"polite,omitempty" jsonschema_description:"The pace on a host."`
}

type kindKeys struct {
	URLs   sources   `json:"urls" jsonschema_description:"Where the pages of this kind are."`
	With   variables `json:"with,omitempty" jsonschema_description:"Values of the {variables} of this kind."`
	Page   *pageKeys `json:"page,omitempty" jsonschema_description:"How a page of this kind is opened."`
	Tables tables    `json:"tables,omitempty" jsonschema_description:"The tables that pages of this kind give."`
}

type sourceKeys struct {
	URL     urlText     `json:"url,omitempty" jsonschema_description:"A URL; {name} stands for a value of with."`
	With    variables   `json:"with,omitempty" jsonschema_description:"Values of {variables} for this url alone."`
	File    shortText   `json:"file,omitempty" jsonschema_description:"A file: one URL a line, or a .csv with a column url whose other columns become variables."`
	Sitemap urlText     `json:"sitemap,omitempty" jsonschema_description:"URL of a sitemap or sitemap index."`
	SQL     shortText   `json:"sql,omitempty" jsonschema_description:"A query with a column url; other columns become variables."`
	Links   css         `json:"links,omitempty" jsonschema_description:"CSS of links to follow."`
	In      shortText   `json:"in,omitempty" jsonschema_description:"The kind of pages that the links are on. Default: its own kind."`
	Match   regex       `json:"match,omitempty" jsonschema_description:"Only URLs that this RE2 expression finds (sitemap, links)."`
	Depth   wholeNumber `json:"depth,omitempty" jsonschema_description:"How many links deep to go. Default: 1."`
	Hosts   []shortText `json:"hosts,omitempty" jsonschema_description:"Further hosts whose links are followed."`
}

type valuesKeys struct {
	From   scalarText  `json:"from,omitempty" jsonschema_description:"First value: a whole number, 2024-01-31, 2024-01, today or today+7d."`
	To     scalarText  `json:"to,omitempty" jsonschema_description:"Last value."`
	Step   wholeNumber `json:"step,omitempty" jsonschema_description:"Distance of the values: numbers, days or months. Default: 1."`
	Format shortText   `json:"format,omitempty" jsonschema_description:"How dates are written, by strftime: \"%d.%m.%Y\"."`
	File   shortText   `json:"file,omitempty" jsonschema_description:"A file with one value a line."`
	SQL    shortText   `json:"sql,omitempty" jsonschema_description:"A query; its first column gives the values."`
}

type pageKeys struct {
	Ready    css                    `json:"ready,omitempty" jsonschema_description:"CSS of what must be there before the page is read."`
	Timeout  duration               `json:"timeout,omitempty" jsonschema_description:"Longest time of one load. Default: 30s."`
	Steps    []stepKeys             `json:"steps,omitempty" jsonschema_description:"What to do on the page before it is read."`
	Next     *nextKeys              `json:"next,omitempty" jsonschema_description:"How to come to the next part of the page."`
	Block    []blockWord            `json:"block,omitempty" jsonschema_description:"Kinds of resources that are not loaded."`
	Headers  map[string]secretValue `json:"headers,omitempty" jsonschema_description:"HTTP headers sent to the recipe's own hosts only."`
	Session  shortText              `json:"session,omitempty" jsonschema_description:"A storage state file as ./storage.json, or the name of a session."`
	Viewport viewport               `json:"viewport,omitempty" jsonschema_description:"Size of the page, as 1280x800."`
}

type stepKeys struct {
	Click    css          `json:"click,omitempty" jsonschema_description:"CSS of what is clicked."`
	Fill     css          `json:"fill,omitempty" jsonschema_description:"CSS of the field that value is typed into."`
	Select   css          `json:"select,omitempty" jsonschema_description:"CSS of the list in which value is chosen."`
	Press    shortText    `json:"press,omitempty" jsonschema_description:"A key: Enter, Tab, Escape, ArrowDown, PageDown and so on, a letter or a digit."`
	Wait     css          `json:"wait,omitempty" jsonschema_description:"CSS of what must appear."`
	WaitGone css          `json:"wait_gone,omitempty" jsonschema_description:"CSS of what must vanish."`
	Scroll   shortText    `json:"scroll,omitempty" jsonschema_description:"end, or CSS of what is scrolled to."`
	JS       shortText    `json:"js,omitempty" jsonschema_description:"JavaScript that runs in the page; variables are vars.name, a promise that it returns is awaited."`
	Value    *secretValue `json:"value,omitempty" jsonschema_description:"What fill types and select chooses; {name} stands for a value of with."`
	Optional yesNo        `json:"optional,omitempty" jsonschema_description:"The step may fail. Default: false."`
}

type nextKeys struct {
	Click css         `json:"click" jsonschema_description:"CSS of what leads to the next part."`
	Max   wholeNumber `json:"max,omitempty" jsonschema_description:"At most so many clicks."`
}

type secretKeys struct {
	Secret shortText `json:"secret" jsonschema_description:"Name of a secret, read from TABFARM_SECRET_NAME or a secrets file."`
}

type tableKeys struct {
	From         css                `json:"from,omitempty" jsonschema_description:"CSS of the tables to read; iframe >> CSS looks in frames, comments >> CSS in HTML comments. Default: the largest table of the page."`
	Each         css                `json:"each,omitempty" jsonschema_description:"CSS of elements that are one row each, also iframe >> CSS and comments >> CSS; page for one row a page."`
	JSON         *jsonValue         `json:"json,omitempty" jsonschema_description:"Part of the URL of the response that holds the rows; * stands for anything."`
	JQ           shortText          `json:"jq,omitempty" jsonschema_description:"jq from the response to the rows; variables are $name."`
	Rows         rowsWord           `json:"rows,omitempty" jsonschema_description:"all: every row, proven. visible: what shows without scrolling or paging. Default: all."`
	Total        *totalValue        `json:"total,omitempty" jsonschema_description:"CSS of the number of rows that the page states; also iframe >> CSS and comments >> CSS."`
	MinRows      wholeNumber        `json:"min_rows,omitempty" jsonschema_description:"Fewer rows are a failure. Default: 1."`
	Skip         css                `json:"skip,omitempty" jsonschema_description:"CSS of rows to leave out."`
	Optional     yesNo              `json:"optional,omitempty" jsonschema_description:"The table may be absent. Default: false."`
	Key          []shortText        `json:"key,omitempty" jsonschema_description:"Columns or variables that name a row. Default: rows belong to their page."`
	Duplicates   duplicatesWord     `json:"duplicates,omitempty" jsonschema_description:"Rows of one page with the same key and other values. Default: error."`
	Columns      map[name]columnAny `json:"columns,omitempty" jsonschema_description:"Columns by name: a header text, or where the value stands. Default: all, by header."`
	OtherColumns otherColumnsWord   `json:"other_columns,omitempty" jsonschema_description:"What becomes of columns that are not listed. Default: keep."`
	Gone         goneWord           `json:"gone,omitempty" jsonschema_description:"What becomes of rows that a whole run did not see. Default: keep."`
	History      yesNo              `json:"history,omitempty" jsonschema_description:"Old versions go to NAME_history. Default: false."`
}

type locatorKeys struct {
	CSS   css   `json:"css" jsonschema_description:"CSS of the element."`
	Match regex `json:"match,omitempty" jsonschema_description:"RE2: the first group, or the whole match."`
}

type jsonKeys struct {
	URL  shortText `json:"url" jsonschema_description:"Part of the URL; * stands for anything."`
	Body shortText `json:"body,omitempty" jsonschema_description:"Part of the body of a POST."`
}

type columnKeys struct {
	Header   scalarText `json:"header,omitempty" jsonschema_description:"The header as shown, or its SQL name. Default: the column's name."`
	CSS      css        `json:"css,omitempty" jsonschema_description:"CSS inside the row; page >> CSS looks in the whole page, iframe >> CSS in frames, comments >> CSS in HTML comments."`
	Attr     shortText  `json:"attr,omitempty" jsonschema_description:"The attribute instead of the text; without css the row's own."`
	Above    css        `json:"above,omitempty" jsonschema_description:"CSS looked for upwards from the row in document order."`
	Var      shortText  `json:"var,omitempty" jsonschema_description:"A variable."`
	Match    regex      `json:"match,omitempty" jsonschema_description:"RE2: the first group, or the whole match."`
	Type     typeWord   `json:"type,omitempty" jsonschema_description:"Type of the column. Default: inferred."`
	Format   shortText  `json:"format,omitempty" jsonschema_description:"How a date, time or timestamp is written, by strftime."`
	Optional yesNo      `json:"optional,omitempty" jsonschema_description:"The value may be absent. Default: false."`
}

type politeKeys struct {
	Rate        rate        `json:"rate,omitempty" jsonschema_description:"Pages per time on a host: 15/min, 1/s, 20/hour; none for hosts of your own. Default: 60/min."`
	Concurrency wholeNumber `json:"concurrency,omitempty" jsonschema_description:"Pages at once on a host. Default: 1."`
	Robots      robotsWord  `json:"robots,omitempty" jsonschema_description:"What robots.txt means. Default: obey."`
	Retries     wholeNumber `json:"retries,omitempty" jsonschema_description:"Further attempts at a page that failed. Default: 3."`
}

type scheduleKeys struct {
	Cron    cronText    `json:"cron" jsonschema_description:"A cron rule: minute, hour, day, month, weekday."`
	From    scalarText  `json:"from,omitempty" jsonschema_description:"No time of the rule before this one, as 2026-11-03T19:00."`
	Until   scalarText  `json:"until,omitempty" jsonschema_description:"No time of the rule after this one."`
	Overlap overlapWord `json:"overlap,omitempty" jsonschema_description:"What to do while the run before is still going. Default: skip."`
}

// The closed sets of words. What stands first is the default.
var (
	rowsWords         = []string{"all", "visible"}
	duplicatesWords   = []string{"error", "first", "last"}
	otherColumnsWords = []string{"keep", "drop"}
	goneWords         = []string{"keep", "mark", "delete"}
	overlapWords      = []string{"skip", "allow"}
	robotsWords       = []string{"obey", "ignore"}
	typeWords         = []string{"text", "integer", "numeric", "boolean", "date", "time", "timestamp", "duration", "json"}
	blockWords        = []string{"image", "font", "media", "stylesheet", "script"}
)

// places says where the keys of each map stand, most important first, so that a
// key in the wrong place can be told its right one.
var places = []struct {
	path string
	keys reflect.Type
}{
	{"", reflect.TypeFor[recipeKeys]()},
	{"page.", reflect.TypeFor[pageKeys]()},
	{"tables.NAME.", reflect.TypeFor[tableKeys]()},
	{"tables.NAME.columns.NAME.", reflect.TypeFor[columnKeys]()},
	{"polite.", reflect.TypeFor[politeKeys]()},
	{"page.steps.", reflect.TypeFor[stepKeys]()},
	{"page.next.", reflect.TypeFor[nextKeys]()},
	{"urls.", reflect.TypeFor[sourceKeys]()},
	{"with.NAME.", reflect.TypeFor[valuesKeys]()},
	{"schedule.", reflect.TypeFor[scheduleKeys]()},
	{"tables.NAME.total.", reflect.TypeFor[locatorKeys]()},
	{"tables.NAME.json.", reflect.TypeFor[jsonKeys]()},
	{"page.headers.NAME.", reflect.TypeFor[secretKeys]()},
	{"pages.NAME.", reflect.TypeFor[kindKeys]()},
}

// keysOf lists the keys of a map of the language.
func keysOf(t reflect.Type) []string {
	keys := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}
