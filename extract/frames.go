package extract

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// Frame is what the browser brought of one frame of a page.
type Frame struct {
	URL     string
	Payload []byte // of FrameScript; nil when there is none
	Err     string // why there is none
	// Late says that the frame might hold more than the payload, which is not known.
	Late bool
}

// AddFrames adds what the frames of a page hold, in their order, for a kind of
// pages that looks there. A nil kind takes every table. Of a frame that cannot be
// read nothing is taken; a payload is trusted as little as that of the page.
func (r *Reading) AddFrames(k *recipe.Kind, frames []Frame) error {
	cells, links := 0, 0
	for i := range frames {
		f := frames[i]
		if f.Payload != nil {
			part, err := decodePart(f.Payload, &cells, &links)
			switch {
			case errors.Is(err, ErrTooLarge):
				return fmt.Errorf("read frame %q: %w", f.URL, err)
			case err != nil:
				f.Err, f.Late = err.Error(), true
			default:
				f.Late = f.Late || !part.Settled
				r.FrameLate = r.FrameLate || f.Late
				r.addFrame(k, part, len(r.frames)+1)
			}
		}
		r.FrameLate = r.FrameLate || (f.Late && f.Payload == nil)
		f.Payload = nil
		r.frames = append(r.frames, f)
	}
	return nil
}

// addFrame takes from a frame what the kind looks for in frames.
func (r *Reading) addFrame(k *recipe.Kind, part *Reading, number int) {
	for _, g := range part.Grids {
		t := tableNamed(k, g.Table)
		if (k == nil && g.Table == "") || (t != nil && inFrames(t)) {
			g.frame = number
			r.Grids = append(r.Grids, g)
		}
	}
	for _, v := range part.values {
		t := tableNamed(k, v.Table)
		if t != nil && slices.ContainsFunc(frameValues(t), func(j jobValue) bool { return j.Column == v.Column }) {
			v.frame = number
			r.values = append(r.values, v)
		}
	}
}

func tableNamed(k *recipe.Kind, name string) *recipe.Table {
	if k == nil {
		return nil
	}
	return tableOf(k, name)
}

// mostNamed is the most frames that a message names.
const mostNamed = 5

// looked says for a message which frames were looked through.
func (r *Reading) looked() string {
	if len(r.frames) == 0 {
		return "The page has no frame."
	}
	var names []string
	for _, f := range r.frames {
		name := clip(f.URL, 200)
		if f.Err != "" {
			name += " (" + clip(f.Err, 200) + ")"
		}
		names = append(names, name)
	}
	if n := len(names) - mostNamed; n > 0 {
		names = append(names[:mostNamed:mostNamed], "and "+strconv.Itoa(n)+" more")
	}
	if len(r.frames) == 1 {
		return "1 frame was looked through: " + names[0] + "."
	}
	return strconv.Itoa(len(r.frames)) + " frames were looked through: " + strings.Join(names, ", ") + "."
}

// inFrames adds to a problem with what was looked for in frames which they were.
func (r *Reading) inFrames(p *Problem, t *recipe.Table) *Problem {
	if p != nil && p.Outcome == outcomeMissing && (len(frameValues(t)) > 0 || inFrames(t)) {
		p.Message += " " + r.looked()
	}
	return p
}

// late names the frames that might hold more.
func (r *Reading) late() string {
	var names []string
	for _, f := range r.frames {
		if f.Late {
			names = append(names, clip(f.URL, 200))
		}
	}
	return strings.Join(names, ", ")
}

// hint says where else a table may be that the page does not hold.
type hint struct {
	Table string   `json:"t"`
	Place string   `json:"p"`
	URLs  []string `json:"u"`
}

// advice says for a message where else a table is; "" where that is not known. The
// selector is the one that was looked for.
func (r *Reading) advice(table, key, selector string) string {
	i := slices.IndexFunc(r.hints, func(h hint) bool { return h.Table == table })
	if i < 0 {
		return ""
	}
	_, css := recipe.SplitPlace(selector)
	what, write := "it", func(place string) string { return fmt.Sprintf("%s: %q", key, strings.TrimSpace(place+" "+css)) }
	if css == "" {
		what, key, css = "a table", "from", "table"
	}
	h := r.hints[i]
	for j := range h.URLs {
		h.URLs[j] = clip(h.URLs[j], 200)
	}
	switch where := strings.Join(h.URLs[:min(len(h.URLs), mostNamed)], ", "); h.Place {
	case "page":
		return fmt.Sprintf(" The page itself holds %s: %s.", what, write(""))
	case recipe.PlaceComments:
		return fmt.Sprintf(" An HTML comment of the page holds %s: %s.", what, write("comments >>"))
	case recipe.PlaceFrame:
		return fmt.Sprintf(" A frame of the page, %s, holds %s: %s.", where, what, write("iframe >>"))
	case "frames":
		return fmt.Sprintf(" A frame of another site, %s, was not looked into: %s would do that.", where, write("iframe >>"))
	}
	return ""
}
