package config

import (
	"hash"
	"reflect"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"go.yaml.in/yaml/v4"
)

// decoder fills the declared structs from YAML nodes and collects every problem on the way.
type decoder struct {
	file     *File
	env      Env
	sum      hash.Hash // of everything that was read
	problems Problems
	visits   int
	merges   int // how deep << is being followed

	kept bool                         // it is no file but an item: nothing is taken from the environment or from files
	open func(string) (string, error) // opens the sealed secrets of an item; nil where they are not sealed
}

// mostVisits bounds the work that a file of aliases to aliases can ask for.
const mostVisits = 1_000_000

// deepest bounds how many aliases lead on to one another, for an alias can hold itself. The depth of
// all else is that of the declared structs.
const deepest = 32

func (d *decoder) fail(path, format string, args ...any) {
	d.problems.add(&d.file.source, path, format, args...)
}

// failAt reports a problem at a node that is not the value of its path: a key, say.
func (d *decoder) failAt(n *yaml.Node, path, format string, args ...any) {
	d.fail(path, format, args...)
	p := &d.problems[len(d.problems)-1]
	p.Line, p.Column = n.Line, n.Column
}

// mark notes where a value stands.
func (d *decoder) mark(path string, n *yaml.Node, raw string) {
	d.file.source.marks[path] = mark{line: n.Line, column: n.Column, raw: raw}
}

// value fills one field from the node written for it.
func (d *decoder) value(n *yaml.Node, v reflect.Value, f field, path string) {
	n, ok := d.follow(n, path)
	if !ok {
		return
	}
	d.mark(path, n, "")
	t := v.Type()
	if t.Kind() == reflect.Pointer && isStruct(t.Elem()) {
		if isNull(n) {
			return
		}
		v.Set(reflect.New(t.Elem()))
		v = v.Elem()
		setDefaults(v)
		t = v.Type()
	}
	switch {
	case isStruct(t):
		d.structure(n, v, path)
	case t.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	case t.Kind() == reflect.Map:
		d.mapping(n, v, path)
	default:
		d.scalar(n, v, f, path)
	}
}

// follow resolves an alias. What all aliases of the file unfold to is bounded.
func (d *decoder) follow(n *yaml.Node, path string) (*yaml.Node, bool) {
	for hops := 0; n.Kind == yaml.AliasNode && hops < deepest; hops++ {
		n = n.Alias
	}
	d.visits++
	if d.visits == mostVisits {
		d.fail(path, "the aliases of this file unfold to too much")
	}
	return n, d.visits < mostVisits && n.Kind != yaml.AliasNode
}

// isNull reports whether nothing was written after the colon, or null.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kindOf says what was written, for messages.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	}
	return "text"
}

// structure fills a declared struct: unknown and repeated names are problems, and so are required ones
// that are missing.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) && path != "" {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(path, "must be a mapping, not %s", kindOf(n))
		return
	}
	fs := fieldsOf(v.Type())
	members := d.members(n, path)
	for _, m := range members {
		d.member(m, v, fs, path)
	}
	for _, f := range fs {
		given := slices.ContainsFunc(members, func(m member) bool { return m.key.Value == f.name })
		if f.required && !given {
			d.fail(path, "%s is missing", f.name)
		}
	}
}

// member fills the field that a member names.
func (d *decoder) member(m member, v reflect.Value, fs []field, path string) {
	name := m.key.Value
	here := join(path, name)
	for _, f := range fs {
		if f.name == name && !f.rest {
			d.value(m.value, v.Field(f.index), f, here)
			return
		}
	}
	for _, f := range fs {
		if f.rest {
			d.keep(m, v.Field(f.index), here)
			return
		}
	}
	known := names(fs)
	d.failAt(m.key, here, "unknown field%s (known here: %s)", suggest(name, known), strings.Join(known, ", "))
}

// keep puts a member whose name only a provider knows with the rest.
func (d *decoder) keep(m member, v reflect.Value, path string) {
	n, ok := d.follow(m.value, path)
	if !ok {
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.failAt(m.key, path, "unknown field (settings of a provider are single values, and this is %s)", kindOf(n))
		return
	}
	d.mark(path, m.key, "")
	d.entry(n, v, m.key.Value, path)
}

