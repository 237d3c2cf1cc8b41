package farm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// page is the way of one page, from the claimed URL to rows in the database:
// robots.txt, a tab, the host's turn, the reading, rows with types, one
// transaction. loaded is called when the tab has been given back. The error is
// one that stops the visit; how the page itself ended is in the database.
func (w *work) page(ctx context.Context, v *store.Visit, p store.Page, loaded func()) error {
	defer loaded()
	watch := &stopwatch{start: time.Now()}
	kind, err := kindOf(w.recipe, p.Kind)
	if err != nil {
		return &lackError{err} // a newer tabfarm planned it
	}
	known, err := w.farm.secrets(kind)
	if err != nil {
		return &lackError{err}
	}
	end, err := w.allowed(ctx, v, p)
	if err != nil {
		return errors.Join(passing(err), giveBack(ctx, v, p))
	}
	var rows *pageRows
	if end == nil {
		request, err := w.request(kind, p, known)
		if err != nil {
			return &lackError{err}
		}
		answer, failed, err := w.open(ctx, v, request, watch)
		loaded()
		if ctx.Err() != nil || err != nil {
			return errors.Join(passing(err), giveBack(ctx, v, p))
		}
		reading := time.Now()
		rows, end = read(answer, failed, kind, p.Vars, request.Timeout)
		watch.Type += time.Since(reading)
		end.hide(known)
	}
	host, err := w.judge(ctx, v, end)
	if err == nil && end == nil {
		end, err = rows.follow(ctx, w.recipe, w.inputs, p.URL, w.run.StartedAt)
	}
	if err != nil {
		return errors.Join(err, giveBack(ctx, v, p))
	}
	if end == nil {
		end = success(rows)
	}
	if end.outcome == RefusedAddress && w.foreign() {
		return &lackError{errors.New(end.message)}
	}
	end.hide(known)
	w.recall(ctx, p, end)
	if end.failed() {
		if next, again := w.again(p, end, host); again {
			return w.retry(ctx, v, p, end, next, host, watch)
		}
		rows = nil
		if end.host == busy && p.Pushed > 0 {
			end.message = fmt.Sprintf("%s (asked %d times)", strings.TrimSuffix(end.message, "."), p.Pushed+p.Attempt)
		}
	}
	if host.GiveUp {
		if err := w.giveUp(ctx, v, end); err != nil {
			return errors.Join(err, giveBack(ctx, v, p))
		}
	}
	return w.finish(ctx, v, p, end, rows, watch)
}

// pageRows is what was read of one page: its rows before their types, and its links.
type pageRows struct {
	kind   *recipe.Kind
	lang   string
	shown  string // URL that the page ended up at
	tables []extract.Table
	links  []recipe.FoundLink
	found  []recipe.FoundPage // what the links lead to
}

// allowed asks whether the host may be asked at this pace, then its robots.txt,
// and slows the host down where that asks for it. The error is no fault of the page.
// To fetch robots.txt takes the host's turn.
func (w *work) allowed(ctx context.Context, v *store.Visit, p store.Page) (*ending, error) {
	if end := w.paced(ctx, p.Host); end != nil || !w.recipe.Polite.ObeyRobots {
		return end, nil
	}
	asked := false
	rules, err := w.farm.robots.rules(ctx, w.farm.Store, p.Host, func() error {
		asked = true
		return ask(ctx, v)
	})
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return &ending{outcome: RefusedAddress, message: refused.Error()}, nil
	case err != nil:
		return nil, err
	}
	if end := rules.forbids(p); end != nil {
		return end, nil
	}
	if asked { // the host answers: the page need not wait for what it would probe
		if err := v.Answered(ctx); err != nil {
			return nil, err
		}
	}
	if d := rules.delay(); d > w.recipe.Polite.Delay {
		if _, done := w.slowed.LoadOrStore(p.Host, true); done {
			return nil, nil
		}
		pace := store.Pace{Delay: d, Concurrency: w.recipe.Polite.Concurrency}
		if err := w.farm.Store.SetPace(ctx, w.run.ID, p.Host, pace); err != nil {
			w.slowed.Delete(p.Host) // the next page tries again
			w.farm.Log.Warn("robots.txt's crawl-delay was not written down", "host", p.Host, "error", err)
		}
	}
	return nil, nil
}

