package browserpool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
)

// How long the steps of a browser's life may take. A loaded machine needs
// several seconds to start Chrome; a healthy one 0.2 s.
const (
	startLimit  = 30 * time.Second
	outputLimit = 2 * time.Second // for the rest of its output after it was killed
)

// process is a running browser: its processes, its folder and its pipe. end, or
// the browser's own end, leads to gone, after which nothing of it is left.
type process struct {
	mux    *mux
	cmd    *exec.Cmd
	home   string
	output *tail
	folder *folder

	once    sync.Once
	exited  chan struct{} // closed when the browser's main process has ended
	gone    chan struct{} // closed when its group, its goroutines and its folder are gone
	exitErr error         // of cmd.Wait, valid after exited
	dirErr  error         // of removing the folder, valid after gone
}

// startProcess starts browser number n of a pool and waits until it answers.
func startProcess(ctx context.Context, c Config, b Browser, run user, f *folder, n int) (*process, error) {
	home, err := f.home(n, run)
	if err != nil {
		return nil, err
	}
	p := &process{home: home, folder: f, output: newTail(), exited: make(chan struct{}), gone: make(chan struct{})}
	p.cmd = exec.Command(b.Path, flags(c, b, profileDir(home))...)
	p.cmd.Dir = home
	p.cmd.Env = environment(home)
	p.cmd.SysProcAttr = processAttributes()
	run.apply(p.cmd.SysProcAttr)
	if err := p.start(); err != nil {
		return nil, &StartError{Path: b.Path, Err: errors.Join(err, f.discard(home)), Hint: startHint(err, run)}
	}
	if err := f.note(home, p.cmd.Process.Pid); err != nil {
		p.end()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := run0(ctx, p); err != nil {
		died := false
		select {
		case <-p.exited:
			died = true
		case <-time.After(100 * time.Millisecond): // the pipe can end a moment before the process
		}
		p.end()
		if died && p.exitErr != nil {
			err = fmt.Errorf("browser ended: %w", p.exitErr)
		}
		out := p.output.String()
		return nil, &StartError{Path: b.Path, Err: err, Output: out, Hint: outputHint(out)}
	}
	return p, nil
}

// run0 asks the browser for its version, the first sign of life.
func run0(ctx context.Context, p *process) (browser.GetVersionResult, error) {
	return run(ctx, p.mux.root, browser.GetVersion, cdp.Empty{})
}

// start makes the pipes and the process. From then on one goroutine owns the
// process and cleans up after it.
func (p *process) start() error {
	var files []*os.File
	closeAll := func(list ...*os.File) {
		for _, f := range list {
			f.Close() //nolint:errcheck // pipes
		}
	}
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files...)
			return fmt.Errorf("make pipe: %w", err)
		}
		files = append(files, r, w)
	}
	commandR, commandW, answerR, answerW, outputR, outputW := files[0], files[1], files[2], files[3], files[4], files[5]
	p.cmd.ExtraFiles = []*os.File{commandR, answerW} // descriptors 3 and 4, where Chrome looks for them
	p.cmd.Stdout, p.cmd.Stderr = outputW, outputW

	started := make(chan error)
	go func() {
		// The kernel kills Chrome when the thread that started it ends (Pdeathsig),
		// so this goroutine keeps its thread until Chrome has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		closeAll(commandR, answerW, outputW)
		if err == nil {
			p.mux = newMux(answerR, commandW)
			p.output.follow(outputR)
		}
		started <- err
		if err == nil {
			p.watch()
		}
	}()
	if err := <-started; err != nil {
		closeAll(commandW, answerR, outputR)
		return fmt.Errorf("start process: %w", err)
	}
	return nil
}

// watch waits for the end of the main process and removes what is left. A killed
// main process leaves children that hold the pipes open, so reap kills the group.
func (p *process) watch() {
	p.exitErr = p.reap()
	close(p.exited)
	p.mux.close()
	p.output.finish(outputLimit)
	p.dirErr = p.folder.discard(p.home)
	close(p.gone)
}

// kill ends all processes of the browser.
func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// end kills the browser and waits until nothing of it is left. There is no
// gentle end: nothing in a profile is ever read again.
func (p *process) end() {
	p.once.Do(func() {
		select {
		case <-p.exited:
		default:
			p.kill()
		}
	})
	<-p.gone
}

// environment is what Chrome gets of ours: what it needs to find its way, and no
// secret. Its home and temporary files are in its own folder.
func environment(home string) []string {
	env := []string{
		"HOME=" + home, "TMPDIR=" + filepath.Join(home, "tmp"), "XDG_CONFIG_HOME=" + home, "XDG_CACHE_HOME=" + home,
		"DBUS_SESSION_BUS_ADDRESS=/dev/null", // else Chrome starts and asks a bus
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "LC_") || slices.Contains([]string{"PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CHROME_DEVEL_SANDBOX"}, name) {
			env = append(env, kv)
		}
	}
	return env
}

// startHint says what to do when the process could not even be made.
func startHint(err error, run user) string {
	if run.switched && errors.Is(err, os.ErrPermission) {
		return fmt.Sprintf("As root the browser runs as user %q, who must be able to read the binary and pass through the folders above the profile folder", run.name)
	}
	return ""
}

// outputHint reads Chrome's own last words, the only place where it says why it
// does not start.
func outputHint(out string) string {
	switch {
	case strings.Contains(out, "No usable sandbox"), strings.Contains(out, "Failed to move to new namespace"), strings.Contains(out, "Operation not permitted"):
		return "Chrome's sandbox needs user namespaces. Allow them (sysctl kernel.apparmor_restrict_unprivileged_userns=0 or user.max_user_namespaces above 0; in a container a seccomp profile that allows clone and unshare), or turn the sandbox off with browser.sandbox: off, if all pages are trusted"
	case strings.Contains(out, "error while loading shared libraries"):
		return "A library is missing; install the browser with the system's package manager"
	}
	return ""
}
