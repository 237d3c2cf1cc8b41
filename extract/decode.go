package extract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of a payload. A page that passes them is too large, or lies.
const (
	maxPayload = 64 << 20
	maxRows    = 1_000_000
	maxColumns = 20_000
	maxCells   = 8_000_000
	maxGrids   = 5_000
)

// ErrTooLarge says that the page holds more than a Reading may.
var ErrTooLarge = errors.New("page too large to read")

// payload is the answer of the script.
type payload struct {
	Version int              `json:"version"`
	URL     string           `json:"url"`
	Title   string           `json:"title"`
	Lang    string           `json:"lang"`
	Settled bool             `json:"settled"`
	Grids   []grid           `json:"grids"`
	Values  []valueElsewhere `json:"values"`
	Else    []hint           `json:"elsewhere"`
	Links   []Link           `json:"links"`
	Signs   []string         `json:"signs"`
	Cards   *Cards           `json:"cards"`
	Error   string           `json:"error"`
	Stop    *stop            `json:"stop"`
	Short   string           `json:"short"`
	Consent *string          `json:"consent"`

	Embedded []struct {
		Name  string `json:"name"`
		Text  string `json:"text"`
		Large bool   `json:"large"`
	} `json:"embedded"`
}

// stop says why the steps of the recipe did not come to their end.
type stop struct {
	Outcome string `json:"outcome"`
	Message string `json:"message"`
}

// problem checks a stop.
func (s *stop) problem() (*Problem, error) {
	if !slices.Contains([]string{outcomeMissing, outcomeTimeout, outcomeScript, outcomeBadValue}, s.Outcome) {
		return nil, fmt.Errorf("decode reading: outcome %q of a step is not known", s.Outcome)
	}
	return &Problem{Outcome: s.Outcome, Message: strings.TrimRight(clip(s.Message, 2000), ". ") + "."}, nil
}

type grid struct {
	Table     string      `json:"table"`
	Part      string      `json:"part"`
	Kind      string      `json:"kind"`
	Selector  string      `json:"selector"`
	Caption   string      `json:"caption"`
	Header    [][]*string `json:"header"`
	Rows      []gridRow   `json:"rows"`
	Foot      [][]*string `json:"foot"`
	Complete  bool        `json:"complete"`
	Proof     Proof       `json:"proof"`
	Total     *int        `json:"total"`
	TotalText *string     `json:"totalText"`
	Note      string      `json:"note"`
	Classes   []string    `json:"classes"`
}

type gridRow struct {
	Cells  []*string          `json:"c"`
	Spans  []int              `json:"s"`
	Role   string             `json:"r"`
	Fields map[string]*string `json:"f"`
	Class  string             `json:"k"`
	// Attrs are wanted attributes of the cells, by name.
	Attrs map[string][]*string `json:"a"`
	Links []Link               `json:"l"`
}

// Decode checks and decodes the payload of the script: one for each part of the
// page, in their order. It comes from a page and is trusted in nothing: sizes are
// bounded (ErrTooLarge), unknown words refused.
func Decode(parts ...[]byte) (*Reading, error) {
	r := &Reading{}
	cells, links := 0, 0
	for i, text := range parts {
		part, err := decodePart(text, &cells, &links)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			r = part
		} else {
			r.join(part)
		}
	}
	r.cutShort()
	for i := range r.Grids {
		if n := len(r.Grids[i].Rows); n > maxRows {
			return nil, fmt.Errorf("decode grid %d: %d rows: %w", i+1, n, ErrTooLarge)
		}
	}
	return r, nil
}

