package house

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a PATH of its own for scripts/setup.sh: the real small tools, and
// stand-ins for what looks at or changes the system. Every call of a stand-in
// that changes something is a line of the log.
type machine struct {
	t   *testing.T
	dir string
}

func newMachine(t *testing.T, uid int, system string) machine {
	t.Helper()
	m := machine{t, t.TempDir()}
	for _, tool := range []string{"env", "true"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	m.program("id", fmt.Sprintf("echo %d", uid))
	m.program("uname", "echo "+system)
	return m
}

// program puts a shell script on the machine's PATH.
func (m machine) program(name, script string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte("#!/bin/bash\n"+script+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// apt gives the machine an apt-get whose lists know the packages, from the first
// update on; installing one puts a program of its name on the PATH. What
// apt-cache says is longer than a pipe holds: who reads only its beginning breaks it.
func (m machine) apt(packages ...string) {
	m.program("apt-cache", fmt.Sprintf(`
if [ -e %[1]s/updated ]; then for p in %[2]s; do [ "$2" = "$p" ] && printf '%%s:\n  Candidate: 1.0\n%%300000s\n' "$2" table && exit; done; fi
printf '%%s:\n  Candidate: (none)\n' "$2"`, m.dir, strings.Join(packages, " ")))
	m.program("apt-get", fmt.Sprintf(`
echo "apt-get $DEBIAN_FRONTEND $*" >>%[1]s/log
for word; do
  case "$word" in
  update) : >%[1]s/updated ;;
  -* | DPkg* | install) ;;
  *) printf '#!/bin/bash\n' >%[1]s/"$word"; /bin/chmod +x %[1]s/"$word" ;;
  esac
done
[ ! -e %[1]s/nodejs ] || { printf '#!/bin/bash\n' >%[1]s/node; /bin/chmod +x %[1]s/node; }`, m.dir))
}

// setup runs the script on the machine; it gives the exit code, what was
// printed, and the log.
func (m machine) setup(parts ...string) (code int, printed, log string) {
	m.t.Helper()
	script, err := filepath.Abs(filepath.Join(root, "scripts", "setup.sh"))
	if err != nil {
		m.t.Fatal(err)
	}
	run := exec.CommandContext(m.t.Context(), "/bin/bash", append([]string{script}, parts...)...)
	run.Env = []string{"PATH=" + m.dir}
	text, err := run.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	calls, err := os.ReadFile(filepath.Join(m.dir, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.t.Fatal(err)
	}
	return run.ProcessState.ExitCode(), string(text), string(calls)
}

const install = "apt-get noninteractive -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "

func TestSetupAsRoot(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 0, "Linux")
	m.apt("chromium-headless-shell", "chromium", "fonts-dejavu-core", "nodejs", "npm")
	code, printed, log := m.setup("browser", "node")
	want := "apt-get noninteractive -q -y -o DPkg::Lock::Timeout=300 update\n" +
		install + "chromium-headless-shell fonts-dejavu-core nodejs npm\n"
	if code != 0 || log != want {
		t.Errorf("exit %d, printed %q, calls:\n%s", code, printed, log)
	}
	// The second time everything is there.
	if code, printed, log = m.setup("browser", "node"); code != 0 || log != want || printed != "" {
		t.Errorf("again: exit %d, printed %q, calls:\n%s", code, printed, log)
	}
}

func TestSetupTakesWhatIsPackaged(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1000, "Linux")
	m.apt("chromium", "fonts-dejavu-core")
	m.program("sudo", `[ "$1" = -n ] && shift; echo "sudo" >>`+m.dir+`/log; exec "$@"`)
	code, printed, log := m.setup("browser")
	if code != 0 || !strings.Contains(log, "sudo\n"+install+"chromium fonts-dejavu-core\n") {
		t.Errorf("exit %d, printed %q, calls:\n%s", code, printed, log)
	}
}

func TestSetupSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	debian := newMachine(t, 1000, "Linux")
	debian.apt("chromium-headless-shell", "fonts-dejavu-core")
	stubborn := newMachine(t, 0, "Linux") // apt-get is there and fails
	stubborn.apt()
	stubborn.program("apt-get", "exit 100")
	for name, c := range map[string]struct {
		machine machine
		words   string
	}{
		"no rights":    {debian, "apt-get update && apt-get install -y chromium-headless-shell fonts-dejavu-core\n"},
		"apt fails":    {stubborn, "apt-get update && apt-get install -y chromium-headless-shell fonts-dejavu-core\n"},
		"macOS":        {newMachine(t, 501, "Darwin"), "brew install --cask chromium"},
		"other system": {newMachine(t, 0, "FreeBSD"), "Chromium or Chrome, version 140 or newer"},
	} {
		code, printed, log := c.machine.setup("browser")
		if code != 3 || log != "" || !strings.Contains(printed, c.words) {
			t.Errorf("%s: exit %d, printed %q, calls:\n%s", name, code, printed, log)
		}
	}
	if code, printed, _ := debian.setup("browsers"); code != 2 || !strings.Contains(printed, "unknown part browsers") {
		t.Errorf("a part that is none: exit %d, %q", code, printed)
	}
}
