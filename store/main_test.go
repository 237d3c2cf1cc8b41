package store_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/tabfarm/tabfarm/internal/pgtest"
)

// usualChecks is how often rapid checks a property where no flag says otherwise.
const usualChecks = "25"

func TestMain(m *testing.M) {
	// Each check is a run in a real database; -rapid.checks overrides.
	if err := flag.Set("rapid.checks", usualChecks); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	pgtest.Main(m)
}
