package browserpool

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// The shape of a pool that is not told its size. Two tabs a core: more gave no
// more pages per second on a page without network latency. Four tabs a process
// where frames come by themselves: the number of processes made no difference in
// speed, so it is chosen for what a dying browser takes with it. One where they are
// asked for (draw.go).
const (
	tabsPerCore    = 2
	tabsPerProcess = 4

	processMemory = 120 << 20 // bytes of a browser without tabs; 40 of each further one
	tabMemory     = 200 << 20 // bytes of a tab on a heavy page
)

// machine is what a pool may use: cores, with fractions where a cgroup gives
// them, and memory in bytes.
type machine struct {
	cores  float64
	memory int64
}

// size gives the number of processes and tabs that fit m, with so many tabs a
// process. A number that is already given is kept, and there is always one of each.
func (m machine) size(processes, tabs, perProcess int) (int, int) {
	if tabs == 0 {
		tabs = int(math.Ceil(m.cores * tabsPerCore))
		if m.memory > 0 {
			// Half of the memory is for the browsers; the program, Postgres and
			// the page cache live in the other half.
			perTab := int64(tabMemory + processMemory/perProcess)
			tabs = min(tabs, int(m.memory/2/perTab))
		}
		tabs = max(tabs, processes, 1)
	}
	if processes == 0 {
		processes = (tabs + perProcess - 1) / perProcess
	}
	return min(processes, tabs), tabs
}

// readMachine reads what the limits of this process leave of the machine. root
// is the file system's root, cores the number of usable CPUs. Memory is 0 where
// the system does not tell.
func readMachine(root fs.FS, cores int) machine {
	m := machine{cores: float64(cores), memory: memTotal(root)}
	v2, v1 := cgroups(root)
	for _, dir := range upwards("sys/fs/cgroup", v2) {
		m.limitMemory(readNumber(root, path.Join(dir, "memory.max")))
		quota, period, _ := strings.Cut(readText(root, path.Join(dir, "cpu.max")), " ")
		m.limitCores(number(quota), number(period))
	}
	for _, dir := range upwards("sys/fs/cgroup/memory", v1["memory"]) {
		m.limitMemory(readNumber(root, path.Join(dir, "memory.limit_in_bytes")))
	}
	for _, dir := range upwards("sys/fs/cgroup/cpu", v1["cpu"]) {
		m.limitCores(readNumber(root, path.Join(dir, "cpu.cfs_quota_us")), readNumber(root, path.Join(dir, "cpu.cfs_period_us")))
	}
	return m
}

func (m *machine) limitMemory(bytes int64) {
	if bytes > 0 && (m.memory == 0 || bytes < m.memory) {
		m.memory = bytes
	}
}

func (m *machine) limitCores(quota, period int64) {
	if quota > 0 && period > 0 {
		m.cores = min(m.cores, float64(quota)/float64(period))
	}
}

// cgroups reads the groups of this process: the path in the unified hierarchy
// (version 2), and the paths by controller (version 1).
func cgroups(root fs.FS) (v2 string, v1 map[string]string) {
	v1 = map[string]string{}
	for line := range strings.Lines(readText(root, "proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[1] == "" {
			v2 = parts[2]
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			v1[controller] = parts[2]
		}
	}
	return v2, v1
}

// upwards lists the folder of a group and of all groups above it, for each may
// have a limit. Inside a container the path may name a group that is not to be
// seen there; the mount itself is the container's group then, and is in the list.
func upwards(mount, group string) []string {
	dirs := []string{mount}
	at := mount
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+group), "/"), "/") {
		if part != "" {
			at = path.Join(at, part)
			dirs = append(dirs, at)
		}
	}
	return dirs
}

func memTotal(root fs.FS) int64 {
	for line := range strings.Lines(readText(root, "proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return number(kb) << 10
		}
	}
	return 0
}

func readText(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func readNumber(root fs.FS, name string) int64 { return number(readText(root, name)) }

// number is 0 for what is no number: "max", an absent file. -1, no quota in
// version 1, stays and limits nothing.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