// member is one name of a mapping and what was written for it.
type member struct{ key, value *yaml.Node }

// members lists a mapping's members, those merged in with << last, and reports names that are not text
// or come twice.
func (d *decoder) members(n *yaml.Node, path string) []member {
	var own, merged []member
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, d.merged(value, path)...)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			d.failAt(key, path, "a name here must be text, not %s", kindOf(key))
			continue
		}
		if line, ok := first[key.Value]; ok {
			d.failAt(key, join(path, key.Value), "given twice; first in line %d", line)
			continue
		}
		first[key.Value] = key.Line
		own = append(own, member{key, value})
	}
	for _, m := range merged {
		if _, ok := first[m.key.Value]; !ok {
			first[m.key.Value] = m.key.Line
			own = append(own, m)
		}
	}
	return own
}

// merged lists the members that << brings in from one mapping or from several.
func (d *decoder) merged(n *yaml.Node, path string) []member {
	n, ok := d.follow(n, path)
	if d.merges == deepest {
		d.failAt(n, path, "<< goes too deep")
	}
	if !ok || d.merges >= deepest {
		return nil
	}
	d.merges++
	defer func() { d.merges-- }()
	switch n.Kind {
	case yaml.MappingNode:
		return d.members(n, path)
	case yaml.SequenceNode:
		var all []member
		for _, c := range n.Content {
			all = append(all, d.merged(c, path)...)
		}
		return all
	}
	d.failAt(n, path, "<< takes a mapping, not %s", kindOf(n))
	return nil
}

// list fills a slice.
func (d *decoder) list(n *yaml.Node, v reflect.Value, f field, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(path, "must be a list, not %s", kindOf(n))
		return
	}
	if f.required && len(n.Content) == 0 {
		d.fail(path, "must have at least one item")
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		item := out.Index(i)
		if isStruct(item.Type()) {
			setDefaults(item)
		}
		d.value(c, item, field{typ: item.Type()}, index(path, i))
	}
	v.Set(out)
}

// mapping fills a map from names to texts or secrets.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(path, "must be a mapping, not %s", kindOf(n))
		return
	}
	for _, m := range d.members(n, path) {
		here := join(path, m.key.Value)
		value, ok := d.follow(m.value, here)
		if !ok {
			continue
		}
		d.mark(here, value, "")
		d.entry(value, v, m.key.Value, here)
	}
}

// entry puts one text or secret into a map.
func (d *decoder) entry(n *yaml.Node, v reflect.Value, name, path string) {
	item := reflect.New(v.Type().Elem()).Elem()
	if !d.scalar(n, item, field{typ: item.Type()}, path) {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(reflect.ValueOf(name), item)
}

// scalar fills a field from one value and reports whether it could.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, f field, path string) bool {
	if n.Kind != yaml.ScalarNode {
		d.fail(path, "must be a single value, not %s", kindOf(n))
		return false
	}
	if isNull(n) {
		d.fail(path, "has no value; write one or leave the field out")
		return false
	}
	text, problem := d.expand(n.Value)
	if problem != "" {
		d.fail(path, "%s", problem)
		return false
	}
	expanded := text != n.Value
	if wantsPlain(v) && n.Tag == "!!str" && n.Style != 0 && !expanded {
		d.fail(path, "must be %s, not text; drop the quotes", plainName(v))
		return false
	}
	secret := v.Type() == reflect.TypeFor[plenum.Secret]()
	if secret && d.open != nil {
		var err error
		if text, err = d.open(text); err != nil {
			d.fail(path, "cannot be opened: %v", err)
			return false
		}
	}
	if err := setScalar(v, f, text); err != nil {
		if secret {
			d.fail(path, "%v", err)
		} else {
			d.fail(path, "%q %v", clip(n.Value), err)
		}
		return false
	}
	if !secret {
		d.mark(path, n, n.Value)
	}
	return true
}

// wantsPlain reports whether a field is a number or a truth value, which YAML does not quote.
func wantsPlain(v reflect.Value) bool { return plainName(v) != "" }

func plainName(v reflect.Value) string {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Bool || t == reflect.TypeFor[plenum.Tri]():
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a number"
	}
	return ""
}
