package xaigrpc

import (
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// PathEmbed is the path of the call for embeddings.
const PathEmbed = "/xai_api.Embedder/Embed"

// whereEmbed is how errors of embeddings name this package.
const whereEmbed = "dialect/xaigrpc.Embed"

// embed speaks an EmbedRequest and its EmbedResponse.
type embed struct {
	dialect.Single
	errors codec
}

var _ dialect.Codec = (*embed)(nil)

func embedRoute() dialect.Route {
	return route(llm.OpEmbed, PathEmbed, &embed{Single: dialect.Single{Where: whereEmbed}})
}

// The formats in which vectors are wanted.
const (
	formatFloats = 1
	formatPacked = 2
)

func embedNames() map[int]string {
	return map[int]string{1: "input", 2: "model", 3: "encoding_format", 4: "user"}
}

// Peek implements dialect.Server.
func (c *embed) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	return peekModel(in.Body, func(f field, names *naming) {
		if f.tag == 1<<3|chars {
			within(f, 2<<3|chars, func(image field) {
				within(image, 3<<3|chars, func(id field) { names.add("input.image_url.file_id", id) })
			})
		}
	})
}

// EditRequest implements dialect.Client.
func (c *embed) EditRequest(in dialect.Inbound, head dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	return editModel(in, head, s)
}

// DecodeRequest implements dialect.Server.
func (c *embed) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	e := &llm.Embed{}
	err := fields(in.Body, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			err := decodeEmbedInput(e, f.data)
			return under(err, fmt.Sprintf("input[%d]", len(e.Inputs)))
		case 2<<3 | chars:
			e.Model, err = f.text()
			return under(err, "model")
		case 3<<3 | varint:
			switch f.val {
			case formatFloats, formatPacked:
				e.Forms = []llm.VectorForm{{Kind: llm.VectorFloat, Packed: f.val == formatPacked}}
			case 0:
			default:
				return fault("encoding_format", "must be FORMAT_FLOAT or FORMAT_BASE64")
			}
		case 4<<3 | chars:
			e.User, err = f.text()
			return under(err, "user")
		default:
			keep(&e.Extra, embedNames(), f)
		}
		return nil
	})
	e.Extra.Dialect = Name
	switch {
	case err != nil:
		return nil, invalid(err)
	case e.Model == "":
		return nil, noModel()
	case len(e.Inputs) == 0:
		return nil, invalid(fault("input", "must be a list of texts or images that is not empty"))
	}
	return e, nil
}

// decodeEmbedInput reads an EmbedInput: a text, which may be empty, or an image.
func decodeEmbedInput(e *llm.Embed, b []byte) error {
	var block llm.Block
	err := fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			s, err := f.text()
			block = llm.Text{Text: s}
			return under(err, "string")
		case 2<<3 | chars:
			img, err := decodeImage(f.data)
			block = img
			return under(err, "image_url")
		}
		return nil
	})
	if err == nil && block == nil {
		err = fault("", "must be a string or an image_url")
	}
	if err == nil {
		e.Inputs = append(e.Inputs, llm.EmbedInput{Blocks: []llm.Block{block}})
	}
	return err
}

// EncodeRequest implements dialect.Client.
func (c *embed) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	e, ok := p.(*llm.Embed)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(whereEmbed, p)
	}
	if err := dialect.FloatsOnly(whereEmbed, e); err != nil {
		return dialect.Outbound{}, nil, err
	}
	enc := requestEncoder{}
	enc.LoseEmbed(e, Name, "user")
	var m message
	for i, in := range e.Inputs {
		if err := enc.embedInput(&m, in, fmt.Sprintf("input[%d]", i)); err != nil {
			return dialect.Outbound{}, nil, err
		}
	}
	m.text(2, s.Upstream(e.Model))
	switch { // vectors for callers of other dialects are packed here, where they want that
	case e.Extra.Dialect != Name || len(e.Forms) == 1 && !e.Forms[0].Packed:
		m.num(3, formatFloats)
	case len(e.Forms) == 1:
		m.num(3, formatPacked)
	}
	m.text(4, e.User)
	m.extra(e.Extra)
	return dialect.Outbound{Header: headers(nil), Body: m.b}, enc.List(), nil
}

func (e *requestEncoder) embedInput(m *message, in llm.EmbedInput, path string) error {
	if text, ok := in.Text(); ok {
		m.sub(1, func(m *message) { m.str(1, text) })
		return nil
	}
	if len(in.Blocks) == 1 && in.Tokens == "" {
		if img, ok := in.Blocks[0].(llm.Media); ok && img.Kind == llm.Image {
			m.sub(1, func(m *message) {
				m.sub(2, func(m *message) { e.image(m, img, path) })
			})
			return nil
		}
	}
	return dialect.Beyond(whereEmbed, "input", "the target embeds texts and images, each by itself; send no lists of tokens and no lists of parts")
}

