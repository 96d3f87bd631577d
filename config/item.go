package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Noun is a list of the configuration whose items can be declared one by one as well, through the management API.
type Noun struct {
	List string // what the list is called: "deployments"
	One  string // what one of it is called: "deployment"
	Doc  string

	index int
	typ   reflect.Type // of an item
}

// Nouns returns them all, in the order of the file.
func Nouns() []Noun {
	var out []Noun
	t := reflect.TypeFor[File]()
	for _, f := range fieldsOf(t) {
		if one, ok := t.Field(f.index).Tag.Lookup("noun"); ok {
			out = append(out, Noun{List: f.name, One: one, Doc: f.doc, index: f.index, typ: f.typ.Elem()})
		}
	}
	return out
}

// NounOf returns the noun of a list's name.
func NounOf(list string) (Noun, bool) {
	for _, n := range Nouns() {
		if n.List == list {
			return n, true
		}
	}
	return Noun{}, false
}

// Schema returns the JSON Schema of one item.
func (n Noun) Schema() map[string]any { return schemaOf(n.typ, field{}) }

// Declared returns the names of the items that the file itself declares, in its order.
func (n Noun) Declared(f *File) []string {
	v := valueOf(f).Field(n.index)
	most := v.Len()
	if first, ok := f.source.kept[n.List]; ok {
		most = first
	}
	out := make([]string, 0, most)
	for i := range most {
		out = append(out, nameOf(v.Index(i)))
	}
	return out
}

// nameOf returns what an item is called.
func nameOf(v reflect.Value) string {
	for _, f := range fieldsOf(v.Type()) {
		if f.name == "name" {
			return v.Field(f.index).String()
		}
	}
	return ""
}

// Item is one item of a list as it is kept: its JSON, in which secrets are sealed.
type Item struct {
	List, Name string
	Version    int64
	Spec       []byte
}

// String names the item for messages.
func (i Item) String() string { return i.one() + " " + strconv.Quote(i.Name) }

func (i Item) one() string {
	if n, ok := NounOf(i.List); ok {
		return n.One
	}
	return i.List
}

// Check reads the JSON of an item. Its error is Problems, whose paths begin at the item. Opened is given each secret;
// nil takes them as they stand.
func (i *Item) Check(open func(string) (string, error)) error {
	_, err := i.read(open)
	return err
}

// read returns the item's value.
func (i *Item) read(open func(string) (string, error)) (reflect.Value, error) {
	n, ok := NounOf(i.List)
	if !ok {
		return reflect.Value{}, Problems{{File: i.List, Message: "there is no such list"}}
	}
	d := &decoder{file: New(), sum: sha256.New(), kept: true, open: open}
	d.file.source = source{name: i.String(), marks: map[string]mark{"": {}}}
	v := reflect.New(n.typ).Elem()
	setDefaults(v)
	if !json.Valid(i.Spec) {
		d.fail("", "is not JSON")
	} else if root := d.document(i.Spec); root != nil {
		d.structure(root, v, "")
	}
	if name := nameOf(v); len(d.problems) == 0 && name != i.Name {
		d.fail("name", "is %q, and the address says %q", clip(name), clip(i.Name))
	}
	for j := range d.problems {
		d.problems[j].Line, d.problems[j].Column, d.problems[j].kept = 0, 0, i.id() // there is no text that somebody has in front of them
	}
	return v, d.problems.asError()
}

// Shelf keeps items that were read, so that those which have not changed are not read again.
type Shelf struct {
	Open func(string) (string, error) // opens sealed secrets
	read map[shelved]reflect.Value
}

type shelved struct {
	list, name string
	version    int64
}

// Put returns a file with items added to its lists. Those whose name the file declares itself, and those that cannot
// be read, are left out and told. At is the revision of the items, which becomes part of the version.
func (s *Shelf) Put(f *File, items []Item, at int64) (*File, Problems) {
	if len(items) == 0 && at == 0 {
		return f, nil
	}
	out, fresh, left := s.put(f, items, at)
	s.read = fresh
	return out, left
}

// Try returns what Put would, and keeps nothing. Items that are not kept yet have a version below zero.
func (s *Shelf) Try(f *File, items []Item, at int64) (*File, Problems) {
	out, _, left := s.put(f, items, at)
	return out, left
}

