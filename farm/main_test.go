package farm

import (
	"testing"

	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/internal/pgtest"
)

func TestMain(m *testing.M) { chrometest.Main(database{m}) }

// database runs the tests with a Postgres beside the browser.
type database struct{ m *testing.M }

func (d database) Run() int { return pgtest.Run(d.m) }
