package browserpool

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is what was used of the machine's CPUs up to a moment, in CPU time. The
// difference of two tells who kept them busy in between.
type CPU struct {
	Own  time.Duration // by this process, the browsers of the pool, and children that have ended
	Busy time.Duration // by whoever on the machine
	// Cores are those of the machine, Usable those that this process may use, with
	// fractions where a cgroup gives them.
	Cores, Usable float64
}

// CPU asks the system; false where it does not tell, as outside Linux.
func (p *Pool) CPU() (CPU, bool) {
	var groups []int
	for _, s := range p.slots {
		if b := s.shown.Load(); b != nil && b.alive() {
			groups = append(groups, b.cmd.Process.Pid)
		}
	}
	root := os.DirFS("/")
	busy, cores := readBusy(root)
	if cores == 0 {
		return CPU{}, false
	}
	c := CPU{Own: time.Duration(p.stats.ended.Load()), Busy: busy, Cores: float64(cores), Usable: readMachine(root, runtime.NumCPU()).cores}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if syscall.Getrusage(who, &used) != nil {
			return CPU{}, false
		}
		c.Own += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	for _, used := range readGroups(root, groups) {
		c.Own += used
	}
	return c, true
}

// cpu is the CPU time of a browser that lives, with all its processes.
func (c *chrome) cpu() time.Duration {
	pid := c.cmd.Process.Pid
	return readGroups(os.DirFS("/"), []int{pid})[pid]
}

// tick is the unit of CPU time in /proc, on every Linux.
const tick = 10 * time.Millisecond

// readBusy gives the time that the CPUs of the machine were not idle, together, and
// their number; 0 where the system does not tell. What a host of virtual machines
// kept for others counts as busy.
func readBusy(root fs.FS) (busy time.Duration, cores int) {
	for line := range strings.Lines(readText(root, "proc/stat")) {
		name, rest, _ := strings.Cut(line, " ")
		switch fields := strings.Fields(rest); {
		case name == "cpu" && len(fields) >= 8:
			// user nice system idle iowait irq softirq steal; what guests use is in user
			for _, i := range []int{0, 1, 2, 5, 6, 7} {
				busy += time.Duration(number(fields[i])) * tick
			}
		case strings.HasPrefix(name, "cpu"):
			cores++
		}
	}
	if busy == 0 {
		return 0, 0
	}
	return busy, cores
}

// readGroups gives what the processes of some groups have used, by group: those that
// live, and those that they have waited for.
func readGroups(root fs.FS, groups []int) map[int]time.Duration {
	used := map[int]time.Duration{}
	for _, g := range groups {
		used[g] = 0
	}
	names, err := fs.Glob(root, "proc/[0-9]*")
	if err != nil || len(groups) == 0 {
		return used
	}
	for _, name := range names {
		// The name of a program may have blanks and brackets in it; it ends at the last one.
		text := readText(root, path.Join(name, "stat"))
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) < 15 {
			continue // it has ended since
		}
		group, err := strconv.Atoi(fields[2])
		if _, ok := used[group]; err != nil || !ok {
			continue
		}
		for _, field := range fields[11:15] { // user and system, of itself and of those it waited for
			used[group] += time.Duration(number(field)) * tick
		}
	}
	return used
}

// Since is what was used after an earlier moment.
func (c CPU) Since(earlier CPU) CPU {
	c.Own, c.Busy = max(c.Own-earlier.Own, 0), max(c.Busy-earlier.Busy, 0)
	return c
}
