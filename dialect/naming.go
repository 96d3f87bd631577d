package dialect

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/internal/form"
	"github.com/plenum-foundry/plenum/internal/splice"
)

// Naming is what a dialect knows of the things that a vendor keeps (files, vector stores, containers) and that
// requests name by their ids: where in a request such an id stands, and where an answer tells the id of a new one.
//
// Everyone who calls through a deployment shares one account with its vendor. Whoever could name anything that is
// there could read what others have: so each id is looked for, whatever else of the request is read.
type Naming struct {
	asks, says         *splice.Paths
	members, mentioned []NamingMember
}

// NamingMember is one place where a thing is named: keys with dots between them, a star for every element of a list or
// member of an object, and a plus for what may be a list or a single one.
type NamingMember struct {
	Path string
	// ID returns the id that is meant by the text there, or "" where it names nothing that is anyone's. Nil: the
	// text itself.
	ID func(text string) string
	// Brings, where set, makes it a member that names nothing: it reports whether the answer to a request with
	// that text (or "" for other values) may tell of new things.
	Brings func(text string) bool
	// Kind is what sort of thing an answer tells of: "containers".
	Kind string
}

// Named is a thing that is named.
type Named struct {
	ID    string
	Param string // where, for an error
	Kind  string // of what an answer tells
}

// Names is what a request names. The zero value names nothing.
type Names struct {
	Things []Named
	// Brings says that the answer may tell of new things, which By finds.
	Brings bool
	By     Teller
}

// Teller finds what an answer tells of.
type Teller interface {
	// Told returns the things of which an answer, or a frame of one, tells the ids.
	Told(body []byte) []Named
}

// NewNaming returns a naming: where requests name things, and where answers tell of new ones, whole or in a frame of
// a stream.
func NewNaming(asks, says []NamingMember) *Naming {
	return &Naming{asks: pathsOf(asks), says: pathsOf(says), members: asks, mentioned: says}
}

func pathsOf(members []NamingMember) *splice.Paths {
	paths := make([]string, len(members))
	for i, m := range members {
		paths[i] = m.Path
	}
	return splice.NewPaths(paths...)
}

// MembersAt returns members at paths where ids stand as they are.
func MembersAt(paths ...string) []NamingMember {
	out := make([]NamingMember, len(paths))
	for i, p := range paths {
		out[i] = NamingMember{Path: p}
	}
	return out
}

// Members returns where requests name things; tests walk over it.
func (n *Naming) Members() []NamingMember { return slices.Clone(n.members) }

// Scan does what [splice.Scan] does and finds what the request names, in the same pass over it. A nil Naming finds
// nothing.
func (n *Naming) Scan(body []byte, depth int, keys []string, found []splice.Member) (splice.Object, Names, error) {
	if n == nil {
		o, err := splice.Scan(body, depth, keys, found)
		return o, Names{}, err
	}
	o, hits, err := n.asks.Scan(body, depth, keys, found)
	return o, n.names(body, hits), err
}

// Read finds what a request names that is not scanned anyway: JSON, or a form. In a form a member stands under its
// path, the way SDKs write it: "mask[file_id]".
func (n *Naming) Read(in Inbound) Names {
	if n == nil {
		return Names{}
	}
	if media := in.Header.Get("Content-Type"); strings.HasPrefix(strings.ToLower(media), "multipart/") {
		return n.inForm(in.Body, media)
	}
	hits, _ := n.asks.Find(in.Body, nil) // what is no JSON is refused by whoever reads it
	return n.names(in.Body, hits)
}

func (n *Naming) names(body []byte, hits []splice.Hit) Names {
	if len(hits) == 0 {
		return Names{}
	}
	out := Names{By: n}
	for _, h := range hits {
		m := &n.members[h.Path]
		text, isText := h.At.String(body)
		switch {
		case m.Brings != nil:
			out.Brings = out.Brings || m.Brings(text)
		case isText:
			out.add(m, text)
		}
	}
	return out
}

func (n *Names) add(m *NamingMember, text string) {
	if m.ID != nil {
		text = m.ID(text)
	}
	if text != "" {
		n.Things = append(n.Things, Named{ID: text, Param: paramOf(m.Path), Kind: m.Kind})
	}
}

// Param says the member as an error does: "tools[].vector_store_ids".
func (m NamingMember) Param() string { return paramOf(m.Path) }

// paramOf says a path as an error does: "tools[].vector_store_ids".
func paramOf(path string) string {
	path = strings.NewReplacer(".*", "[]", ".+", "[]").Replace(path)
	return strings.TrimSuffix(path, "[]")
}

// inForm looks at the fields of a form whose names end as those of members do. Files are content.
func (n *Naming) inForm(body []byte, media string) Names {
	out := Names{By: n}
	f, err := form.Parse(body, media)
	if err != nil {
		return out // whoever reads it refuses it
	}
	for _, p := range f.Parts {
		last := strings.Trim(p.Name[strings.LastIndexByte(p.Name, '[')+1:], "]")
		if p.File != "" || last == "" {
			continue
		}
		for i := range n.members {
			m := &n.members[i]
			if m.Brings == nil && m.Path[strings.LastIndexByte(m.Path, '.')+1:] == last {
				out.add(m, string(f.Content(p)))
				break
			}
		}
	}
	return out
}

// Told implements Teller.
func (n *Naming) Told(body []byte) []Named {
	hits, err := n.says.Find(body, nil)
	if err != nil || len(hits) == 0 {
		return nil
	}
	var out Names
	for _, h := range hits {
		if text, ok := h.At.String(body); ok {
			out.add(&n.mentioned[h.Path], text)
		}
	}
	return out.Things
}

// Connector returns the id of a connector to other services that someone has set up; a vendor's own have names that
// everyone knows.
func Connector(id string) string {
	if strings.HasPrefix(id, "connector_") {
		return ""
	}
	return id
}

// Skill returns the id of a skill that someone has uploaded; a vendor's own have plain names.
func Skill(id string) string {
	if !strings.HasPrefix(id, "skill_") {
		return ""
	}
	return id
}
