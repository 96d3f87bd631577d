package invoke

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// promptCodec speaks to callers in the form of a family. It faces no upstream: such a request is said to
// a model in the language of its host.
type promptCodec struct {
	dialect.Local
	family *form
	aws    dialect.Codec
}

var _ dialect.Codec = (*promptCodec)(nil)

// What unpack puts beside the body for Peek and DecodeRequest.
const (
	modelVar  = "model"
	streamVar = "stream"
)

// prompted hands on a request in the form of a family.
func (l *languages) prompted(f family, in dialect.Inbound, name string, stream bool) dialect.Carried {
	in.Vars = map[string]string{modelVar: name}
	if stream {
		in.Vars[streamVar] = "true"
	}
	in.RawQuery = ""
	lang := l.prompts[f]
	return dialect.Carried{In: in, Dialect: lang.dialect, Codec: lang.codec}
}

// Peek implements dialect.Server.
func (c *promptCodec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	h := dialect.Head{Model: in.Vars[modelVar], Stream: in.Vars[streamVar] != ""}
	if err := splice.Valid(in.Body, b.MaxDepth); err != nil {
		return h, malformed(err)
	}
	v := wire.Whole(in.Body)
	if c.family.config != "" {
		v = v.Get(c.family.config)
	}
	if n := v.Get(c.family.maxOut); n.Found() && !n.IsNull() {
		if err := n.IntTo(&h.MaxOut); err != nil || h.MaxOut.V < 0 {
			return h, invalid(wire.Bad(c.family.path(c.family.maxOut), "a whole number"))
		}
	}
	return h, nil
}

func (f *form) path(key string) string {
	if f.config == "" {
		return key
	}
	return f.config + "." + key
}

// DecodeRequest implements dialect.Server.
func (c *promptCodec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	d := promptDecoder{form: c.family, r: &llm.Request{Model: in.Vars[modelVar], Stream: in.Vars[streamVar] != ""}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	return d.r, d.finish()
}

type promptDecoder struct {
	form      *form
	r         *llm.Request
	asked     bool
	prompt    string
	preamble  string
	history   []llm.Message
	documents []string
	images    []llm.Block
}

func (d *promptDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	switch string(key) {
	case d.form.prompt:
		d.asked = true
		d.prompt, err = v.Str()
		return true, err
	case d.form.config:
		return true, v.Members(func(key []byte, m wire.Value) error {
			known, err := d.param(string(key), m)
			if !known && err == nil {
				d.r.Extra.Add(Name, d.form.path(string(key)), m.JSON())
			}
			return err
		})
	case "images":
		if d.form.name == llama {
			return true, v.Elems(d.image)
		}
	}
	if d.form.config != "" {
		return false, nil
	}
	if known, err := d.param(string(key), v); known || err != nil || d.form.name != cohere {
		return known, err
	}
	return d.chat(string(key), v)
}

func (d *promptDecoder) param(key string, v wire.Value) (bool, error) {
	r := d.r
	switch key {
	case "":
		return false, nil
	case d.form.maxOut:
		return true, v.IntTo(&r.MaxOut)
	case d.form.temperature:
		return true, v.FloatTo(&r.Temperature)
	case d.form.topP:
		return true, v.FloatTo(&r.TopP)
	case d.form.topK:
		return true, v.IntTo(&r.TopK)
	case d.form.stop:
		if v.IsNull() {
			return true, nil
		}
		return true, v.Elems(func(_ int, el wire.Value) error {
			s, err := el.Str()
			r.Stop = append(r.Stop, s)
			return err
		})
	}
	return false, nil
}

// image reads one of Llama's images: base64 alone, whose kind its first bytes tell.
func (d *promptDecoder) image(_ int, v wire.Value) error {
	data, err := v.Str()
	if err != nil {
		return err
	}
	d.images = append(d.images, llm.Media{Kind: llm.Image, MIME: imageType(data), Data: data})
	return nil
}

func imageType(data string) string {
	for _, m := range [...][2]string{{"/9j/", "image/jpeg"}, {"R0lG", "image/gif"}, {"UklGR", "image/webp"}} {
		if strings.HasPrefix(data, m[0]) {
			return m[1]
		}
	}
	return "image/png"
}

// chat reads what Cohere's chat has besides the message. Its tools are not read here, and are refused
// rather than lost.
func (d *promptDecoder) chat(key string, v wire.Value) (bool, error) {
	switch key {
	case "preamble", "preamble_override":
		var err error
		if !v.IsNull() {
			d.preamble, err = v.Str()
		}
		return true, err
	case "chat_history":
		return true, v.Elems(d.turn)
	case "documents":
		return true, v.Elems(func(_ int, el wire.Value) error {
			d.documents = append(d.documents, el.JSON())
			return nil
		})
	case "tools", "tool_results":
		if v.Len() > 0 {
			return false, wire.Bad("", "left out: ask for tools by Converse, which this model speaks as well")
		}
	case "seed":
		n, err := v.Int()
		d.r.Seed = llm.Some(n)
		return true, err
	}
	return false, nil
}

func (d *promptDecoder) turn(_ int, v wire.Value) error {
	role := llm.User
	switch v.Get("role").Text() {
	case "CHATBOT":
		role = llm.Assistant
	case "SYSTEM":
		role = llm.System
	case "TOOL":
		return wire.Bad("role", "USER or CHATBOT")
	}
	text, err := v.Get("message").Str()
	if err != nil {
		return wire.Under(err, "message")
	}
	d.history = append(d.history, said(role, text))
	return nil
}

// finish puts the conversation together.
func (d *promptDecoder) finish() error {
	if !d.asked {
		return invalid(wire.Bad(d.form.prompt, "a text"))
	}
	if d.preamble != "" {
		d.r.Messages = append(d.r.Messages, said(llm.System, d.preamble))
	}
	if len(d.documents) > 0 {
		d.r.Messages = append(d.r.Messages, said(llm.System, "Documents to answer from:\n"+strings.Join(d.documents, "\n")))
	}
	d.r.Messages = append(d.r.Messages, d.history...)
	turns := d.form.turns(d.prompt)
	if last := len(turns) - 1; len(d.images) > 0 && last >= 0 {
		at := last
		for at > 0 && turns[at].Role != llm.User {
			at--
		}
		turns[at].Plain = false
		turns[at].Blocks = slices.Concat(d.images, turns[at].Blocks)
	}
	d.r.Messages = append(d.r.Messages, turns...)
	return nil
}

// Shapes implements dialect.Limited: a prompt has no shape but what is said in it.
func (c *promptCodec) Shapes() dialect.Shapes { return dialect.Shapes{} }
