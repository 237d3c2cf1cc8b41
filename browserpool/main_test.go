package browserpool_test

import (
	"os"
	"testing"

	"github.com/tabfarm/tabfarm/internal/chrometest"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperDir) != "" {
		helper()
		return
	}
	chrometest.Main(m)
}
