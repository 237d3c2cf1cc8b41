package browserpool

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
)

// CrashRenderer makes the renderer of the tab's target crash.
func (t *Tab) CrashRenderer() { send(t.target.session, page.Crash, cdp.Empty{}).forget() }

// CrashFrames makes the renderers of frames crash that are targets of their own.
func (t *Tab) CrashFrames() {
	t.target.mu.Lock()
	v := t.target.visit
	t.target.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.sessions {
		send(s, page.Crash, cdp.Empty{}).forget()
	}
}

// CloseTarget closes the tab's target under it, as a page does that closes itself.
func (t *Tab) CloseTarget() {
	send(t.target.chrome.mux.root, target.CloseTarget, target.CloseTargetParams{TargetID: t.target.id}).forget()
}

// Isolated gives each site a process of its own, so that frames of other sites are
// targets of their own. Headless shells do not do that by themselves.
func (c Config) Isolated() Config {
	c.isolated = true
	return c
}

// SetMaxPayload makes the limit smaller, so that a test need not send 64 MB.
func (p *Pool) SetMaxPayload(n int) { p.maxPayload = n }

// SetMaxTargets renews browsers sooner.
func (p *Pool) SetMaxTargets(n int64) { p.maxTargets = n }

// BrowserPID is the main process of the tab's browser, 0 when it has none yet.
func (t *Tab) BrowserPID() int {
	if t.slot.current == nil {
		return 0
	}
	return t.slot.current.cmd.Process.Pid
}

// Targets counts the pages that are open in the tab's browser.
func (t *Tab) Targets(ctx context.Context) (int, error) {
	got, err := run(ctx, t.slot.current.mux.root, target.GetTargets, target.GetTargetsParams{})
	n := 0
	for _, info := range got.TargetInfos {
		if info.Type == "page" {
			n++
		}
	}
	return n, err
}

// ReadMachine reads limits from a file system of the test's own.
var ReadMachine = readMachine

// Size gives the shape of a pool on a machine.
func (m machine) Size(processes, tabs, perProcess int) (int, int) {
	return m.size(processes, tabs, perProcess)
}

// Machine makes one.
func Machine(cores float64, memory int64) machine { return machine{cores, memory} }

// Limits tells what was read.
func (m machine) Limits() (float64, int64) { return m.cores, m.memory }

// ReadBusy and ReadGroups read CPU time from a file system of the test's own.
var (
	ReadBusy   = readBusy
	ReadGroups = readGroups
)
