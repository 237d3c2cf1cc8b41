package browserpool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttributes makes the kernel kill the browser when we die without
// having ended it.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// reap waits for the end of the main process, kills the rest of its group, and
// returns how it ended. The group is killed before the main process is reaped,
// while its number cannot yet be anyone else's.
func (p *process) reap() error {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.kill()
	return p.cmd.Wait()
}

// processesOf lists the processes of a group that have flag as one of their
// arguments. A wrapper script that started Chrome has it as well.
func processesOf(pgid int, flag string) []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if group, err := syscall.Getpgid(pid); err != nil || group != pgid {
			continue
		}
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err == nil && bytes.Contains(append(line, 0), append([]byte(flag), 0)) {
			pids = append(pids, pid)
		}
	}
	return pids
}
