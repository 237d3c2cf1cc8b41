package farm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

const (
	// samplePages and sampleTime bound how long the types of a new table are
	// held open: they are decided from the first pages together.
	samplePages = 20
	sampleTime  = 5 * time.Second
	// contractTries is how often rows are typed again because another page or
	// worker changed the table in between.
	contractTries = 3
)

// typing gives the rows of pages their types. The types of a table are a
// contract: those of the table in the database, or, before it is made, those
// that the cells of the first pages take together.
type typing struct {
	store  Store
	tables map[string]*contract

	mu      sync.Mutex // guards what follows; taken before a contract's
	open    int        // pages of the run that have not ended
	waiting int        // pages that have shown their cells and wait for types
	rushed  bool       // decide at once: the run is being drained
}

// contract is the types of one table.
type contract struct {
	spec    *recipe.Table
	load    sync.Mutex // held while the database is asked
	loaded  bool
	decided chan struct{} // closed when rules may be read

	mu      sync.Mutex // guards what follows
	version int64
	rules   map[string]extract.Rule // by column
	samples []sample
	timer   *time.Timer
}

// sample is what one page shows of a table whose types are not decided.
type sample struct {
	lang  string
	table *extract.Table
}

func newTyping(s Store, r *recipe.Recipe) *typing {
	t := &typing{store: s, tables: map[string]*contract{}}
	for i := range r.Kinds {
		for j := range r.Kinds[i].Tables {
			spec := &r.Kinds[i].Tables[j]
			t.tables[spec.Name] = &contract{spec: spec, decided: make(chan struct{}), rules: map[string]extract.Rule{}}
		}
	}
	return t
}

// expect says how many pages of the run have not ended; cells of more will not come.
func (t *typing) expect(pages int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = pages
}

// ended says that a page has ended, and how many more the run has by it.
func (t *typing) ended(added int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open += added - 1
	t.decideReady()
}

// hurry decides what is undecided from the pages at hand, now and from now on.
func (t *typing) hurry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rushed = true
	t.decideReady()
}

// typed gives what is to be written of one page, when the types of its tables are
// decided; its own cells help to. The error is an *extract.Problem when a key
// does not take its column's type.
func (t *typing) typed(ctx context.Context, rows *pageRows) ([]store.TableWrite, error) {
	for i := range rows.tables {
		c := t.tables[rows.tables[i].Name]
		if err := t.loadOnce(ctx, c); err != nil {
			return nil, err
		}
		c.show(sample{rows.lang, &rows.tables[i]})
	}
	if err := t.wait(ctx, rows.tables); err != nil {
		return nil, err
	}
	writes := make([]store.TableWrite, 0, len(rows.tables))
	for i := range rows.tables {
		write, err := t.tables[rows.tables[i].Name].write(rows.lang, &rows.tables[i])
		if err != nil {
			return nil, err
		}
		writes = append(writes, write)
	}
	return writes, nil
}

// wait returns when the types of all these tables are decided.
func (t *typing) wait(ctx context.Context, tables []extract.Table) error {
	t.mu.Lock()
	t.waiting++
	t.decideReady()
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.waiting--
		t.mu.Unlock()
	}()
	for i := range tables {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.tables[tables[i].Name].decided:
		}
	}
	return nil
}

// decideReady decides the types that enough pages have shown, or all that can
// still show something: then every page that has not ended waits. Called with
// t.mu held.
func (t *typing) decideReady() {
	all := t.rushed || t.waiting >= t.open
	for _, c := range t.tables {
		if n := c.shown(); n >= samplePages || all && n > 0 {
			c.decide()
		}
	}
}

func (t *typing) loadOnce(ctx context.Context, c *contract) error {
	c.load.Lock()
	defer c.load.Unlock()
	if c.loaded {
		return nil
	}
	if err := c.reload(ctx, t.store); err != nil {
		return err
	}
	c.loaded = true
	return nil
}

// reload takes the types of tables from the database anew.
func (t *typing) reload(ctx context.Context, tables []extract.Table) error {
	for i := range tables {
		if err := t.tables[tables[i].Name].reload(ctx, t.store); err != nil {
			return err
		}
	}
	return nil
}

// reload takes the types from the database, if the table is there.
func (c *contract) reload(ctx context.Context, s Store) error {
	have, ok, err := s.Contract(ctx, c.spec.Name)
	if err != nil {
		return err
	}
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = have.Version
	for _, col := range have.Columns {
		if i := slices.IndexFunc(c.spec.Columns, func(d recipe.Column) bool { return d.Name == col.Name && d.Type != "" && d.Type != col.Type }); i >= 0 {
			continue // the recipe declares a wider type now: the column will be changed
		}
		rule, err := extract.ParseRule(col.Rule)
		if err != nil {
			return fmt.Errorf("read rule of column %q of table %q: %w", col.Name, c.spec.Name, err)
		}
		c.rules[col.Name] = rule
	}
	if !c.isDecided() {
		close(c.decided)
	}
	return nil
}

// isDecided is called with c.mu held.
func (c *contract) isDecided() bool {
	select {
	case <-c.decided:
		return true
	default:
		return false
	}
}

// show takes the cells of a page into account, if the types are not decided.
func (c *contract) show(s sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDecided() {
		return
	}
	c.samples = append(c.samples, s)
	if c.timer == nil {
		c.timer = time.AfterFunc(sampleTime, c.decide)
	}
}

// shown is the number of pages whose cells wait to be decided by.
func (c *contract) shown() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.samples)
}

// decide makes the rules from the samples, once.
func (c *contract) decide() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDecided() {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	for _, s := range c.samples {
		for i := range s.table.Columns {
			if _, done := c.rules[s.table.Columns[i].Name]; done {
				continue
			}
			c.learn(s.table.Columns[i], s.lang, c.cellsOf(s.table.Columns[i].Name))
		}
	}
	c.samples = nil
	close(c.decided)
}

// cellsOf gathers a column's cells over all samples.
func (c *contract) cellsOf(column string) []extract.Cell {
	var cells []extract.Cell
	for _, s := range c.samples {
		if i := slices.IndexFunc(s.table.Columns, func(col extract.Column) bool { return col.Name == column }); i >= 0 {
			cells = append(cells, columnCells(s.table, i)...)
		}
	}
	return cells
}

func columnCells(t *extract.Table, i int) []extract.Cell {
	cells := make([]extract.Cell, len(t.Rows))
	for r := range t.Rows {
		cells[r] = t.Rows[r][i]
	}
	return cells
}