// decodePart decodes the payload of one part. cells and links count those of all parts.
func decodePart(text []byte, cells, links *int) (*Reading, error) {
	if len(text) > maxPayload {
		return nil, fmt.Errorf("decode reading of %d bytes: %w", len(text), ErrTooLarge)
	}
	var p payload
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("decode reading: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode reading: text behind its end")
	}
	if p.Version != 1 {
		return nil, fmt.Errorf("decode reading: version %d is not known", p.Version)
	}
	if p.Error == "too large" {
		return nil, fmt.Errorf("decode reading: %w", ErrTooLarge)
	}
	if p.Error == "too many links" {
		return nil, fmt.Errorf("decode reading: %w", ErrTooManyLinks)
	}
	if p.Error != "" {
		return nil, fmt.Errorf("decode reading: the script failed: %.500s", p.Error)
	}
	if len(p.Grids) > maxGrids {
		return nil, fmt.Errorf("decode reading: %d grids: %w", len(p.Grids), ErrTooLarge)
	}
	r := &Reading{
		values: p.Values, hints: p.Else, URL: clip(p.URL, 1<<16), Title: clip(p.Title, 1000), Lang: clip(p.Lang, 100), Settled: p.Settled,
		Cards: p.Cards, Short: clip(p.Short, 1000),
	}
	for _, s := range p.Signs {
		if slices.Contains([]string{signPassword, signCaptcha, signDenied, signSpinner}, s) && !slices.Contains(r.Signs, s) {
			r.Signs = append(r.Signs, s)
		}
	}
	if p.Consent != nil {
		r.Signs, r.Accept = append(r.Signs, signConsent), clip(*p.Consent, 500)
	}
	if p.Stop != nil {
		var err error
		if r.Stopped, err = p.Stop.problem(); err != nil {
			return nil, err
		}
	}
	for _, e := range p.Embedded {
		if body := firstJSON(e.Text); body != nil || e.Large {
			r.Embedded = append(r.Embedded, Source{URL: "#" + clip(e.Name, 1000), Body: body, TooLarge: e.Large})
		}
	}
	if err := countLinks(p.Links, links); err != nil {
		return nil, fmt.Errorf("decode links: %w", err)
	}
	r.Links = p.Links
	for i := range p.Grids {
		g, err := p.Grids[i].check(cells, links)
		if err != nil {
			return nil, fmt.Errorf("decode grid %d: %w", i+1, err)
		}
		r.Grids = append(r.Grids, g)
	}
	return r, nil
}

// check turns a grid of the payload into a Grid. cells and links count those of all grids.
func (g *grid) check(cells, links *int) (Grid, error) {
	if len(g.Rows) > maxRows {
		return Grid{}, fmt.Errorf("%d rows: %w", len(g.Rows), ErrTooLarge)
	}
	if !slices.Contains([]string{"html", "aria", "each"}, g.Kind) {
		return Grid{}, fmt.Errorf("kind %q is not known", g.Kind)
	}
	switch g.Proof {
	case ProofTotal, ProofSource, ProofEnd, ProofNone:
	default:
		return Grid{}, fmt.Errorf("proof %q is not known", g.Proof)
	}
	if g.Total != nil && *g.Total < 0 {
		return Grid{}, fmt.Errorf("total %d is below zero", *g.Total)
	}
	out := Grid{
		Table: g.Table, part: clip(g.Part, 100), Kind: g.Kind, Selector: clip(g.Selector, 10_000), Caption: clip(g.Caption, 10_000),
		Header: g.Header, Foot: g.Foot, Rows: make([]GridRow, len(g.Rows)),
		Complete: g.Complete && g.Proof != ProofNone, Proof: g.Proof, Total: g.Total, TotalText: g.TotalText,
		Note: clip(g.Note, 1000), Classes: g.Classes,
	}
	for _, lines := range [][][]*string{g.Header, g.Foot} {
		for _, line := range lines {
			if err := count(line, cells); err != nil {
				return Grid{}, err
			}
		}
	}
	for i, row := range g.Rows {
		if err := count(row.Cells, cells); err != nil {
			return Grid{}, err
		}
		if err := countLinks(row.Links, links); err != nil {
			return Grid{}, err
		}
		if !slices.Contains([]string{"", "header", "section", "placeholder", "skipped"}, row.Role) {
			return Grid{}, fmt.Errorf("role %q is not known", row.Role)
		}
		for _, at := range row.Spans {
			if at < 0 || at >= len(row.Cells) {
				return Grid{}, fmt.Errorf("span at column %d of %d", at, len(row.Cells))
			}
		}
		for name, values := range row.Attrs {
			if err := count(values, cells); err != nil {
				return Grid{}, err
			}
			if len(values) != len(row.Cells) {
				return Grid{}, fmt.Errorf("%d values of attribute %q in %d cells", len(values), name, len(row.Cells))
			}
		}
		out.Rows[i] = GridRow{
			Cells: row.Cells, Spans: row.Spans, Role: row.Role, Fields: row.Fields, Class: clip(row.Class, 1000),
			Links: row.Links, Attrs: row.Attrs,
		}
	}
	return out, nil
}

// count adds a line's cells and refuses what passes the bounds.
func count(line []*string, cells *int) error {
	*cells += len(line)
	if len(line) > maxColumns || *cells > maxCells {
		return fmt.Errorf("%d columns, %d cells: %w", len(line), *cells, ErrTooLarge)
	}
	return nil
}

// clip shortens a text to at most n bytes, at a rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], "")
}