// EncodeResponse implements dialect.Server.
func (c *embed) EncodeResponse(p llm.Payload, r llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Embeddings)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(whereEmbed, r)
	}
	vectors, err := dialect.InOrder(whereEmbed, p, res)
	if err != nil {
		return dialect.Reply{}, nil, err
	}
	e, _ := p.(*llm.Embed)
	packed := e != nil && len(e.Forms) > 0 && e.Forms[0].Packed
	var l dialect.Losses
	var m message
	m.text(1, answerID(res.ID, meta))
	for _, v := range vectors {
		if err := writeVector(&m, v, packed); err != nil {
			return dialect.Reply{}, nil, dialect.BadUpstream(whereEmbed, err, "the upstream's vectors are not in a form that can be said here")
		}
	}
	m.sub(3, func(m *message) { writeEmbedUsage(m, e, len(vectors)) })
	m.text(4, meta.ModelOr(res.Model))
	m.extra(res.Extra)
	if res.Extra.Dialect != Name {
		l.AddExtra("", res.Extra)
	}
	return dialect.Reply{Status: http.StatusOK, Header: headersOut(), Body: m.b}, l.List(), nil
}

// writeVector writes an Embedding. Floats that are packed are those of protobuf: four bytes each, the least first.
func writeVector(m *message, v llm.Vector, packed bool) error {
	n, ok := v.In(llm.VectorFloat)
	if !ok && len(v.Numbers) == 1 && v.Numbers[0].Kind == llm.VectorUnknown {
		n, ok = v.Numbers[0], true // what was not asked for in a kind is of floats
		n.Kind = llm.VectorFloat
	}
	if !ok {
		return fmt.Errorf("there is no vector of %s", llm.VectorFloat)
	}
	text, err := n.AsPacked()
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	m.sub(2, func(m *message) {
		m.int(1, int64(v.Index))
		m.sub(2, func(m *message) {
			if packed {
				m.text(2, text)
			} else {
				m.bytes(1, raw)
			}
		})
		m.extra(v.Extra)
	})
	return nil
}

// writeEmbedUsage says how many vectors were made of texts and of images, which is all that an EmbeddingUsage has room for.
func writeEmbedUsage(m *message, e *llm.Embed, n int) {
	images := 0
	if e != nil {
		for _, in := range e.Inputs {
			if len(in.Blocks) == 1 {
				if _, ok := in.Blocks[0].(llm.Media); ok {
					images++
				}
			}
		}
	}
	m.int(1, int64(n-images))
	m.int(2, int64(images))
}

// DecodeResponse implements dialect.Client. How many tokens were read xAI does not tell.
func (c *embed) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	res := &llm.Embeddings{}
	err := fields(r.Body, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			res.ID = string(f.data)
		case 2<<3 | chars:
			v, err := decodeVector(f.data)
			res.Vectors = append(res.Vectors, v)
			return err
		case 3<<3 | chars: // the number of vectors
		case 4<<3 | chars:
			res.Model = string(f.data)
		default:
			keep(&res.Extra, map[int]string{5: "system_fingerprint"}, f)
		}
		return nil
	})
	if err == nil && len(res.Vectors) == 0 {
		err = fault("embeddings", "are missing")
	}
	if err != nil {
		return nil, dialect.BadUpstream(whereEmbed, err, "the upstream's answer is not an EmbedResponse")
	}
	return res, nil
}

func decodeVector(b []byte) (llm.Vector, error) {
	v := llm.Vector{}
	err := fields(b, func(f field) error {
		switch {
		case f.tag == 1<<3|varint:
			v.Index = int(f.int())
		case f.tag == 2<<3|chars && len(v.Numbers) == 0:
			n, err := decodeFeatures(f.data)
			v.Numbers = []llm.Numbers{n}
			return err
		default: // further vectors of one input
			keep(&v.Extra, map[int]string{2: "embeddings"}, f)
		}
		return nil
	})
	if err == nil && len(v.Numbers) == 0 {
		err = fault("embeddings", "are missing")
	}
	return v, err
}

// decodeFeatures reads a FeatureVector, whose floats may stand packed or each by itself.
func decodeFeatures(b []byte) (llm.Numbers, error) {
	var raw []byte
	n := llm.Numbers{Kind: llm.VectorFloat}
	err := fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			raw = append(raw, f.data...)
		case 1<<3 | fixed32:
			raw = append(raw, f.raw[len(f.raw)-4:]...)
		case 2<<3 | chars:
			n.Packed = string(f.data)
		}
		return nil
	})
	if len(raw) > 0 {
		n.Packed = base64.StdEncoding.EncodeToString(raw)
	}
	if err == nil && n.Packed == "" {
		err = fault("float_array", "is empty")
	}
	return n, err
}

// Gist implements dialect.Client.
func (c *embed) Gist(body []byte) dialect.Gist {
	var g dialect.Gist
	_ = fields(body, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			g.ID = string(f.data)
		case 2<<3 | chars:
			g.Text += len(f.data)
		case 4<<3 | chars:
			g.Model = string(f.data)
		}
		return nil
	})
	return g
}

// EncodeError implements dialect.Server.
func (c *embed) EncodeError(err error) dialect.Reply { return encodeError(err) }

// DecodeError implements dialect.Client.
func (c *embed) DecodeError(r dialect.Reply) *llm.Error { return c.errors.DecodeError(r) }
