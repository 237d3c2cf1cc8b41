package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The ways into a table.
const (
	wayCopy  = "copy"
	wayBatch = "batch"
	wayStore = "tabfarm"
)

// condition is what holds for some measures alike.
type condition struct {
	Server  string `json:"server"`
	Columns int    `json:"columns"`
	Writers int    `json:"writers"`
}

// figure is one measure, taken in each round.
type figure struct {
	condition
	Way      string    `json:"way"`
	PageRows int       `json:"page_rows,omitempty"`
	State    string    `json:"state"`
	Rounds   []float64 `json:"rows_per_second"`
	Median   float64   `json:"median"`
	Costs    []float64 `json:"processor_us_per_row"`
	Cost     float64   `json:"median_processor_us_per_row"`
	ToCopy   float64   `json:"to_copy"` // median of the rounds' ratios to COPY
}

// report is all that was measured.
type report struct {
	Processors int                          `json:"processors"`
	Rows       int                          `json:"rows_of_12_columns"`
	Rounds     int                          `json:"rounds"`
	Servers    map[string]map[string]string `json:"servers"`
	Figures    []*figure                    `json:"figures"`
}

func newReport(rows, rounds int) *report {
	return &report{Processors: runtime.NumCPU(), Rows: rows, Rounds: rounds, Servers: map[string]map[string]string{}}
}

// told are the settings that decide how fast a server stores.
var told = []string{"server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "wal_level"}

// describe notes the settings of a server as it tells them.
func (r *report) describe(ctx context.Context, name, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	r.Servers[name] = map[string]string{}
	for _, setting := range told {
		var value string
		if err = conn.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			break
		}
		r.Servers[name][setting] = value
	}
	if cerr := conn.Close(ctx); err == nil {
		err = cerr
	}
	return err
}

func (r *report) find(c condition, way string, page int, state string) *figure {
	for _, f := range r.Figures {
		if f.condition == c && f.Way == way && f.PageRows == page && f.State == state {
			return f
		}
	}
	return nil
}

func (r *report) add(c condition, way string, page int, state string, perSecond, cost float64) {
	f := r.find(c, way, page, state)
	if f == nil {
		f = &figure{condition: c, Way: way, PageRows: page, State: state}
		r.Figures = append(r.Figures, f)
	}
	f.Rounds, f.Costs = append(f.Rounds, perSecond), append(f.Costs, cost)
	fmt.Fprintf(os.Stderr, "%s: %d columns, %d writers, %s %s: %.0f rows/s, %.1f µs\n", c.Server, c.Columns, c.Writers, label(way, page), state, perSecond, cost)
}

func label(way string, page int) string {
	switch way {
	case wayCopy:
		return "COPY in one go"
	case wayBatch:
		return "pgx.Batch row by row"
	}
	return fmt.Sprintf("tabfarm, pages of %d rows", page)
}

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// compare fills in medians and ratios. A round's ratio is to the COPY of that round.
func (r *report) compare() {
	for _, f := range r.Figures {
		f.Median, f.Cost = median(f.Rounds), median(f.Costs)
		copied := r.find(f.condition, wayCopy, 0, stateNew)
		var ratios []float64
		for i := range min(len(f.Rounds), len(copied.Rounds)) {
			ratios = append(ratios, f.Rounds[i]/copied.Rounds[i])
		}
		f.ToCopy = median(ratios)
	}
}

func (r *report) markdown() string {
	r.compare()
	var b strings.Builder
	fmt.Fprintf(&b, `# Rows into a table that exists

Made by `+"`make bench-upsert`"+` on %d processors, which Postgres and the writers share.
Thousands of rows a second, median of %d rounds that take turns; in brackets the ratio
to COPY of the same rows in one go into an empty table of the same columns and key;
then microseconds of the processors for a row, Go and Postgres together, which what else
the machine does shakes less. With several writers each has its share of the rows.

%d rows of 12 columns and a fifth of that of 60: text, bigint, numeric, date,
timestamptz and boolean, with the five columns that tabfarm adds. Keys come in no order.
Changed rows differ in their whole numbers, a fourth of the columns. tabfarm's way is
all that a page's end does (`+"`Visit.FinishFinding`"+`), from texts; COPY and pgx.Batch (an
INSERT ... ON CONFLICT DO UPDATE for each row, %d in a batch) get values of Go that are
there already.
`, r.Processors, r.Rounds, r.Rows, batchRows)
	for _, s := range servers {
		settings, ok := r.Servers[s.name]
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", map[string]string{
			"private": "As the private Postgres of a person is", "forgetful": "As the Postgres of the tests is: what was stored may be forgotten",
		}[s.name])
		var lines []string
		for _, name := range told {
			lines = append(lines, name+" "+settings[name])
		}
		b.WriteString(strings.Join(lines, ", ") + ".\n\n")
		r.table(&b, s.name)
	}
	return b.String()
}

func (r *report) table(b *strings.Builder, server string) {
	b.WriteString("| columns | writers | way | new | unchanged | changed |\n|---|---|---|---|---|---|\n")
	for _, f := range r.Figures {
		if f.Server != server || f.State != stateNew {
			continue
		}
		fmt.Fprintf(b, "| %d | %d | %s |", f.Columns, f.Writers, label(f.Way, f.PageRows))
		for _, state := range []string{stateNew, stateUnchanged, stateChanged} {
			g := r.find(f.condition, f.Way, f.PageRows, state)
			switch {
			case g == nil:
				b.WriteString(" - |")
			case f.Way == wayCopy:
				fmt.Fprintf(b, " %.1f, %.1f µs |", g.Median/1000, g.Cost)
			default:
				fmt.Fprintf(b, " %.1f (%.2f), %.1f µs |", g.Median/1000, g.ToCopy, g.Cost)
			}
		}
		b.WriteString("\n")
	}
}

// write puts the report into a folder.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder %q: %w", dir, err)
	}
	text := r.markdown()
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	if err := writeFile(dir, "upsert.json", doc.Bytes()); err != nil {
		return err
	}
	return writeFile(dir, "upsert.md", []byte(text))
}
