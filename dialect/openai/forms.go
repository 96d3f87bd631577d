package openai

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/internal/form"
	"github.com/plenum-foundry/plenum/llm"
)

// Requests that bring files are forms (multipart/form-data). They are edited where they stand: the name of the
// model is a part of its own, and no byte of a file is looked at.

// isForm reports whether a request is said as a form.
func isForm(in dialect.Inbound) bool {
	return strings.HasPrefix(strings.ToLower(in.Header.Get("Content-Type")), "multipart/")
}

// readForm reads a form.
func readForm(in dialect.Inbound) (*form.Form, error) {
	f, err := form.Parse(in.Body, in.Header.Get("Content-Type"))
	if errors.Is(err, form.ErrNotForm) {
		return nil, &llm.Error{Kind: llm.Unsupported, Op: where, Message: "send multipart/form-data with the file as a part of it", Err: err}
	}
	if err != nil {
		return nil, &llm.Error{Kind: llm.Invalid, Op: where, Message: "the body is no form that can be read: " + err.Error(), Err: err}
	}
	if f.Count("model") > 1 {
		return nil, &llm.Error{Kind: llm.Invalid, Op: where, Param: "model", Message: "model: stands twice in the form"}
	}
	return f, nil
}

// peekForm reads what routing must know of a form.
func peekForm(in dialect.Inbound) (dialect.Head, error) {
	f, err := readForm(in)
	if err != nil {
		return dialect.Head{}, err
	}
	h := dialect.Head{State: f}
	h.Model, _ = f.Value("model")
	if name := in.Vars[deploymentVar]; name != "" {
		h.Model = name
	}
	stream, _ := f.Value("stream")
	h.Stream = yes(stream)
	if h.Model == "" {
		return h, newOperation().NoModel()
	}
	return h, nil
}

func yes(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

// editForm puts the upstream's model into a form, and takes out what the host refuses.
func editForm(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	f, ok := h.State.(*form.Form)
	if !ok {
		var err error
		if f, err = readForm(in); err != nil {
			return dialect.Outbound{}, err
		}
	}
	var e form.Edit
	name := s.Upstream("")
	if said, _ := f.Value("model"); name != "" && said != name {
		e.Set = map[string]string{"model": name}
	}
	changed, err := refusedFields(f, s, &e)
	if err != nil {
		return dialect.Outbound{}, err
	}
	out := dialect.Outbound{Header: headers(in.Header), Body: in.Body, Changed: changed}
	out.Header["Content-Type"] = []string{in.Header.Get("Content-Type")}
	if e.Set != nil || e.Drop != nil {
		out.Body = f.Apply(bufs.Get(len(in.Body)+256), e)
	}
	return out, nil
}

func refusedFields(f *form.Form, s dialect.Shape, e *form.Edit) (changed []string, err error) {
	if s.Offer == nil || s.Params == plenum.ParamPass {
		return nil, nil
	}
	for _, name := range s.Offer.Traits.Refuses {
		if f.Count(name) == 0 || slices.Contains(e.Drop, name) {
			continue
		}
		if s.Params == plenum.ParamStrict {
			return nil, &llm.Error{Kind: llm.Invalid, Op: where, Param: name, Message: name + " is refused by the model this call would go to; leave it out"}
		}
		e.Drop = append(e.Drop, name)
		if s.Params != plenum.ParamDrop {
			changed = append(changed, name+" removed (refused by the model)")
		}
	}
	return changed, nil
}

// formBody is a form being written. Its boundary is made up anew each time: nobody can put it into a file.
type formBody struct {
	buf      []byte
	boundary string
}

func newForm() *formBody { return &formBody{boundary: rand.Text()} }

func (b *formBody) field(name, value string) {
	b.buf = form.AppendField(b.buf, b.boundary, name, value)
}

func (b *formBody) optional(name, value string) {
	if value != "" {
		b.field(name, value)
	}
}

func (b *formBody) file(p form.Part, content []byte) {
	b.buf = form.AppendFile(b.buf, b.boundary, p, content)
}

func (b *formBody) end() dialect.Outbound {
	return dialect.Outbound{
		Header: http.Header{"Content-Type": {"multipart/form-data; boundary=" + b.boundary}},
		Body:   form.AppendEnd(b.buf, b.boundary),
	}
}
