// Package migrations owns the SQL that makes tabfarm's own schemas. It refuses
// to hold result tables: store makes those from what pages show.
package migrations

import "embed"

// FS holds the migrations as goose reads them: NNNNN_title.sql, in order.
//
//go:embed *.sql
var FS embed.FS
