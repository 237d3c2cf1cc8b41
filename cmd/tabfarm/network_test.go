package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/store"
)

// machines are network namespaces on one bridge, each as a machine of its own
// whose cable can be pulled. The test is the machine at .1, with Postgres and the
// site.
type machines struct {
	t      *testing.T
	prefix string
	names  []string
}

const (
	network = "10.77.13"
	here    = network + ".1"
)

// newMachines makes n of them; it needs root, and ip of iproute2.
func newMachines(t *testing.T, n int) *machines {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		t.Skip("network namespaces need root and the program ip (Debian: iproute2)")
	}
	m := &machines{t: t, prefix: fmt.Sprintf("tf%d", os.Getpid()%100000)}
	bridge := m.prefix + "b"
	if out, err := exec.Command("ip", "netns", "add", bridge).CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made here: %v: %s", err, out)
	}
	m.ip("netns del %s", bridge)
	t.Cleanup(m.clear)
	m.ip("link add %s type bridge", bridge)
	m.ip("addr add %s/24 dev %s", here, bridge)
	m.ip("link set %s up", bridge)
	for i := range n {
		name := fmt.Sprintf("%s-%d", m.prefix, i)
		m.names = append(m.names, name)
		m.ip("netns add %s", name)
		m.ip("link add %s type veth peer name eth0 netns %s", m.cable(i), name)
		m.ip("link set %s master %s up", m.cable(i), bridge)
		m.ip("-n %s addr add %s/24 dev eth0", name, m.address(i))
		m.ip("-n %s link set eth0 up", name)
		m.ip("-n %s link set lo up", name)
	}
	return m
}

func (m *machines) cable(i int) string   { return fmt.Sprintf("%sv%d", m.prefix, i) }
func (m *machines) address(i int) string { return fmt.Sprintf("%s.%d", network, 10+i) }

// ip runs the program ip.
func (m *machines) ip(format string, args ...any) {
	m.t.Helper()
	if out, err := exec.Command("ip", strings.Fields(fmt.Sprintf(format, args...))...).CombinedOutput(); err != nil {
		m.t.Fatalf("ip "+format+": %v: %s", append(args, err, out)...)
	}
}

func (m *machines) clear() {
	for _, name := range m.names {
		_ = exec.Command("ip", "netns", "del", name).Run() // its cable goes with it
	}
	_ = exec.Command("ip", "link", "del", m.prefix+"b").Run()
}

// on makes a command one of a machine.
func (m *machines) on(i int, cmd *exec.Cmd) *exec.Cmd {
	ip, err := exec.LookPath("ip")
	if err != nil {
		m.t.Fatal(err)
	}
	cmd.Args = slices.Concat([]string{"ip", "netns", "exec", m.names[i]}, []string{cmd.Path}, cmd.Args[1:])
	cmd.Path = ip
	return cmd
}

// slowSite answers each page after a moment, and knows who asked.
type slowSite struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string][]string // pages by the machine's address
}

func newSlowSite(t *testing.T) *slowSite {
	t.Helper()
	s := &slowSite{asked: map[string][]string{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, isPage := strings.CutPrefix(r.URL.Path, "/page/")
		if !isPage {
			http.NotFound(w, r)
			return
		}
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		s.mu.Lock()
		s.asked[from] = append(s.asked[from], number)
		s.mu.Unlock()
		select {
		case <-time.After(400 * time.Millisecond): // a page that takes longer than its host's turn: nobody waits for that
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>p</title><table id=t><tr><th>Name<tr><td>%s</table>", number)
	}))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", here+":0")
	if err != nil {
		t.Fatal(err)
	}
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// of is the number of pages that a machine asked for.
func (s *slowSite) of(address string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked[address])
}

// openPostgres starts a Postgres that the machines reach, and gives its URL.
func openPostgres(t *testing.T) string {
	t.Helper()
	server, _, _ := ownServer(t, map[string]string{"listen_addresses": here, "hba_file": "$DIR/access"})
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.RawQuery = here+":5432", ""
	return u.String()
}

// heard is what a program has said so far.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// await waits until a condition holds that nothing tells of.
func await(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond) // between two looks; nothing is assumed of its length
	}
}

// Three workers on three machines. One is cut off in the middle of its pages: it
// stops by itself, the others do its pages; when it is back it changes nothing
// that is not its own, and works again.
func (at *place) testNetwork(t *testing.T) {
	t.Parallel()
	if os.Getenv("TABFARM_SOAK") == "" {
		t.Skip("it takes most of a minute: make soak runs it")
	}
	m := newMachines(t, 3)
	p, site := at.newProgram(t), newSlowSite(t)
	p.dsn = openPostgres(t)
	p.env = append(p.env, "TABFARM_DATABASE_URL="+p.dsn, "TABFARM_NETWORK_ALLOW_PRIVATE="+network+".0/24")
	text := "urls: %s/page/{n}\nwith: {n: {from: 1, to: 60}}\ntables: {seen: {from: \"#t\", key: [name]}}\npolite: {rate: none, concurrency: 3}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "net.yaml"), fmt.Appendf(nil, text, site.URL), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, said, code := p.output(t, "submit", "net.yaml"); code != exitOK {
		t.Fatalf("exit code %d; said\n%s%s", code, out, said)
	}
	db, err := store.Open(t.Context(), store.Config{URL: p.dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var workers []*serving
	for i := range m.names {
		cmd, _, _ := p.command("serve", "--tabs", "1")
		stderr := &heard{}
		cmd.Stderr = stderr
		m.on(i, cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		workers = append(workers, &serving{cmd, stderr})
	}
	cut := 1
	await(t, "every machine asks for pages", 30*time.Second, func() bool {
		return site.of(m.address(0)) > 0 && site.of(m.address(cut)) > 1 && site.of(m.address(2)) > 0
	})
	m.ip("link set %s down", m.cable(cut))
	await(t, "the others finish the run", 2*time.Minute, func() bool {
		state, err := db.RunState(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return state == store.RunDone
	})
	await(t, "the one that is cut off stops", time.Minute, func() bool { return strings.Contains(workers[cut].stderr.String(), "the database is away") })
	before := everything(t, db)

	m.ip("link set %s up", m.cable(cut))
	await(t, "it registers again", time.Minute, func() bool { return strings.Contains(workers[cut].stderr.String(), "the database is back") })
	if diff := cmp.Diff(before, everything(t, db)); diff != "" {
		t.Errorf("what is stored changed when it came back (-before +after):\n%s", diff)
	}
	had := site.of(m.address(cut))
	if out, said, code := p.output(t, "submit", "--new", "net.yaml"); code != exitOK {
		t.Fatalf("exit code %d; said\n%s%s", code, out, said)
	}
	await(t, "it takes pages again", time.Minute, func() bool { return site.of(m.address(cut)) > had })
	for _, w := range workers {
		w.stop(t)
	}
}

// stored is what is stored of a run.
type stored struct {
	Pages []store.PageInfo
	Run   store.Progress
}

// everything is what is stored of the first run.
func everything(t *testing.T, db *store.Store) (all stored) {
	t.Helper()
	var err error
	if all.Pages, err = db.Pages(t.Context(), store.PageFilter{RunID: 1}); err != nil {
		t.Fatal(err)
	}
	if all.Run, err = db.Progress(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if all.Run.Done != 60 || all.Run.Tables["seen"].Inserted != 60 {
		t.Errorf("of the first run: %+v", all.Run)
	}
	return all
}
