package house

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/schema"
	"go.yaml.in/yaml/v4"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/web"
)

// root is the module's root from here.
const root = "../.."

// composeFile is what the tests ask of docker-compose.yml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Scale       *int              `yaml:"scale"`
	GracePeriod string            `yaml:"stop_grace_period"`
	Restart     string            `yaml:"restart"`
	Container   string            `yaml:"container_name"`
	Expose      []string          `yaml:"expose"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	Init        bool              `yaml:"init"`
	ShmSize     string            `yaml:"shm_size"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	HealthCheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

func readCompose(t *testing.T) (text []byte, file composeFile) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return text, file
}

// The schema is the Compose Specification's own.
func TestComposeFileIsValid(t *testing.T) {
	t.Parallel()
	text, _ := readCompose(t)
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
	document["services"].(map[string]any)["tabfarm"].(map[string]any)["shm_sizes"] = "1g"
	if err := schema.Validate(document); err == nil {
		t.Error("the schema takes a key that there is not")
	}
}

func TestComposeFile(t *testing.T) {
	t.Parallel()
	_, file := readCompose(t)
	postgres, tabfarm := file.Services["postgres"], file.Services["tabfarm"]
	for name, service := range file.Services {
		if len(service.HealthCheck.Test) < 2 || service.ShmSize == "" {
			t.Errorf("%s has no healthcheck or no shm_size", name)
		}
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is published at %q", name, port)
			}
		}
	}
	if _, named := file.Volumes["postgres"]; !named || !slices.Equal(postgres.Volumes, []string{"postgres:/var/lib/postgresql/data"}) {
		t.Errorf("postgres keeps its data in %q, named volumes: %v", postgres.Volumes, file.Volumes)
	}
	tabfarm.check(t, "tabfarm")
}

