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

// processesOf lists the processes of a group when one of them is known to be of
// the browser in home: by the profile in its command line or, because Chrome's
// children have none there, by the home in the environment they were started
// with. The number of a group is not given anew while a process is in it, so one
// that is known vouches for all.
func processesOf(pgid int, home string) []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var pids []int
	known := false
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if group, err := syscall.Getpgid(pid); err != nil || group != pgid {
			continue
		}
		pids = append(pids, pid)
		known = known || holds(filepath.Join(dir, "cmdline"), profileFlag(home)) || holds(filepath.Join(dir, "environ"), "HOME="+home)
	}
	if !known {
		return nil
	}
	return pids
}

// holds says that one of the zero-ended words of a file is word.
func holds(name, word string) bool {
	b, err := os.ReadFile(name)
	if err != nil {
		return false
	}
	for part := range bytes.SplitSeq(b, []byte{0}) {
		if string(part) == word {
			return true
		}
	}
	return false
}
