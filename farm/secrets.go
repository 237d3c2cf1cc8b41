package farm

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// secrets are the values that a recipe only names, by their names. They are read
// when a page is opened and stand in no message and no row of a page's end.
type secrets map[string]string

// secrets reads what the headers and steps of a kind of pages name.
func (f *Farm) secrets(kind *recipe.Kind) (secrets, error) {
	values := secrets{}
	read := func(name, what string, args ...any) error {
		if _, done := values[name]; done || name == "" {
			return nil
		}
		value, err := f.Secret(name)
		if err != nil {
			return fmt.Errorf("read "+what+": %w", append(args, err)...)
		}
		values[name] = value
		return nil
	}
	for _, h := range kind.Page.Headers {
		if err := read(h.Secret, "header %q", h.Name); err != nil {
			return nil, err
		}
	}
	for i, s := range kind.Page.Steps {
		if err := read(s.Secret, "value of step %d", i+1); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// shortSecret is the length in bytes under which a secret is not looked for in
// messages: it would be found in every word.
const shortSecret = 3

// secretForms are the ways in which a value stands in messages: as it is, quoted, in
// a path, in a query as Go writes it and as browsers do.
func secretForms(value string) []string {
	query := url.QueryEscape(value)
	browser := strings.NewReplacer("%2A", "*", "~", "%7E")
	return []string{value, strings.Trim(strconv.Quote(value), `"`), url.PathEscape(value), query, browser.Replace(query)}
}

// hide takes the values out of a message: pages echo what is typed into them, in
// addresses above all.
func (s secrets) hide(message string) string {
	for name, value := range s {
		if len(value) < shortSecret {
			continue
		}
		for _, form := range secretForms(value) {
			message = strings.ReplaceAll(message, form, "{secret: "+name+"}")
		}
	}
	return message
}
