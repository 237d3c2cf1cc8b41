package browserpool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	cdpinput "github.com/chromedp/cdproto/input"
	cdpruntime "github.com/chromedp/cdproto/runtime"
)

// maxKept is the longest text, in bytes, that a script may leave for the script of
// the next document.
const maxKept = 1 << 20

// act is one input of a message "input": of Mouse, Key and Text one is set.
type act struct {
	// Mouse is moved, pressed or released, at X and Y in CSS pixels of the viewport.
	Mouse string  `json:"mouse"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`

	Key     string `json:"key"`     // DOM name of a key that is pressed and released, as Enter
	Code    string `json:"code"`    // of the physical key, as KeyA
	KeyCode int64  `json:"keyCode"` // Windows virtual key code
	Char    string `json:"char"`    // what the key writes, "" for none

	Text string `json:"text"` // what comes to stand in the field that has the focus
}

// send queues the commands of an input.
func (a act) send(s *session) []*call {
	switch {
	case a.Mouse != "":
		p := cdpinput.DispatchMouseEventParams{X: a.X, Y: a.Y, Type: cdpinput.DispatchMouseEventTypeMouseMoved}
		switch a.Mouse {
		case "pressed":
			p.Type, p.Button, p.Buttons, p.ClickCount = cdpinput.DispatchMouseEventTypeMousePressed, cdpinput.MouseButtonLeft, 1, 1
		case "released":
			p.Type, p.Button, p.ClickCount = cdpinput.DispatchMouseEventTypeMouseReleased, cdpinput.MouseButtonLeft, 1
		}
		return []*call{send(s, cdpinput.DispatchMouseEvent, p)}
	case a.Key != "":
		p := cdpinput.DispatchKeyEventParams{
			Key: a.Key, Code: a.Code, WindowsVirtualKeyCode: a.KeyCode, NativeVirtualKeyCode: a.KeyCode,
			Type: cdpinput.DispatchKeyEventTypeRawKeyDown,
		}
		down := p
		if a.Char != "" {
			down.Type, down.Text, down.UnmodifiedText = cdpinput.DispatchKeyEventTypeKeyDown, a.Char, a.Char
		}
		p.Type = cdpinput.DispatchKeyEventTypeKeyUp
		return []*call{send(s, cdpinput.DispatchKeyEvent, down), send(s, cdpinput.DispatchKeyEvent, p)}
	}
	return []*call{send(s, cdpinput.InsertText, cdpinput.InsertTextParams{Text: a.Text})}
}

// input gives a person's input to the page.
func (v *visit) input(n int, text string) {
	var acts []act
	if err := json.Unmarshal([]byte(text), &acts); err != nil {
		v.failLocked(errors.New("read input of the script: no list of inputs")) // its text may be a password
		return
	}
	var calls []*call
	for _, a := range acts {
		calls = append(calls, a.send(v.target.session)...)
	}
	v.did(n, func(ctx context.Context) error {
		for _, c := range calls {
			if err := c.wait(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// runInPage runs a source in the page's own world.
func (v *visit) runInPage(n int, source string) {
	c := send(v.target.session, cdpruntime.Evaluate, cdpruntime.EvaluateParams{
		Expression: source, AwaitPromise: new(true), ReturnByValue: new(false), UserGesture: new(true),
	})
	v.did(n, func(ctx context.Context) error {
		var result struct {
			Details *struct {
				Text      string `json:"text"`
				Exception struct {
					Description string `json:"description"`
					Value       any    `json:"value"`
				} `json:"exception"`
			} `json:"exceptionDetails"`
		}
		if err := c.wait(ctx, &result); err != nil || result.Details == nil {
			return err
		}
		word := result.Details.Exception.Description
		if value := result.Details.Exception.Value; word == "" && value != nil {
			word = fmt.Sprint(value)
		}
		const rejected = "Uncaught (in promise)" // Chrome says behind it what comes again, or not
		if strings.HasPrefix(result.Details.Text, rejected) {
			return errors.New(cut(rejected+" "+word, 1000))
		}
		return errors.New(cut(result.Details.Text+" "+word, 1000))
	})
}

// did waits for commands beside the reader and tells the script how they ended. A
// document that has been left is told nothing.
func (v *visit) did(n int, wait func(ctx context.Context) error) {
	doc := v.doc
	v.inputs++
	v.wantFrames()
	v.wg.Go(func() {
		word := ""
		if err := wait(v.ctx); err != nil {
			word = err.Error()
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.inputs--
		if v.doc == doc && !v.over {
			v.callScript("__tabfarm_did", n, word)
		}
	})
}

// keep holds a text for the script of the next document.
func (v *visit) keep(text string) {
	if len(text) > maxKept {
		v.failLocked(fmt.Errorf("keep text of the script: %d bytes are more than %d", len(text), maxKept))
		return
	}
	v.kept = text
}

// part takes the payload as it stands as one part of the page's; more follow, of
// this document or of one that it leads to.
func (v *visit) part() {
	if !v.read.complete() {
		v.failLocked(fmt.Errorf("read payload: part came after %d of %d pieces", v.read.next, len(v.read.parts)))
		return
	}
	v.parts = append(v.parts, []byte(v.read.text()))
	v.partBytes += v.read.bytes
	v.read.parts, v.read.next, v.read.bytes, v.read.on = nil, 0, 0, false
	v.net.keep()
}

// callScript calls a function of the reading script, if it defined it.
func (r *reader) callScript(name string, args ...any) {
	list := ""
	for i, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			return // numbers and texts always encode
		}
		if i > 0 {
			list += ", "
		}
		list += string(text)
	}
	r.evaluate("globalThis." + name + "?.(" + list + ")").forget()
}
