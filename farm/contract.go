package farm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// learn gives a new column its rule; a column without any value waits for its
// first one. Called with c.mu held.
func (c *contract) learn(col extract.Column, lang string, cells []extract.Cell) (extract.Rule, bool) {
	if col.Type != "" {
		if !slices.ContainsFunc(cells, func(cell extract.Cell) bool { return cell.Text != nil && *cell.Text != "" }) {
			return extract.Rule{}, false
		}
		c.rules[col.Name] = extract.Declared(col, lang, cells)
		return c.rules[col.Name], true
	}
	rule, ok := extract.Infer(col.Name, col.Header, lang, cells)
	if ok {
		c.rules[col.Name] = rule
	}
	return rule, ok
}

// write types the rows of one page.
func (c *contract) write(lang string, t *extract.Table) (store.TableWrite, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := store.TableWrite{
		Name: t.Name, Key: c.spec.Key, Duplicates: t.Duplicates, Version: c.version,
		Last: c.spec.Duplicates == "last", Rows: make([][]*string, len(t.Rows)),
	}
	for i, col := range t.Columns {
		cells := columnCells(t, i)
		rule, ok := c.rules[col.Name]
		if !ok {
			if rule, ok = c.learn(col, lang, cells); !ok {
				continue
			}
		}
		if seen, ok := extract.Infer(col.Name, col.Header, lang, cells); ok && col.Type == "" && rule.Widens(seen) {
			rule = seen
			c.rules[col.Name] = rule
		}
		w.Columns = append(w.Columns, store.Column{
			Name: col.Name, Header: col.Header, Unit: rule.Unit, Rule: rule.String(), Type: rule.Type, Declared: col.Type != "",
		})
		for r, cell := range cells {
			value, ok := rule.Value(cell)
			if value == nil && slices.Contains(c.spec.Key, col.Name) {
				return store.TableWrite{}, badKey(t, r, col.Name, rule, ok)
			}
			if !ok {
				w.Rejected = append(w.Rejected, store.Rejection{Row: r, Column: col.Name, Text: *cell.Text, Reason: "no " + string(rule.Type)})
			}
			w.Rows[r] = append(w.Rows[r], value)
		}
	}
	return w, c.checkTypedKeys(&w)
}

// checkTypedKeys finds rows whose keys differ as text and are one value, such as
// 1,000 and 1000. Those that differ as text and are equal were met by extract.
func (c *contract) checkTypedKeys(w *store.TableWrite) error {
	if len(c.spec.Key) == 0 || slices.Contains(c.spec.Key, "_row") {
		return nil
	}
	var at []int
	for i, col := range w.Columns {
		if slices.Contains(c.spec.Key, col.Name) && col.Type != recipe.Text {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil // texts are their own values
	}
	seen := make(map[string]int, len(w.Rows))
	for r, row := range w.Rows {
		var key strings.Builder
		for i, col := range w.Columns {
			if slices.Contains(c.spec.Key, col.Name) {
				fmt.Fprintf(&key, "%d:%s", len(*row[i]), *row[i])
			}
		}
		first, twice := seen[key.String()]
		if !twice {
			seen[key.String()] = r
			continue
		}
		var words []string
		for _, i := range at {
			words = append(words, w.Columns[i].Name+"="+*row[i])
		}
		return &extract.Problem{Outcome: string(DuplicateKey), Table: w.Name, Message: fmt.Sprintf(
			"%s: rows %d and %d are written differently and have the same key %s. Declare type: text for it, or take another key. Nothing of this page was stored.",
			w.Name, first+1, r+1, strings.Join(words, ", "))}
	}
	return nil
}

// badKey words that a key column has no value in a row: fits says that the cell
// means "missing" in a column of this type, otherwise it does not take the type.
func badKey(t *extract.Table, row int, column string, rule extract.Rule, fits bool) *extract.Problem {
	text := ""
	if p := t.Rows[row][slices.IndexFunc(t.Columns, func(c extract.Column) bool { return c.Name == column })].Text; p != nil {
		text = *p
	}
	message := fmt.Sprintf("%s: the key column %s is %s, and row %d has %q there. Declare type: text for it and run --new.", t.Name, column, rule.Type, row+1, text)
	if fits {
		message = fmt.Sprintf("%s: row %d has no %s (it shows %q). Leave such rows out with skip, or take another key.", t.Name, row+1, column, text)
	}
	return &extract.Problem{Outcome: string(BadValue), Table: t.Name, Message: message}
}
