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
	mu     sync.Mutex // guards open and tables, not what the tables hold
	open   int        // pages of the run that have not ended
	rushed bool       // decide at once: the run is being drained
	tables map[string]*contract
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

// expect says how many pages of the run have not ended; more samples than that
// will not come.
func (t *typing) expect(pages int) {
	t.mu.Lock()
	t.open = pages
	t.mu.Unlock()
}

// ended says that a page has ended; skip that one gives no sample although it has not.
func (t *typing) ended() { t.fewer(1) }
func (t *typing) skip()  { t.fewer(0) }

func (t *typing) fewer(n int) {
	t.mu.Lock()
	t.open -= n
	t.mu.Unlock()
	for _, c := range t.tables {
		t.decideIfFull(c)
	}
}

// hurry decides what is undecided from the pages at hand, now and from now on.
func (t *typing) hurry() {
	t.mu.Lock()
	t.rushed = true
	t.mu.Unlock()
	for _, c := range t.tables {
		t.decideIfFull(c)
	}
}

// typed gives what is to be written of one page. The error is an
// *extract.Problem when a key does not take its column's type.
func (t *typing) typed(ctx context.Context, rows *pageRows) ([]store.TableWrite, error) {
	writes := make([]store.TableWrite, 0, len(rows.tables))
	for i := range rows.tables {
		table := &rows.tables[i]
		c := t.tables[table.Name]
		if err := t.wait(ctx, c, sample{rows.lang, table}); err != nil {
			return nil, err
		}
		write, err := c.write(rows.lang, table)
		if err != nil {
			return nil, err
		}
		writes = append(writes, write)
	}
	return writes, nil
}

// wait returns when the types of a table are decided; the sample helps to.
func (t *typing) wait(ctx context.Context, c *contract, s sample) error {
	if err := t.loadOnce(ctx, c); err != nil {
		return err
	}
	c.mu.Lock()
	if !c.isDecided() {
		c.samples = append(c.samples, s)
		if c.timer == nil {
			c.timer = time.AfterFunc(sampleTime, c.decide)
		}
	}
	c.mu.Unlock()
	t.decideIfFull(c)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.decided:
		return nil
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

func (t *typing) decideIfFull(c *contract) {
	t.mu.Lock()
	enough := min(samplePages, t.open)
	if t.rushed {
		enough = 1
	}
	t.mu.Unlock()
	c.mu.Lock()
	full := len(c.samples) > 0 && len(c.samples) >= enough
	c.mu.Unlock()
	if full {
		c.decide()
	}
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
