package store_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/tabfarm/tabfarm/internal/pgtest"
)

func TestMain(m *testing.M) {
	// Each check is a run in a real database; -rapid.checks overrides.
	if err := flag.Set("rapid.checks", "25"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	pgtest.Main(m)
}
