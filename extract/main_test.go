package extract_test

import (
	"testing"

	"github.com/tabfarm/tabfarm/internal/chrometest"
)

func TestMain(m *testing.M) { chrometest.Main(m) }
