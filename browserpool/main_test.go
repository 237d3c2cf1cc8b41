package browserpool_test

import (
	"os"
	"testing"

	"github.com/tabfarm/tabfarm/internal/chrometest"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperDir) != "" {
		os.Exit(helper())
	}
	chrometest.Main(m)
}
