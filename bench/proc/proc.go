//go:build linux

// Package proc owns what a measurement reads of processes: the CPU time and the
// memory of a process and of all below it, from /proc. It starts and ends none.
//
// A process that the tree has let go (its parent ended and init took it) is not
// part of it any more; one that ended is counted through the parent that waited
// for it.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of the times in /proc/PID/stat: USER_HZ, which is 100
// on all that Go runs on.
const ticksPerSecond = 100

// Usage is what a tree of processes has used and holds.
type Usage struct {
	CPU       time.Duration // user and system, of those that ended too
	PSS       int64         // bytes; what several share is divided among them
	Processes int
}

// stat is what is read of one process.
type stat struct {
	pid, parent int
	cpu         time.Duration
}

// Read gives the usage of the trees below the pids, these with them. A pid that is
// no more is left out; pids below each other are counted once.
func Read(pids ...int) (Usage, error) {
	trees, err := usages(pids, true)
	if err != nil {
		return Usage{}, err
	}
	return Moment{Trees: trees}.all(), nil
}

// CPU is Read without the memory, which costs the kernel a look at every page.
func CPU(pids ...int) (time.Duration, error) {
	trees, err := usages(pids, false)
	return Moment{Trees: trees}.all().CPU, err
}

// Tree lists the processes of the trees.
func Tree(pids ...int) ([]int, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	var tree []int
	for _, t := range trees(all, pids) {
		for _, s := range t {
			tree = append(tree, s.pid)
		}
	}
	return tree, nil
}

// usages gives the usage of each tree.
func usages(pids []int, memory bool) ([]Usage, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	usages := make([]Usage, len(pids))
	for i, tree := range trees(all, pids) {
		u := &usages[i]
		u.Processes = len(tree)
		for _, s := range tree {
			u.CPU += s.cpu
			if !memory {
				continue
			}
			pss, err := pss(s.pid)
			if err != nil {
				return nil, err
			}
			u.PSS += pss
		}
	}
	return usages, nil
}

// trees finds the processes of each tree. What is in one is in no later one.
func trees(all map[int]stat, pids []int) [][]stat {
	children := map[int][]int{}
	for _, s := range all {
		children[s.parent] = append(children[s.parent], s.pid)
	}
	seen := map[int]bool{}
	trees := make([][]stat, len(pids))
	for i, pid := range pids {
		for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
			s, lives := all[queue[0]]
			if !lives || seen[s.pid] {
				continue
			}
			seen[s.pid] = true
			trees[i] = append(trees[i], s)
			queue = append(queue, children[s.pid]...)
		}
	}
	return trees
}

// processes are all of the machine that are seen from here, by their pid.
func processes() (map[int]stat, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	names, err := proc.Readdirnames(-1)
	if err := errors.Join(err, proc.Close()); err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := map[int]stat{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue // what is no process
		}
		text, err := os.ReadFile("/proc/" + name + "/stat")
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read process %d: %w", pid, err)
		}
		if all[pid], err = parse(pid, text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// parse reads the line of /proc/PID/stat. The program's name stands in brackets
// and may hold brackets and spaces itself, so that the fields begin after the last.
func parse(pid int, text []byte) (stat, error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const parent, utime, cstime = 1, 11, 14 // counted from the state, field 3 of the line
	if len(fields) <= cstime {
		return stat{}, fmt.Errorf("read process %d: %q has too few fields", pid, text)
	}
	s := stat{pid: pid}
	var err error
	if s.parent, err = strconv.Atoi(fields[parent]); err != nil {
		return stat{}, fmt.Errorf("read the parent of process %d: %w", pid, err)
	}
	for _, field := range fields[utime : cstime+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("read the times of process %d: %w", pid, err)
		}
		s.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	return s, nil
}

// pss is the memory of a process in bytes, 0 where it has ended: a zombie's file
// is empty.
func pss(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if figure, ok := strings.CutPrefix(line, "Pss:"); ok {
			kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(figure), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
			}
			return kB << 10, nil
		}
	}
	return 0, nil
}

// gone says that a process ended between being listed and being read.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
