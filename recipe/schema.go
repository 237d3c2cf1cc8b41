package recipe

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

// The types of single values, and of values that take several shapes.
type (
	shortText        string
	scalarText       string // numbers and dates are taken as they are written
	css              string
	regex            string
	urlText          string
	cronText         string
	duration         string
	rate             string
	viewport         string
	name             string
	yesNo            bool
	wholeNumber      int
	blockWord        string
	rowsWord         string
	duplicatesWord   string
	otherColumnsWord string
	goneWord         string
	overlapWord      string
	robotsWord       string
	typeWord         string

	schedules   struct{}
	sources     struct{}
	variables   struct{}
	tables      struct{}
	secretValue struct{}
	jsonValue   struct{}
	totalValue  struct{}
	columnAny   struct{}
)

// Schema is the JSON Schema (2020-12) of the recipe language, for editors. It is
// made of the types that the checker takes its keys from; the checker is stricter.
func Schema() ([]byte, error) {
	s := reflectKeys(recipeKeys{})
	s.Version = jsonschema.Version
	s.Title = "tabfarm recipe"
	s.AnyOf = []*jsonschema.Schema{{Required: []string{"urls", "tables"}}, {Required: []string{"pages"}}}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(text, '\n'), nil
}

func reflectKeys(keys any) *jsonschema.Schema {
	r := jsonschema.Reflector{Anonymous: true, DoNotReference: true}
	s := r.ReflectFromType(reflect.TypeOf(keys))
	s.Version = ""
	return s
}

func typed(t string) *jsonschema.Schema { return &jsonschema.Schema{Type: t} }

func pattern(p string) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Pattern: p} }

func words(list []string) *jsonschema.Schema {
	s := typed("string")
	for _, w := range list {
		s.Enum = append(s.Enum, w)
	}
	s.Default = list[0]
	return s
}

func anyOf(s ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: s} }

func listOf(s *jsonschema.Schema) *jsonschema.Schema {
	one := uint64(1)
	return &jsonschema.Schema{Type: "array", Items: s, MinItems: &one}
}

func mapOf(names, values *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", PropertyNames: names, AdditionalProperties: values}
}

// JSONSchema of the words and texts.

func (scalarText) JSONSchema() *jsonschema.Schema {
	return anyOf(typed("string"), typed("number"), typed("boolean"))
}
func (urlText) JSONSchema() *jsonschema.Schema  { return pattern(`^[hH][tT][tT][pP][sS]?://`) }
func (duration) JSONSchema() *jsonschema.Schema { return pattern(`^([0-9.]+(ms|s|m|h))+$`) }
func (rate) JSONSchema() *jsonschema.Schema {
	return pattern(`^(none|[0-9.]+ ?/ ?(s|min|hour|day))$`)
}
func (viewport) JSONSchema() *jsonschema.Schema         { return pattern(`^[0-9]+x[0-9]+$`) }
func (blockWord) JSONSchema() *jsonschema.Schema        { s := words(blockWords); s.Default = nil; return s }
func (rowsWord) JSONSchema() *jsonschema.Schema         { return words(rowsWords) }
func (duplicatesWord) JSONSchema() *jsonschema.Schema   { return words(duplicatesWords) }
func (otherColumnsWord) JSONSchema() *jsonschema.Schema { return words(otherColumnsWords) }
func (goneWord) JSONSchema() *jsonschema.Schema         { return words(goneWords) }
func (overlapWord) JSONSchema() *jsonschema.Schema      { return words(overlapWords) }
func (robotsWord) JSONSchema() *jsonschema.Schema       { return words(robotsWords) }
func (typeWord) JSONSchema() *jsonschema.Schema {
	s := words(typeWords)
	s.Default = nil
	return s
}

// JSONSchema of the values that take several shapes.

func (schedules) JSONSchema() *jsonschema.Schema {
	one := anyOf(typed("string"), reflectKeys(scheduleKeys{}))
	return anyOf(typed("string"), reflectKeys(scheduleKeys{}), listOf(one))
}

func (sources) JSONSchema() *jsonschema.Schema {
	return anyOf(urlText("").JSONSchema(), reflectKeys(sourceKeys{}),
		listOf(anyOf(urlText("").JSONSchema(), reflectKeys(sourceKeys{}))))
}

func (variables) JSONSchema() *jsonschema.Schema {
	return mapOf(pattern(`^[A-Za-z][A-Za-z0-9_]*$`),
		anyOf(listOf(scalarText("").JSONSchema()), reflectKeys(valuesKeys{})))
}

func (tables) JSONSchema() *jsonschema.Schema {
	return mapOf(sqlNamePattern(), anyOf(reflectKeys(tableKeys{}), typed("null")))
}

func (secretValue) JSONSchema() *jsonschema.Schema {
	return anyOf(scalarText("").JSONSchema(), reflectKeys(secretKeys{}))
}

func (jsonValue) JSONSchema() *jsonschema.Schema {
	return anyOf(typed("string"), reflectKeys(jsonKeys{}))
}

func (totalValue) JSONSchema() *jsonschema.Schema {
	return anyOf(typed("string"), reflectKeys(locatorKeys{}))
}

func (columnAny) JSONSchema() *jsonschema.Schema {
	return anyOf(scalarText("").JSONSchema(), reflectKeys(columnKeys{}), typed("null"))
}

func sqlNamePattern() *jsonschema.Schema { return pattern(`^[^A-Z_0-9\s][^A-Z\s]*$`) }