// check asks of a service that runs tabfarm what both of them have.
func (s composeService) check(t *testing.T, name string) {
	t.Helper()
	if !s.Init || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Image != "tabfarm" {
		t.Errorf("%s: image %q, init %v, dropped capabilities %q", name, s.Image, s.Init, s.CapDrop)
	}
	if got := s.DependsOn["postgres"].Condition; got != "service_healthy" {
		t.Errorf("%s starts when postgres is %q", name, got)
	}
	if url := s.Environment["TABFARM_DATABASE_URL"]; !strings.HasPrefix(url, "postgres://tabfarm:") || !strings.HasSuffix(url, "@postgres:5432/tabfarm") {
		t.Errorf("%s: TABFARM_DATABASE_URL: %q", name, url)
	}
	if !slices.Equal(s.Volumes, []string{"./recipes:/recipes:ro"}) {
		t.Errorf("%s mounts %q", name, s.Volumes)
	}
	if grace, err := time.ParseDuration(s.GracePeriod); err != nil || grace < drainTime(t) {
		t.Errorf("%s may take %q to end, and draining takes %v", name, s.GracePeriod, drainTime(t))
	}
	for _, option := range s.SecurityOpt {
		if path, ok := strings.CutPrefix(option, "seccomp="); ok {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("%s has no seccomp profile: %q", name, s.SecurityOpt)
}

// drainTime is what a worker takes at most that was told to end, with a margin: a
// page of a recipe that asks for no longer timeout is loaded and stored.
func drainTime(t *testing.T) time.Duration {
	t.Helper()
	r, err := recipe.Parse("drain.yaml", []byte("urls: https://stats.example/\ntables:\n  t: {key: [a]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r.Kinds[0].Page.Timeout + 30*time.Second
}

// A service can be scaled when nothing of it is there only once.
func TestComposeWorkersScale(t *testing.T) {
	t.Parallel()
	_, file := readCompose(t)
	worker := file.Services["worker"]
	worker.check(t, "worker")
	if len(worker.Ports) > 0 || worker.Container != "" || worker.Scale == nil || *worker.Scale != 0 {
		t.Errorf("worker: ports %q, name %q, scale %v", worker.Ports, worker.Container, worker.Scale)
	}
	port := strconv.Itoa(web.Port)
	if got := worker.Environment["TABFARM_SERVE_LISTEN"]; got != ":"+port || !slices.Equal(worker.Expose, []string{port}) {
		t.Errorf("worker listens at %q and exposes %q, want port %s", got, worker.Expose, port)
	}
	if len(worker.Entrypoint) > 0 || !slices.Equal(worker.Command, []string{"serve"}) || !slices.Equal(worker.HealthCheck.Test, []string{"CMD", "tabfarm", "health"}) {
		t.Errorf("worker runs %q %q and is asked by %q", worker.Entrypoint, worker.Command, worker.HealthCheck.Test)
	}
	if worker.Restart != "unless-stopped" {
		t.Errorf("a worker that died is restarted %q", worker.Restart)
	}
}

// The service's entry: its own arguments, else the recipes, else the demo.
func TestComposeEntry(t *testing.T) {
	t.Parallel()
	_, file := readCompose(t)
	line := slices.Clone(file.Services["tabfarm"].Entrypoint)
	dir := t.TempDir()
	says := filepath.Join(dir, "tabfarm")
	if err := os.WriteFile(says, []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	recipes := filepath.Join(dir, "recipes")
	if err := os.Mkdir(recipes, 0o755); err != nil {
		t.Fatal(err)
	}
	// $$ is Compose's way to write $.
	line[2] = strings.NewReplacer("/recipes", recipes, "$$", "$").Replace(line[2])
	environment := []string{"PATH=" + dir + ":/usr/bin:/bin"}

	if got := output(t, environment, line...); got != "demo\n" {
		t.Errorf("without recipes it runs %q", got)
	}
	if got := output(t, environment, append(slices.Clone(line), "query", "select 1")...); got != "query select 1\n" {
		t.Errorf("with arguments it runs %q", got)
	}
	for _, name := range []string{"b.yaml", "a.yaml", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(recipes, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := output(t, environment, line...), "run "+recipes+"/a.yaml "+recipes+"/b.yaml\n"; got != want {
		t.Errorf("with recipes it runs %q, want %q", got, want)
	}
}

// seccompProfile is the form of a seccomp profile that Docker reads.
type seccompProfile struct {
	DefaultAction   string `json:"defaultAction"`
	DefaultErrnoRet uint   `json:"defaultErrnoRet"`
	ArchMap         []struct {
		Architecture     string   `json:"architecture"`
		SubArchitectures []string `json:"subArchitectures"`
	} `json:"archMap"`
	Syscalls []struct {
		Comment string   `json:"comment"`
		Names   []string `json:"names"`
		Action  string   `json:"action"`
		Args    []struct {
			Index uint   `json:"index"`
			Value uint64 `json:"value"`
			Op    string `json:"op"`
		} `json:"args"`
	} `json:"syscalls"`
}

func TestSeccompProfile(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join(root, "deploy", "seccomp-chrome.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var profile seccompProfile
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&profile); err != nil {
		t.Fatal(err)
	}
	if profile.DefaultAction != "SCMP_ACT_ERRNO" || profile.DefaultErrnoRet != 1 || len(profile.ArchMap) != 2 {
		t.Errorf("what is not named: %s %d on %v", profile.DefaultAction, profile.DefaultErrnoRet, profile.ArchMap)
	}
	free, bound := map[string]bool{}, map[string]bool{}
	for _, rule := range profile.Syscalls {
		if rule.Action != "SCMP_ACT_ALLOW" {
			t.Errorf("%v: %s", rule.Names, rule.Action)
		}
		for _, arg := range rule.Args {
			if arg.Op != "SCMP_CMP_EQ" && arg.Op != "SCMP_CMP_NE" {
				t.Errorf("%v: %s", rule.Names, arg.Op)
			}
		}
		for _, name := range rule.Names {
			if free[name] || bound[name] && len(rule.Args) == 0 {
				t.Errorf("%s is named twice", name)
			}
			if len(rule.Args) == 0 {
				free[name] = true
			} else {
				bound[name] = true
			}
		}
	}
	// Chrome's sandbox, and a few without which nothing runs.
	for _, name := range strings.Fields("clone clone3 unshare setns chroot execve mmap futex openat read write seccomp prctl") {
		if !free[name] {
			t.Errorf("%s is not allowed", name)
		}
	}
	for _, name := range strings.Fields("socket personality") {
		if !bound[name] {
			t.Errorf("%s has no rule by its arguments", name)
		}
	}
	// What reaches the host, its kernel, its clock or its keys.
	for _, name := range strings.Fields(`mount umount2 pivot_root move_mount open_tree fsopen bpf perf_event_open init_module
		finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff settimeofday clock_settime keyctl add_key
		request_key io_uring_setup userfaultfd process_vm_readv process_vm_writev open_by_handle_at ioperm iopl acct syslog
		sethostname setdomainname quotactl`) {
		if free[name] || bound[name] {
			t.Errorf("%s is allowed", name)
		}
	}
}
