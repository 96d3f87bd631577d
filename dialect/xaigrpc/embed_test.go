package xaigrpc

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// embedAsked is an EmbedRequest with every field, of a text, an empty text and an image.
func embedAsked(format int64) []byte {
	var m message
	m.sub(1, func(m *message) { m.str(1, "alpha") })
	m.sub(1, func(m *message) { m.str(1, "") })
	m.sub(1, func(m *message) {
		m.sub(2, func(m *message) {
			m.str(1, pixel)
			m.num(2, 2)
		})
	})
	m.text(2, "v1")
	m.int(3, format)
	m.text(4, "ada")
	return m.b
}

func newEmbed() *embed { return embedRoute().Codec.(*embed) }

func TestRequestsForEmbeddingsComeBackAsTheyWere(t *testing.T) {
	c := newEmbed()
	forms := map[int64][]llm.VectorForm{0: nil, formatFloats: {{Kind: llm.VectorFloat}}, formatPacked: {{Kind: llm.VectorFloat, Packed: true}}}
	for format, want := range forms {
		p, err := c.DecodeRequest(dialect.Inbound{Body: embedAsked(format)})
		if err != nil {
			t.Fatal(err)
		}
		e := p.(*llm.Embed)
		if d := cmp.Diff(want, e.Forms); d != "" || len(e.Inputs) != 3 || e.User != "ada" || e.Model != "v1" {
			t.Errorf("read %+v, forms (-want +got):\n%s", e, d)
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Fatal(losses, err)
		}
		if d := cmp.Diff(embedAsked(format), out.Body); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestRequestsForEmbeddingsThatAreNone(t *testing.T) {
	c := newEmbed()
	made := func(write func(*message)) []byte {
		var m message
		write(&m)
		return m.b
	}
	one := func(m *message) { m.sub(1, func(m *message) { m.str(1, "x") }) }
	for name, body := range map[string][]byte{
		"no model":       made(one),
		"no input":       made(func(m *message) { m.text(2, "v1") }),
		"an empty input": made(func(m *message) { m.text(2, "v1"); m.sub(1, func(*message) {}) }),
		"a form":         made(func(m *message) { m.text(2, "v1"); one(m); m.num(3, 9) }),
		"not protobuf":   {0xff},
	} {
		_, err := c.DecodeRequest(dialect.Inbound{Body: body})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A caller of another dialect may want what xAI has no word for: it is named, or sent elsewhere.
func TestWhatXAIsEmbeddingsLack(t *testing.T) {
	c := newEmbed()
	ask := &llm.Embed{Model: "m", Size: llm.Some(8), Purpose: llm.PurposeQuery, Inputs: []llm.EmbedInput{{Blocks: []llm.Block{llm.Text{Text: "x"}}}}}
	_, losses, err := c.EncodeRequest(ask, dialect.Shape{})
	if err != nil || len(losses) != 2 {
		t.Errorf("lost %v, %v", losses, err)
	}
	ask.Inputs = []llm.EmbedInput{{Tokens: "[1,2]"}}
	_, _, err = c.EncodeRequest(ask, dialect.Shape{})
	var e *llm.Error
	if !errors.As(err, &e) || !e.Elsewhere {
		t.Errorf("tokens: %v", err)
	}
	ask.Forms = []llm.VectorForm{{Kind: llm.VectorInt8}}
	if _, _, err = c.EncodeRequest(ask, dialect.Shape{}); !errors.As(err, &e) || !e.Elsewhere {
		t.Errorf("bytes: %v", err)
	}
}

func TestAnswersOfEmbeddingsComeBackAsTheyWere(t *testing.T) {
	c := newEmbed()
	p, err := c.DecodeRequest(dialect.Inbound{Body: embedAsked(formatFloats)})
	if err != nil {
		t.Fatal(err)
	}
	vector := func(i int, list string) llm.Vector {
		return llm.Vector{Index: i, Numbers: []llm.Numbers{{Kind: llm.VectorFloat, List: list}}}
	}
	said := &llm.Embeddings{ID: "e1", Model: "up", Vectors: []llm.Vector{vector(2, "[5]"), vector(0, "[0.5,-1.25]"), vector(1, "[0.25,8]")}}
	reply, losses, err := c.EncodeResponse(p, said, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	r, err := c.DecodeResponse(reply)
	if err != nil {
		t.Fatal(err)
	}
	got := r.(*llm.Embeddings)
	if got.ID != "e1" || got.Model != "up" || len(got.Vectors) != 3 {
		t.Fatalf("read %+v", got)
	}
	for i, want := range []string{"[0.5,-1.25]", "[0.25,8]", "[5]"} {
		list, err := got.Vectors[i].Numbers[0].AsList()
		if err != nil || list != want || got.Vectors[i].Index != i {
			t.Errorf("vector %d is %s, %v", i, list, err)
		}
	}
	again, _, err := c.EncodeResponse(p, got, dialect.Meta{})
	if d := cmp.Diff(reply.Body, again.Body); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if g := c.Gist(reply.Body); g.ID != "e1" || g.Model != "up" || g.Text == 0 {
		t.Errorf("gist %+v", g)
	}
}

func TestVectorsThatStandOtherwise(t *testing.T) {
	var m message
	m.sub(2, func(m *message) {
		m.sub(2, func(m *message) { m.float(1, 0.5); m.float(1, -1.25) }) // not packed
		m.sub(2, func(m *message) { m.float(1, 7) })                      // a second vector of one image
	})
	m.sub(2, func(m *message) {
		m.num(1, 1)
		m.sub(2, func(m *message) { m.text(2, "AAAAPwAAoL8=") })
	})
	c := newEmbed()
	r, err := c.DecodeResponse(dialect.Reply{Body: m.b})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.(*llm.Embeddings).Vectors {
		if list, err := v.Numbers[0].AsList(); list != "[0.5,-1.25]" || err != nil {
			t.Errorf("vector %d is %s, %v", v.Index, list, err)
		}
	}
	if _, lost := r.(*llm.Embeddings).Vectors[0].Extra.Get("embeddings"); !lost {
		t.Error("a second vector is lost in silence")
	}
	for _, body := range [][]byte{nil, {0xff}, {2<<3 | 2, 0}} {
		if _, err := c.DecodeResponse(dialect.Reply{Body: body}); llm.AsError(err).Kind != llm.BadUpstream {
			t.Errorf("%x: %v", body, err)
		}
	}
}
