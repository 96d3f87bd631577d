// Package form reads and edits multipart/form-data where it stands. A file in it is never copied or looked
// at: what is wanted of a form are its few short fields, and what is changed of it is one of them.
package form

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strings"
)

// Form is a form in a body.
type Form struct {
	Parts    []Part
	body     []byte
	boundary string
	end      int // where the boundary stands that ends it
}

// Part is a field or a file.
type Part struct {
	Name string
	File string // the file's name; "" for a field, and for a file without one
	Type string // its content type, or ""
	// Start and End are where its content is in the body; From and To where all of it is, with the boundary
	// before it.
	Start, End, From, To int
}

// The bounds of a form that is read.
const (
	maxParts = 256
	maxHead  = 16 << 10
)

// ErrNotForm is the error of a content type that is no multipart/form-data.
var ErrNotForm = errors.New("the content type is not multipart/form-data with a boundary")

// Parse finds the parts of a form. The body is kept and must not be written to.
func Parse(body []byte, contentType string) (*Form, error) {
	media, params, err := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	if err != nil || media != "multipart/form-data" || boundary == "" || len(boundary) > 200 {
		return nil, ErrNotForm
	}
	f := &Form{body: body, boundary: boundary}
	at, end, ok := f.delimiter(0, true)
	if !ok {
		return nil, errors.New("the form's boundary is not in the body")
	}
	for !f.last(end) {
		if len(f.Parts) == maxParts {
			return nil, fmt.Errorf("the form has more than %d parts", maxParts)
		}
		p, err := f.part(at, end)
		if err != nil {
			return nil, err
		}
		f.Parts = append(f.Parts, p)
		if at, end, ok = f.delimiter(p.Start, false); !ok {
			return nil, errors.New("the form ends within a part")
		}
		f.Parts[len(f.Parts)-1].End = at
		at += len("\r\n")
		f.Parts[len(f.Parts)-1].To = at
	}
	if len(f.Parts) == 0 {
		return nil, errors.New("the form is empty")
	}
	f.end = at
	return f, nil
}

// delimiter finds the next boundary that stands on a line of its own: where it begins (with the line break
// before it, unless it is the first), and where its line goes on behind the boundary.
func (f *Form) delimiter(from int, first bool) (at, end int, ok bool) {
	mark := []byte("\r\n--" + f.boundary)
	if first && bytes.HasPrefix(f.body, mark[2:]) && f.closed(len(mark)-2) {
		return 0, len(mark) - 2, true
	}
	if from >= 2 && !first {
		from -= 2 // an empty part: the line break is that of its head
	}
	for {
		i := bytes.Index(f.body[from:], mark)
		if i < 0 {
			return 0, 0, false
		}
		at, end = from+i, from+i+len(mark)
		if f.closed(end) {
			if first {
				at += len("\r\n")
			}
			return at, end, true
		}
		from = end
	}
}

// closed reports whether a boundary ends there, and is not the beginning of a longer line.
func (f *Form) closed(end int) bool {
	rest := bytes.TrimLeft(f.body[end:min(len(f.body), end+64)], " \t")
	return f.last(end) || bytes.HasPrefix(rest, []byte("\r\n"))
}

// last reports whether the boundary that ends there ends the form.
func (f *Form) last(end int) bool { return bytes.HasPrefix(f.body[end:], []byte("--")) }

// part reads the head of a part whose boundary is from at to end.
func (f *Form) part(at, end int) (Part, error) {
	line := bytes.Index(f.body[end:], []byte("\r\n"))
	from := end + line + len("\r\n")
	head := f.body[from:min(len(f.body), from+maxHead)]
	n := bytes.Index(head, []byte("\r\n\r\n"))
	if bytes.HasPrefix(head, []byte("\r\n")) {
		n = -len("\r\n") // no head at all
	}
	if n < 0 && !bytes.HasPrefix(head, []byte("\r\n")) {
		return Part{}, errors.New("a part of the form has no end of its head, or too long a one")
	}
	p := Part{From: at, Start: from + n + len("\r\n\r\n")}
	for h := range strings.SplitSeq(string(head[:max(n, 0)]), "\r\n") {
		name, value, _ := strings.Cut(h, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "content-disposition":
			_, params, err := mime.ParseMediaType(value)
			if err != nil {
				return Part{}, fmt.Errorf("a part of the form: %w", err)
			}
			p.Name, p.File = params["name"], params["filename"]
		case "content-type":
			p.Type = strings.TrimSpace(value)
		}
	}
	if p.Name == "" {
		return Part{}, errors.New("a part of the form has no name")
	}
	return p, nil
}

// Content returns the bytes of a part where they stand.
func (f *Form) Content(p Part) []byte { return f.body[p.Start:p.End] }

// Value returns the value of a field, and whether there is exactly one.
func (f *Form) Value(name string) (string, bool) {
	value, n := "", 0
	for _, p := range f.Parts {
		if p.Name == name {
			value, n = string(f.Content(p)), n+1
		}
	}
	return value, n == 1
}

// Count returns how many parts have a name.
func (f *Form) Count(name string) int {
	n := 0
	for _, p := range f.Parts {
		if p.Name == name {
			n++
		}
	}
	return n
}

// Edit is what is to be changed of a form.
type Edit struct {
	Set  map[string]string // fields by name: they get this value, or are added
	Drop []string          // parts by name
}

// Apply appends the form with the changes made. All other bytes are those of the body.
func (f *Form) Apply(dst []byte, e Edit) []byte {
	kept, done := 0, map[string]bool{}
	for _, p := range f.Parts {
		value, set := e.Set[p.Name]
		switch {
		case contains(e.Drop, p.Name):
			dst = append(dst, f.body[kept:p.From]...)
			kept = p.To
		case set && !done[p.Name]:
			done[p.Name] = true
			dst = append(append(dst, f.body[kept:p.Start]...), value...)
			kept = p.End
		}
	}
	// What was not there comes before the end.
	dst = append(dst, f.body[kept:f.end]...)
	for name, value := range e.Set {
		if !done[name] {
			dst = AppendField(dst, f.boundary, name, value)
		}
	}
	return append(dst, f.body[f.end:]...)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// AppendField appends a field as a part.
func AppendField(dst []byte, boundary, name, value string) []byte {
	dst = append(dst, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+escape(name)+"\"\r\n\r\n"...)
	return append(append(dst, value...), "\r\n"...)
}

// AppendFile appends a file as a part.
func AppendFile(dst []byte, boundary string, p Part, content []byte) []byte {
	dst = append(dst, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+escape(p.Name)+"\"; filename=\""+escape(p.File)+"\"\r\n"...)
	if p.Type != "" {
		dst = append(dst, "Content-Type: "+p.Type+"\r\n"...)
	}
	dst = append(append(dst, "\r\n"...), content...)
	return append(dst, "\r\n"...)
}

// AppendEnd ends a form.
func AppendEnd(dst []byte, boundary string) []byte { return append(dst, "--"+boundary+"--\r\n"...) }

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A").Replace(s)
}
