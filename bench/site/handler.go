package site

import (
	"bytes"
	"encoding/json"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	pictures    = 20
	pictureSize = 48 // pixels of each side

	// latency is how long the API of the kind with that name takes.
	latency = 100 * time.Millisecond

	// A streamed table comes in parts of this many rows, this long apart.
	streamRows = 30
	streamGap  = 5 * time.Millisecond
)

// bodies are where the rows of a kind come to stand.
var bodies = map[string]template.HTML{
	"react":      `<div id="root"></div>`,
	"datatables": `<table id="rows"></table>`,
	"aggrid":     `<div id="rows" class="grid"></div>`,
	"latency":    `<table id="rows"></table><p class="count"></p>`,
}

// page is what the templates are given.
type page struct {
	Kind     string
	Number   int
	Body     template.HTML
	Sheet    bool // its library has a style sheet of its own
	Pictures []int
}

func newPage(kind string, number int) page {
	p := page{Kind: kind, Number: number, Body: bodies[kind], Sheet: kind == "datatables"}
	for i := range pictures {
		p.Pictures = append(p.Pictures, i)
	}
	return p
}

var documents = template.Must(template.New("document").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{.Kind}} {{.Number}}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/dist/style.css">
{{if .Sheet}}<link rel="stylesheet" href="/dist/{{.Kind}}.css">{{end}}
<script async src="/dist/ads.js"></script>
</head>
<body>
<header><h1>Players, part {{.Number}}</h1><nav><a href="/{{.Kind}}/0">First</a></nav></header>
<div class="shelf">{{range .Pictures}}<img src="/pictures/{{.}}.png" width="48" height="48" alt="">{{end}}</div>
<main>
<section>{{.Body}}{{block "rows" .}}{{end}}</section>
<aside></aside>
</main>
<footer>Made up by a server, the same each time.</footer>
{{if .Body}}<script src="/dist/{{.Kind}}.js"></script>{{end}}
</body>
</html>
`))

// handler serves the pages, and all that they load.
func (s *Site) handler(dist string) http.Handler {
	mux := http.NewServeMux()
	for _, k := range kinds {
		if k.Name == "plain" {
			mux.HandleFunc("GET /plain/{number}", func(w http.ResponseWriter, r *http.Request) { s.stream(w, r, k) })
			continue
		}
		mux.HandleFunc("GET /"+k.Name+"/{number}", func(w http.ResponseWriter, r *http.Request) { s.document(w, r, k) })
		mux.HandleFunc("GET /api/"+k.Name+"/{number}", func(w http.ResponseWriter, r *http.Request) { rowsOfKind(w, r, k) })
	}
	mux.HandleFunc("GET /ads/offers", offers)
	mux.Handle("GET /pictures/", cached(http.StripPrefix("/pictures/", drawn())))
	mux.Handle("GET /dist/", cached(http.StripPrefix("/dist/", http.FileServerFS(os.DirFS(dist)))))
	return mux
}

// cached lets a browser keep what all pages share.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=86400")
		h.ServeHTTP(w, r)
	})
}

// number is that of the page that is asked for; what is none is not found.
func number(w http.ResponseWriter, r *http.Request) (int, bool) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || n < 0 {
		http.NotFound(w, r)
		return 0, false
	}
	return n, true
}

func (s *Site) document(w http.ResponseWriter, r *http.Request, k Kind) {
	n, ok := number(w, r)
	if !ok {
		return
	}
	s.count(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = documents.Execute(w, newPage(k.Name, n)) // fails only where the client has gone
}

func rowsOfKind(w http.ResponseWriter, r *http.Request, k Kind) {
	n, ok := number(w, r)
	if !ok {
		return
	}
	if k.Name == "latency" && !wait(r, latency) {
		return
	}
	answer(w, table{Total: k.Rows, Columns: header[:], Rows: rowsOf(n, k.Rows)})
}

// wait says whether the client is still there after a time.
func wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only where the client has gone
}

// offers is what the advertisement's script asks for; never kept.
func offers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answer(w, map[string]map[string]string{
		"top": {"line": "Shoes for tall people"}, "middle": {"line": "Tickets for the next game"}, "bottom": {"line": "A ball that finds the basket"},
	})
}

// drawn serves pictures that do not compress, as photographs do not.
func drawn() http.Handler {
	files := map[string][]byte{}
	for i := range pictures {
		random := rand.New(rand.NewPCG(uint64(i), 2))
		picture := image.NewRGBA(image.Rect(0, 0, pictureSize, pictureSize))
		for y := range pictureSize {
			for x := range pictureSize {
				v := random.Uint32()
				picture.SetRGBA(x, y, color.RGBA{uint8(v), uint8(v >> 8), uint8(v >> 16), 255})
			}
		}
		var file bytes.Buffer
		_ = png.Encode(&file, picture) // into memory nothing fails
		files[strconv.Itoa(i)+".png"] = file.Bytes()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(file) // fails only where the client has gone
	})
}

var streamed = template.Must(template.Must(documents.Clone()).Parse(`{{define "rows"}}<table id="rows">
<thead><tr>{{range .Header}}<th scope="col">{{.Title}}</th>{{end}}</tr></thead>
<tbody>
` + mark + `</tbody>
</table>{{end}}`))

// mark divides what comes before the rows from what comes after them.
const mark = "@rows@"

var part = template.Must(template.New("part").Parse(`{{range .}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}`))

// stream sends the rows in parts, as a server does that makes them on the way.
func (s *Site) stream(w http.ResponseWriter, r *http.Request, k Kind) {
	n, ok := number(w, r)
	if !ok {
		return
	}
	s.count(r)
	var whole bytes.Buffer
	_ = streamed.Execute(&whole, struct {
		page
		Header []column
	}{newPage(k.Name, n), header[:]}) // into memory nothing fails
	before, after, _ := bytes.Cut(whole.Bytes(), []byte(mark))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(before) // fails only where the client has gone
	flush := http.NewResponseController(w)
	var cells [][columns]string
	for _, row := range rowsOf(n, k.Rows) {
		if cells = append(cells, row.texts()); len(cells) < streamRows {
			continue
		}
		if part.Execute(w, cells) != nil || flush.Flush() != nil || !wait(r, streamGap) {
			return
		}
		cells = cells[:0]
	}
	_, _ = io.Copy(w, bytes.NewReader(after)) // fails only where the client has gone
}
