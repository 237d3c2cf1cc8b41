//go:build unix && !linux

package browserpool

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processAttributes has nothing to add: only Linux can tie the life of a child
// to ours. Chrome ends by itself when its pipe closes.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// reap waits for the end of the main process, kills the rest of its group, and
// returns how it ended.
func (p *process) reap() error {
	err := p.cmd.Wait()
	p.kill()
	return err
}

// processesOf lists the processes of a group that name the browser's profile in
// their command line.
func processesOf(pgid int, home string) []int {
	flag := profileFlag(home)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-axww", "-o", "pid=,pgid=,command=").Output()
	if err != nil {
		return nil
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != strconv.Itoa(pgid) || !strings.Contains(line+" ", flag+" ") {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