// put returns also the items that were read.
func (s *Shelf) put(f *File, items []Item, at int64) (*File, map[shelved]reflect.Value, Problems) {
	out := *f
	out.source.kept, out.source.items = map[string]int{}, map[string][]string{}
	out.source.digest = sha256.Sum256(fmt.Appendf(slices.Clone(f.source.digest[:]), " %d", at))
	taken := map[string]map[string]bool{}
	root := valueOf(&out)
	listOf := map[string]int{} // looked up once, and not with each of thousands of items
	for _, n := range Nouns() {
		listOf[n.List] = n.index
		v := root.Field(n.index)
		v.Set(v.Slice3(0, v.Len(), v.Len()))
		out.source.kept[n.List] = v.Len()
		taken[n.List] = map[string]bool{}
		for _, name := range n.Declared(f) {
			taken[n.List][name] = true
		}
	}
	var left Problems
	fresh := make(map[shelved]reflect.Value, len(items))
	for i := range items {
		it := &items[i]
		if taken[it.List][it.Name] {
			left = append(left, Problem{File: it.String(), Path: "name", Message: "is declared in " + f.source.name + ", which counts", kept: it.id(), shadowed: true})
			continue
		}
		key := shelved{it.List, it.Name, it.Version}
		v, ok := s.read[key]
		if !ok || it.Version < 0 {
			var err error
			if v, err = it.read(s.Open); err != nil {
				left = append(left, problemsOf(err)...)
				continue
			}
		}
		fresh[key] = v
		list := root.Field(listOf[it.List])
		list.Set(reflect.Append(list, v))
		out.source.items[it.List] = append(out.source.items[it.List], it.Name)
	}
	return &out, fresh, left
}

func problemsOf(err error) Problems {
	if ps, ok := err.(Problems); ok { //nolint:errorlint // asError returns it bare
		return ps
	}
	return Problems{{Message: err.Error()}}
}

// keptAt returns the item that a path of the file stands in, and the path from there on; false where it was declared.
func (s *source) keptAt(path string) (item Item, rest string, ok bool) {
	list, after, found := strings.Cut(path, "[")
	first, kept := s.kept[list]
	if !found || !kept {
		return Item{}, "", false
	}
	number, rest, _ := strings.Cut(after, "]")
	i, err := strconv.Atoi(number)
	if err != nil || i < first || i-first >= len(s.items[list]) {
		return Item{}, "", false
	}
	return Item{List: list, Name: s.items[list][i-first]}, strings.TrimPrefix(rest, "."), true
}

// Kept reports whether what a problem is about is kept elsewhere and not declared in the file.
func (p Problem) Kept() bool { return p.kept != [2]string{} }

// Of returns the item that a problem is about, as its list and name.
func (p Problem) Of() (list, name string) { return p.kept[0], p.kept[1] }

// Shadowed reports whether an item is left out because the file declares one of its name.
func (p Problem) Shadowed() bool { return p.shadowed }

// id is what tells items apart.
func (i Item) id() [2]string { return [2]string{i.List, i.Name} }

// Secrets returns the JSON of an item with every secret in it put through a function, which is told the secret's
// path. All else stays as it is, but for the order of members.
func Secrets(list string, spec []byte, put func(path, value string) (string, error)) ([]byte, error) {
	n, ok := NounOf(list)
	if !ok {
		return nil, fmt.Errorf("there is no list %q", list)
	}
	d := json.NewDecoder(bytes.NewReader(spec))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	v, err := throughSecrets(n.typ, v, "", put)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func throughSecrets(t reflect.Type, v any, path string, put func(path, value string) (string, error)) (any, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var err error
	switch v := v.(type) {
	case string:
		if t == reflect.TypeFor[plenum.Secret]() {
			return put(path, v)
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for i := range v {
				if v[i], err = throughSecrets(t.Elem(), v[i], index(path, i), put); err != nil {
					return nil, err
				}
			}
		}
	case map[string]any:
		for name := range v {
			inner := memberType(t, name)
			if inner == nil {
				continue
			}
			if v[name], err = throughSecrets(inner, v[name], join(path, name), put); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// memberType returns the type of a member; nil where nothing of it is known.
func memberType(t reflect.Type, name string) reflect.Type {
	switch {
	case t.Kind() == reflect.Map:
		return t.Elem()
	case !isStruct(t):
		return nil
	}
	for _, f := range fieldsOf(t) {
		if f.name == name && !f.rest {
			return f.typ
		}
	}
	return nil
}
