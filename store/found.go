package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Found is what the links of a page lead to.
type Found struct {
	Pages []FoundPage            // pages of equal Address are one
	Hosts func(host string) Pace // asked once for each host that is new to the run
}

// FoundPage is a page that a link leads to. Deepest bounds links within a kind:
// a page is as deep as the number of links that lead to it from a page of its
// kind, the fewest that are known, and one deeper than this is not added. With 0
// the link came from a page of another kind, and the page has the depth 0.
type FoundPage struct {
	NewPage
	Deepest int
}

// growing is a run that pages are added to; its row is locked, so that pages are
// counted against the limit, and hosts made, by one transaction at a time.
type growing struct {
	id    int64
	limit int
	open  bool // not cancelled or superseded: somebody will read the pages
}

// lockGrowing locks the run of a page before anything of the page is locked, as
// all others do that lock both.
func lockGrowing(ctx context.Context, tx pgx.Tx, id int64) (g growing, err error) {
	g.id = id
	err = tx.QueryRow(ctx, "SELECT page_limit, state IN "+openStates+" FROM tabfarm_internal.run WHERE id = $1 FOR NO KEY UPDATE", id).Scan(&g.limit, &g.open)
	return g, err
}

// add adds the pages that the links of a page of this depth lead to, at most as
// many as the run's limit leaves room for, and says how many pages are pending
// by it. A page that is there already and turns out to be nearer is pending again
// where its own links may have been too deep before.
func (g growing) add(ctx context.Context, tx pgx.Tx, s *Store, depth int, f Found) (int, error) {
	found := near(f.Pages, depth)
	if len(found.hashes) == 0 || !g.open {
		return 0, nil
	}
	nearer, err := bringNearer(ctx, tx, g.id, found)
	if err != nil {
		return 0, err
	}
	added, err := insertFound(ctx, tx, g, found)
	if err != nil {
		return 0, err
	}
	hosts := slices.Concat(nearer, added)
	n := len(hosts)
	if n == 0 {
		return 0, nil
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	if err := newHosts(ctx, tx, g.id, hosts, f.Hosts); err != nil {
		return 0, err
	}
	return n, s.wake(ctx, tx, hosts)
}

// foundColumns are pages by column, as unnest takes them.
type foundColumns struct {
	kinds, hosts, urls, addresses, vars []string
	hashes                              [][]byte
	depths                              []int
}

// near leaves out the pages that are too deep, and gives each of the others its
// depth below a page of the given one. Of equal addresses the first stays.
func near(pages []FoundPage, depth int) (c foundColumns) {
	seen := make(map[string]bool, len(pages))
	for _, p := range pages {
		own := 0
		if p.Deepest > 0 {
			if own = depth + 1; own > p.Deepest {
				continue
			}
		}
		address := clean(p.Address)
		if seen[address] {
			continue
		}
		seen[address] = true
		vars := "{}"
		if len(p.Vars) > 0 {
			text, err := json.Marshal(p.Vars)
			if err != nil {
				panic(fmt.Sprintf("write variables of page %q: %v", p.Address, err)) // a map of strings always can
			}
			vars = cleanJSON(string(text))
		}
		c.kinds, c.hosts, c.urls = append(c.kinds, clean(p.Kind)), append(c.hosts, clean(p.Host)), append(c.urls, clean(p.URL))
		c.addresses, c.vars = append(c.addresses, address), append(c.vars, vars)
		c.hashes, c.depths = append(c.hashes, addressHash(address)), append(c.depths, own)
	}
	return c
}

// insertFound makes pages of those that the run has not, as far as its limit
// goes, and gives the host of each.
func insertFound(ctx context.Context, tx pgx.Tx, g growing, f foundColumns) ([]string, error) {
	var room *int // nil: all
	if g.limit > 0 {
		if err := tx.QueryRow(ctx, "SELECT greatest($2 - count(*), 0)::integer FROM tabfarm_internal.page WHERE run_id = $1", g.id, g.limit).Scan(&room); err != nil {
			return nil, err
		}
	}
	rows, err := tx.Query(ctx, `INSERT INTO tabfarm_internal.page (run_id, kind, host, url, address, address_hash, vars, depth, priority)
SELECT $1, kind, host, url, address, hash, vars, depth, depth
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::jsonb[], $8::smallint[]) WITH ORDINALITY
     AS f (kind, host, url, address, hash, vars, depth, ord)
WHERE NOT EXISTS (SELECT FROM tabfarm_internal.page p WHERE p.run_id = $1 AND p.address_hash = f.hash)
ORDER BY ord LIMIT $9
ON CONFLICT (run_id, address_hash) DO NOTHING
RETURNING host`, g.id, f.kinds, f.hosts, f.urls, f.addresses, f.hashes, f.vars, f.depths, room)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// bringNearer corrects the depth of pages that were thought to be farther away.
// Those that have ended well and gave links are read again, because some of the
// links may have been too deep; it gives the host of each. They are few: nearer
// pages are claimed first.
func bringNearer(ctx context.Context, tx pgx.Tx, run int64, f foundColumns) ([]string, error) {
	rows, err := tx.Query(ctx, `WITH near AS MATERIALIZED (
    SELECT p.id, f.depth, p.state = 2 AND p.ok AND p.links > 0 AS again
    FROM unnest($2::text[], $3::bytea[], $4::smallint[]) AS f (kind, hash, depth)
    JOIN tabfarm_internal.page p ON p.run_id = $1 AND p.address_hash = f.hash AND p.kind = f.kind AND p.depth > f.depth
    ORDER BY p.id FOR NO KEY UPDATE OF p)
UPDATE tabfarm_internal.page p SET depth = near.depth, priority = near.depth,
    state = CASE WHEN again THEN 0 ELSE state END,
    attempt = CASE WHEN again THEN 0 ELSE attempt END,
    not_before = CASE WHEN again THEN 'epoch' ELSE not_before END,
    ok = CASE WHEN again THEN NULL ELSE ok END,
    outcome = CASE WHEN again THEN NULL ELSE outcome END,
    links = CASE WHEN again THEN NULL ELSE links END,
    finished_at = CASE WHEN again THEN NULL ELSE finished_at END
FROM near WHERE p.id = near.id RETURNING CASE WHEN again THEN p.host END`, run, f.kinds, f.hashes, f.depths)
	if err != nil {
		return nil, err
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[*string])
	var again []string
	for _, h := range hosts {
		if h != nil {
			again = append(again, *h)
		}
	}
	return again, err
}

// newHosts notes the pace of the hosts that the run has had no page on.
func newHosts(ctx context.Context, tx pgx.Tx, run int64, hosts []string, pace func(string) Pace) error {
	rows, err := tx.Query(ctx, `SELECT h FROM unnest($2::text[]) h
WHERE NOT EXISTS (SELECT FROM tabfarm_internal.run_host rh WHERE rh.run_id = $1 AND rh.host = h) ORDER BY h`, run, hosts)
	if err != nil {
		return err
	}
	if hosts, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	if len(hosts) == 0 {
		return nil
	}
	return insertHosts(ctx, tx, run, hosts, pace)
}

// KindLinks is what the links of a run's pages of one kind gave.
type KindLinks struct {
	Kind   string
	Pages  int // of this kind, ended or not
	Looked int // that ended well and were looked at for links
	Links  int // pages that these lead to
}

// Links tells by kind what the links of a run's pages gave.
func (s *Store) Links(ctx context.Context, run int64) ([]KindLinks, error) {
	rows, err := s.pool.Query(ctx, `SELECT kind, count(*)::integer, count(links)::integer, coalesce(sum(links), 0)::integer
FROM tabfarm_internal.page WHERE run_id = $1 GROUP BY kind ORDER BY kind`, run)
	if err != nil {
		return nil, s.lookError("count links", err)
	}
	kinds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[KindLinks])
	return kinds, translate("count links", err)
}