// judge tells the host's row what the end of a page says of the host, and people
// when the host is paused for it.
func (w *work) judge(ctx context.Context, v *store.Visit, end *ending) (store.Treatment, error) {
	if end == nil || end.host == answers {
		return store.Treatment{}, v.Answered(ctx)
	}
	if end.host == unasked {
		return store.Treatment{}, nil
	}
	host, err := v.Trouble(ctx, store.Trouble{Reason: string(end.outcome), Busy: end.host == busy, After: end.push})
	if err != nil || !host.Begins {
		return host, err
	}
	w.farm.Log.Info("host only fails and is paused", "host", v.Host, "for", host.Paused, "outcome", end.outcome, "message", end.message, "waiting", host.Waiting)
	w.tell(Event{Host: v.Host, Outcome: end.outcome, Message: end.message, Paused: host.Paused, Waiting: host.Waiting})
	return host, nil
}

// giveUp ends the pages that wait for a host that was paused often enough.
func (w *work) giveUp(ctx context.Context, v *store.Visit, end *ending) error {
	message := fmt.Sprintf("given up: %s has only failed for about an hour, last with: %s", v.Host, end.message)
	ended, err := v.GiveUp(ctx, string(end.outcome), message)
	n := 0
	for _, pages := range ended {
		n += pages
	}
	w.farm.Log.Info("host is given up", "host", v.Host, "outcome", end.outcome, "message", end.message, "pages", n, "runs", len(ended))
	if own := ended[w.run.ID]; own > 0 {
		w.types.ended(1 - own)
		w.tell(Event{Host: v.Host, Outcome: end.outcome, Message: message, GivenUp: own})
	}
	end.message = message
	return err
}

// open borrows a tab, takes the host's turn, and opens the page. The tab comes
// first and the clock is reserved only when it is due: a turn reserved before a
// tab is free would be used late, and the next one would follow too soon.
// failed is how the page failed to load; err is no fault of the page: the
// database, or a browser that does not start any more.
func (w *work) open(ctx context.Context, v *store.Visit, r browserpool.Request, watch *stopwatch) (answer browserpool.Answer, failed, err error) {
	r.Turn = func(ctx context.Context) error { return turn(ctx, v) }
	for {
		var wait time.Duration
		asked := time.Now()
		err = w.farm.Browser.Do(ctx, func(tab *browserpool.Tab) error {
			lent := time.Now()
			watch.Tab += lent.Sub(asked)
			if isClosed(w.worker.drain) {
				return errFar // it was not begun
			}
			var err error
			wait, err = v.TakeTurn(ctx)
			watch.Host += time.Since(lent)
			if err != nil || wait > 0 {
				return err
			}
			answer, failed = tab.Open(ctx, r)
			watch.opened(answer.Spent)
			return nil
		})
		if errors.Is(failed, browserpool.ErrNoBrowser) || errors.Is(failed, browserpool.ErrClosed) {
			failed, err = nil, failed
		}
		if wait == 0 || err != nil {
			return answer, failed, err
		}
		if wait > store.Patience {
			return answer, nil, errFar
		}
		waiting := time.Now()
		if err := w.worker.waitTurn(ctx, wait); err != nil {
			return answer, nil, err
		}
		watch.Host += time.Since(waiting)
	}
}

// errFar says that the host's turn is so far off that the visit ends meanwhile, or
// that the worker is to leave before.
var errFar = errors.New("the host's turn is far off")

// waitTurn waits for a host's turn, without a tab.
func (w *worker) waitTurn(ctx context.Context, d time.Duration) error {
	w.room.away()
	defer w.room.back()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.drain:
		return errFar
	case <-timer.C:
		return nil
	}
}

// passing is an error that ends the visit, without what only ends the page's try.
func passing(err error) error {
	if errors.Is(err, errFar) {
		return nil
	}
	return err
}

