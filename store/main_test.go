package store_test

import (
	"testing"

	"github.com/tabfarm/tabfarm/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
