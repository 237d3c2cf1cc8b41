package extract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// JSON values are nil, bool, string, json.Number, []any and *object: numbers
// keep their digits and objects their order, which encoding/json loses.

// object is a JSON object that keeps the order of its keys.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) set(key string, v any) {
	if _, known := o.values[key]; !known {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

// maxDepth bounds the nesting of a response.
const maxDepth = 200

// decodeJSON reads a response: one JSON value, or several on lines of their own as an array.
func decodeJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(stripPrefix(body)))
	d.UseNumber()
	first, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	all := []any{first}
	for {
		next, err := decodeValue(d, 0)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if len(all) == 1 {
		return first, nil
	}
	return all, nil
}

// firstJSON is the JSON object or array that a text begins with, whatever stands
// behind it; nil where it begins with none.
func firstJSON(text string) []byte {
	var value json.RawMessage
	if json.NewDecoder(strings.NewReader(text)).Decode(&value) != nil || len(value) == 0 || value[0] != '{' && value[0] != '[' {
		return nil
	}
	return value
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, unexpected(err)
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, unexpected(err)
	case json.Delim('{'):
		o := &object{values: map[string]any{}}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, unexpected(err)
			}
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, unexpected(err)
			}
			o.set(fmt.Sprint(key), v)
		}
		_, err := d.Token()
		return o, unexpected(err)
	}
	return token, nil
}

// unexpected makes the end of a text inside a value an error of its own.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// encodeJSON writes a value as compact JSON.
func encodeJSON(v any) string {
	var b strings.Builder
	writeJSON(&b, v)
	return b.String()
}

func writeJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case *object:
		b.WriteByte('{')
		for i, key := range v.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, key)
			b.WriteByte(':')
			writeJSON(b, v.values[key])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, e)
		}
		b.WriteByte(']')
	case json.Number:
		b.WriteString(v.String())
	case bool:
		fmt.Fprintf(b, "%t", v)
	case string:
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if e.Encode(v) == nil { // a string always encodes
			b.Write(bytes.TrimRight(text.Bytes(), "\n"))
		}
	}
}

// jsonText is the text of a JSON scalar: of a string what it says, of others their JSON.
func jsonText(raw string) string {
	var s string
	if strings.HasPrefix(raw, `"`) && json.Unmarshal([]byte(raw), &s) == nil {
		return s
	}
	return raw
}

// plainValue gives a value as gojq takes it.
func plainValue(v any) any {
	switch v := v.(type) {
	case *object:
		plain := make(map[string]any, len(v.keys))
		for key, e := range v.values {
			plain[key] = plainValue(e)
		}
		return plain
	case []any:
		plain := make([]any, len(v))
		for i, e := range v {
			plain[i] = plainValue(e)
		}
		return plain
	}
	return v
}

// orderedValue gives a result of gojq as a value; its objects come in the order of their keys.
func orderedValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := &object{values: make(map[string]any, len(v))}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			o.set(key, orderedValue(v[key]))
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = orderedValue(e)
		}
		return list
	case nil, bool, string, json.Number:
		return v
	}
	text, err := gojq.Marshal(v) // int, float64, *big.Int
	if err != nil {
		return nil
	}
	return json.Number(text)
}
