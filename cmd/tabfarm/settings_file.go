package main

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// settingFile is one tabfarm.yaml as read.
type settingFile struct {
	values   map[string]any    // nested, only known keys
	places   map[string]string // key -> FILE:LINE:COL of its value
	mistakes settingMistakes
}

// readSettingFile reads a tabfarm.yaml itself and not through viper, which
// knows no lines and takes any key.
func readSettingFile(file string, text []byte) settingFile {
	f := settingFile{values: map[string]any{}, places: map[string]string{}}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		f.mistakes = append(f.mistakes, fmt.Sprintf("%s: is not valid YAML: %s. Write keys as  database: {schema: public}",
			file, strings.ReplaceAll(err.Error(), "\n", "; ")))
		return f
	}
	if len(root.Content) == 0 {
		return f
	}
	top := root.Content[0]
	switch {
	case top.Kind == yaml.ScalarNode && top.Tag == "!!null":
	case top.Kind != yaml.MappingNode:
		f.mistakes = append(f.mistakes, fmt.Sprintf("%s:%d:%d: is no mapping. Write keys as  database: {schema: public}", file, top.Line, top.Column))
	default:
		f.walk(file, "", top, f.values)
	}
	return f
}

// walk puts the known keys of a mapping into to.
func (f *settingFile) walk(file, prefix string, m *yaml.Node, to map[string]any) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		name, node := m.Content[i], m.Content[i+1]
		key := prefix + name.Value
		place := fmt.Sprintf("%s:%d:%d", file, name.Line, name.Column)
		switch {
		case isOption(key):
			v, err := settingValue(node)
			if err != nil {
				f.mistakes = append(f.mistakes, fmt.Sprintf("%s: %s: %v.", place, key, err))
				continue
			}
			to[name.Value] = v
			f.places[key] = fmt.Sprintf("%s:%d:%d", file, node.Line, node.Column)
		case isSection(key) && node.Kind == yaml.MappingNode:
			below := map[string]any{}
			f.walk(file, key+".", node, below)
			to[name.Value] = below
		case isSection(key) && node.Tag == "!!null":
		case isSection(key):
			f.mistakes = append(f.mistakes, fmt.Sprintf("%s: %s: has keys below it. Write them indented on lines of their own.", place, key))
		default:
			f.mistakes = append(f.mistakes, fmt.Sprintf("%s: unknown key %s; did you mean %s?", place, key, nearestKey(key)))
		}
	}
}

// settingValue decodes a scalar or a list of scalars.
func settingValue(node *yaml.Node) (any, error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return nil, errors.New("has no value. Write one, or remove the line")
	case node.Kind == yaml.ScalarNode:
		return node.Value, nil
	case node.Kind == yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, n := range node.Content {
			if n.Kind != yaml.ScalarNode {
				return nil, errors.New("is a list of lists. Write a list of single values")
			}
			list = append(list, n.Value)
		}
		return list, nil
	}
	return nil, errors.New("takes a value and no keys")
}

func isOption(key string) bool {
	for _, o := range options() {
		if o.key == key {
			return true
		}
	}
	return false
}

func isSection(key string) bool {
	for _, o := range options() {
		if strings.HasPrefix(o.key, key+".") {
			return true
		}
	}
	return false
}

// nearestKey is the key or section of the configuration that is spelled most
// alike. A key without its section is compared with the last parts.
func nearestKey(key string) string {
	meant := map[string]string{}
	var words []string
	for _, o := range options() {
		section, last, _ := strings.Cut(o.key, ".")
		meant[o.key], words = o.key, append(words, o.key)
		if !strings.Contains(key, ".") {
			meant[section], meant[last], words = section, o.key, append(words, section, last)
		}
	}
	return meant[nearest(strings.ToLower(key), words)]
}
