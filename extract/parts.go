package extract

import "slices"

// join adds what a later part of the page holds. The last part tells how the page
// stood at its end.
func (r *Reading) join(later *Reading) {
	r.URL, r.Title, r.Signs, r.Accept = later.URL, later.Title, later.Signs, later.Accept
	r.Settled, r.Stopped, r.Short = later.Settled, later.Stopped, later.Short
	r.hints = append(r.hints, later.hints...)
	r.values = slices.Concat(later.values, r.values) // the latest first
	r.Links = append(r.Links, later.Links...)
	r.Embedded = append(r.Embedded, later.Embedded...)
	for i := range later.Grids {
		g := &later.Grids[i]
		at := slices.IndexFunc(r.Grids, func(known Grid) bool {
			return g.part != "" && known.part == g.part && known.Table == g.Table
		})
		if at < 0 {
			r.Grids = append(r.Grids, *g)
			continue
		}
		r.Grids[at].join(g)
	}
}

// otherColumns is the note of a grid whose parts cannot be put below each other.
const otherColumns = "a further part of the page shows other columns"

// join adds the rows of a later part. Its total and proof are those of all rows
// until then; doubts about an earlier part stay, unless a stated total was met.
func (g *Grid) join(later *Grid) {
	if len(g.Rows) > 0 && len(later.Rows) > 0 && width(g) != width(later) {
		g.Proof, g.Complete, g.Note = ProofNone, false, otherColumns
		return
	}
	g.Rows = append(g.Rows, later.Rows...)
	g.Total = later.Total
	if later.Proof == ProofTotal {
		g.Proof = ProofTotal
	} else {
		g.Proof = weaker(g.Proof, later.Proof)
	}
	g.Complete = g.Proof != ProofNone
	if later.Note != "" {
		g.Note = later.Note
	}
	if g.TotalText == nil {
		g.TotalText = later.TotalText
	}
	if len(later.Foot) > 0 {
		g.Foot = later.Foot
	}
}

// cutShort takes the proof from rows that go on in parts which are not there.
func (r *Reading) cutShort() {
	if r.Short == "" {
		return
	}
	for i := range r.Grids {
		if g := &r.Grids[i]; g.Proof != ProofTotal {
			g.Proof, g.Complete, g.Note = ProofNone, false, r.Short
		}
	}
}
