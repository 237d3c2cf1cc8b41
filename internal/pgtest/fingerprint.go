package pgtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/tabfarm/tabfarm/store"
)

// fingerprint names what a migrated database holds.
func fingerprint() (string, error) {
	var b bytes.Buffer
	if err := store.MigrationSQL(&b); err != nil {
		return "", err
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:6]), nil
}
