package extract_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestTimersBroughtForward: a page that waits for nothing but a timer of its own need
// not wait. Whatever the timer looks at, the page shows what it would have shown.
func TestTimersBroughtForward(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, script string }{
		{"its arguments", `setTimeout((from, n) => add(make(from, n)), 700, 50, 50);`},
		{"the clock", `const begun = Date.now(); setTimeout(() => { if (Date.now() - begun >= 700) more(); }, 700);`},
		{"a new date", `const begun = new Date(); setTimeout(() => { const date = new Date(); if (date - begun >= 700 && date instanceof Date && new Date(5) - 0 === 5) more(); }, 700);`},
		{"the time since the page began", `const begun = performance.now(); setTimeout(() => { if (performance.now() - begun >= 700) more(); }, 700);`},
		{"a clock of which it has kept hold", `const clock = performance.now.bind(performance), begun = clock();
			const later = () => { const left = begun + 600 - clock(); if (left > 0) setTimeout(later, left); else more(); };
			setTimeout(later, 600);`},
		{"clocks that are frozen", `Object.freeze(Date); Object.freeze(Performance.prototype); const begun = Date.now(); setTimeout(() => { if (Date.now() - begun >= 600) more(); }, 600);`},
		{"another timer before it", `let first = false; setTimeout(() => { if (first) more(); }, 500); setTimeout(() => { first = true; }, 300);`},
		{"a long timer before it", `let first = false; setTimeout(() => { first = true; }, 1000);
			setTimeout(() => setTimeout(() => { if (first) more(); }, 950), 100);`},
		{"an interval before it", `let rounds = 0; const each = setInterval(() => { if (++rounds === 3) clearInterval(each); }, 150); setTimeout(() => { if (rounds === 3) more(); }, 800);`},
		{"an interval that goes on", `const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)); // is left out once
			let rounds = 0; wait(100); const each = setInterval(() => { if (++rounds === 3) clearInterval(each); }, 150); wait(900).then(() => { if (rounds === 3) more(); });`},
		{"an interval that it ends", `const each = setInterval(() => body().replaceChildren(), 300); setTimeout(() => { clearInterval(each); more(); }, 200);`},
		{"one that it ends", `setTimeout(() => { clearTimeout(emptied); more(); }, 300); const emptied = setTimeout(() => body().replaceChildren(), 600);`},
		{"one that ends itself", `const id = setTimeout(() => { clearTimeout(id); more(); }, 700);`},
		{"a promise that follows", `new Promise((resolve) => setTimeout(resolve, 600)).then(() => new Promise((resolve) => setTimeout(resolve, 300))).then(more);`},
		{"a request that follows", `setTimeout(() => get(50).then(add), 700);`},
		{"a request before it", `let got = []; get(50).then((rows) => { got = rows; }); setTimeout(() => add(got), 900);`},
		{"a table that is drawn anew", `setTimeout(() => { body().replaceChildren(); setTimeout(() => add(make(0, 100)), 300); }, 300);`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := "add(make(0, 50)); const more = () => add(make(50, 50));\n" + test.script
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf(shell, script)), "/rows": figures(50, 400*time.Millisecond)})
			wantRowsOf(t, url+"/", 100)
		})
	}
}

// clock gives a page a clock that tabfarm does not know: ahead() are the ms that were
// left out.
const clock = `const ahead = (() => {
		const frame = document.createElement('iframe');
		document.body.append(frame);
		const real = frame.contentWindow.performance.now.bind(performance);
		frame.remove();
		return () => performance.now() - real();
	})();
`

// TestNoTimeIsLeftOut while something else may come: a row more tells of a timer that
// came too early for it.
func TestNoTimeIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, test := range moreLater {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := clock + `add(make(0, 50)); let came = false;
				const more = () => { if (!came) add(make(50, 50)); came = true; }; window.more = more;
				setTimeout(() => { if (!came && ahead() > 10) add([['too early', '']]); }, 900);` + "\n" + test.script
			wantRowsOf(t, laterPage(t, script), 100)
		})
	}
}

// TestTimerComesBeforeItsTime: a page without anything else to do does not wait for
// its timer, and all clocks that it can read say that it did. That a machine is too
// slow to be earlier than the timer five times in a row is not expected.
func TestTimerComesBeforeItsTime(t *testing.T) {
	t.Parallel()
	script := clock + `add(make(0, 1));
		setTimeout(() => {
			if (ahead() > 10 && Math.abs(new Event('x').timeStamp - performance.now()) < 10 && Math.abs(new Date() - performance.timeOrigin - performance.now()) < 10)
				requestAnimationFrame((at) => { if (Math.abs(at - performance.now()) < 100) add(make(1, 1)); });
		}, 990);`
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf(shell, script))})
	rows := 0
	for try := 0; try < 5 && rows < 2; try++ {
		rows = len(tableOf(t, url+"/").Rows)
	}
	if rows != 2 {
		t.Error("no timer came before its time with all clocks put forward")
	}
}

// TestPollIsNotBroughtForward: what a page asks its host again and again is not asked
// for more often because the page has nothing else to do.
func TestPollIsNotBroughtForward(t *testing.T) {
	t.Parallel()
	const pause = 300 * time.Millisecond
	var polls atomic.Int64
	var begun atomic.Pointer[time.Time]
	url := pages(t, map[string]http.HandlerFunc{
		"/{$}": document(fmt.Sprintf(shell, fmt.Sprintf(`add(make(0, 100)); const poll = async () => { await fetch('/poll'); setTimeout(() => poll(), %d); }; poll();`, pause.Milliseconds()))),
		"/poll": func(http.ResponseWriter, *http.Request) {
			now := time.Now()
			begun.CompareAndSwap(nil, &now)
			polls.Add(1)
		},
	})
	wantRowsOf(t, url+"/", 100)
	if most := int64(time.Since(*begun.Load())/pause) + 2; polls.Load() > most {
		t.Errorf("%d polls, want %d at most", polls.Load(), most)
	}
}
