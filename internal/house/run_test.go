package house

import (
	"os/exec"
	"testing"
)

// output runs a command with exactly the given environment and gives its
// standard output; a command that fails fails the test.
func output(t *testing.T, environment []string, command ...string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), command[0], command[1:]...)
	run.Env = environment
	text, err := run.Output()
	if err != nil {
		t.Fatalf("run %q: %v", command, err)
	}
	return string(text)
}
