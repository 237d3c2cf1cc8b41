package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo-terminal of 120 columns: what is written to the
// second file is read from the first.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	return master, terminal
}

// On a terminal there is a bar, which is gone when the summary is printed.
func (at *place) testTerminal(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	master, terminal := openTerminal(t)
	cmd, stdout, _ := p.command("run", "days.yaml", "--tabs", "4")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stderr = terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	screen, err := io.ReadAll(master)
	if err != nil && !errors.Is(err, syscall.EIO) { // Linux's word for the other side being closed
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != exitOK {
		t.Fatalf("exit code %d; said\n%s%s", code, stdout, screen)
	}
	for _, want := range []string{`\[> {17}\] 0/40 pages  0 rows`, `\[=+> *\] \d+/40 pages  \d+ rows  [\d.]+/(s|min)  \d+ s left`} {
		if !regexp.MustCompile(want).Match(screen) {
			t.Errorf("the screen lacks %s:\n%q", want, screen)
		}
	}
	if want := "days  40 of 40 pages ok\n"; !regexp.MustCompile(`^` + want).MatchString(stdout.String()) {
		t.Errorf("standard output says %q", stdout)
	}
}