// ask waits for the host's turn and takes it, unless it is far off.
func ask(ctx context.Context, v *store.Visit) error {
	for {
		wait, err := v.TakeTurn(ctx)
		if err != nil || wait == 0 {
			return err
		}
		if wait > store.Patience {
			return errFar
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// turn waits for the host's clock and takes it, for a page that goes on asking
// its host for more. Such a page shows that the host answers.
func turn(ctx context.Context, v *store.Visit) error {
	if err := v.Answered(ctx); err != nil {
		return err
	}
	for {
		wait, err := v.TakeTurn(ctx)
		if err != nil || wait == 0 {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// request says what the browser does for a page of this kind.
func (w *work) request(kind *recipe.Kind, p store.Page, known secrets) (browserpool.Request, error) {
	r, err := w.farm.request(kind, p.URL, p.Vars, known, false)
	if err != nil {
		return browserpool.Request{}, err
	}
	r.Group = w.farm.group(fmt.Sprintf("run %d %s", w.run.ID, p.Kind))
	r.HeaderHosts = append(r.HeaderHosts, p.Host)
	if s, ok := w.sessions[kind.Page.Session]; ok {
		r.Cookies, r.Storage = s.cookies, s.storage
	}
	return r, nil
}

// finish stores how a page ended, and its rows with it. Rows that the database
// refuses end the page as store_failed, keys that do not take the table's types
// as bad_value; nothing of such a page is stored.
func (w *work) finish(ctx context.Context, v *store.Visit, p store.Page, end *ending, rows *pageRows, watch *stopwatch) error {
	result := func() store.PageResult {
		return store.PageResult{
			Page: p, Outcome: string(end.outcome), Message: end.message, OK: !end.failed(),
			Proof: string(end.proof), StatedTotal: end.total, Rows: end.rows, Seconds: watch.took().Seconds(),
		}
	}
	added, err := w.save(ctx, v, result(), rows, watch)
	if refusal := refused(err); refusal != nil {
		end = refusal
		added, err = w.save(ctx, v, result(), nil, watch)
	}
	switch {
	case errors.Is(err, store.ErrFenced):
		return nil // the page is another worker's now, and will be counted there
	case err != nil && ctx.Err() != nil:
		return giveBack(ctx, v, p)
	case err != nil:
		return err
	}
	w.types.ended(added)
	w.tell(Event{
		Address: p.Address, Outcome: end.outcome, Message: end.message, Rows: end.rows,
		Proof: end.proof, Took: watch.took(), Phases: watch.Phases, Last: true, Failed: end.failed(), Found: added,
	})
	return nil
}

// save types the rows and stores them, and the pages that its links lead to, with
// the page's end in one transaction. added is how many pages are pending by it.
// When another page changed the table in between, the rows are typed again.
func (w *work) save(ctx context.Context, v *store.Visit, r store.PageResult, rows *pageRows, watch *stopwatch) (added int, err error) {
	found, links, err := w.found(rows)
	if err != nil {
		return 0, err
	}
	r.Links = links
	for tries := 0; ; tries++ {
		if rows != nil {
			typing := time.Now()
			writes, err := w.types.typed(ctx, rows)
			watch.Type += time.Since(typing)
			if err != nil {
				return 0, err
			}
			r.Tables = writes
		}
		storing := time.Now()
		_, added, err = v.FinishFinding(ctx, r, found)
		watch.Store += time.Since(storing)
		if !errors.Is(err, store.ErrContract) || tries == contractTries {
			return added, err
		}
		if err := w.types.reload(ctx, rows.tables); err != nil {
			return 0, err
		}
	}
}

// refused words the end of a page whose rows cannot be stored as they are, nil
// for any other error.
func refused(err error) *ending {
	var problem *extract.Problem
	var statement *store.StatementError
	switch {
	case errors.As(err, &problem):
		return &ending{outcome: Outcome(problem.Outcome), message: problem.Message}
	case errors.As(err, &statement), errors.Is(err, store.ErrContract):
		return &ending{outcome: StoreFailed, message: "the database refused the rows: " + err.Error()}
	}
	return nil
}

// retry puts a page back for later.
func (w *work) retry(ctx context.Context, v *store.Visit, p store.Page, end *ending, next another, host store.Treatment, watch *stopwatch) (err error) {
	if next.free {
		err = v.Wait(ctx, p.ID, next.wait, next.pushed, string(end.outcome), end.message)
	} else {
		err = v.Retry(ctx, p.ID, next.wait, string(end.outcome), end.message)
	}
	switch {
	case errors.Is(err, store.ErrFenced):
		return nil
	case err != nil:
		return err
	}
	w.tell(Event{Address: p.Address, Outcome: end.outcome, Message: end.message, Retry: max(next.wait, host.Push, host.Paused), Took: watch.took(), Phases: watch.Phases})
	return nil
}

// giveBack returns a page that was interrupted; the try does not count.
func giveBack(ctx context.Context, v *store.Visit, p store.Page) error {
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := v.GiveBack(bye, p.ID); err != nil && !errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil
}

func kindOf(r *recipe.Recipe, name string) (*recipe.Kind, error) {
	for i := range r.Kinds {
		if r.Kinds[i].Name == name {
			return &r.Kinds[i], nil
		}
	}
	return nil, fmt.Errorf("find kind of pages %q: recipe %s has none of this name", name, r.Name)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
