package xaigrpc

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// drawAsked is a GenerateImageRequest with every field.
func drawAsked(images ...string) []byte {
	var m message
	m.text(1, "a cat")
	m.text(2, "grok-imagine")
	m.num(3, 2)
	m.text(4, "ada")
	for _, url := range images {
		m.sub(17, func(m *message) { m.str(1, url) })
	}
	m.num(11, formatBase64)
	m.num(12, 3)
	m.num(14, 5)
	m.num(15, 2)
	m.sub(19, func(m *message) { m.text(1, "cat.png") })
	return m.b
}

const pixel = "data:image/png;base64,iVBORw0KGgo="

func TestRequestsForImagesComeBackAsTheyWere(t *testing.T) {
	c := newDraw()
	for _, body := range [][]byte{drawAsked(), drawAsked(pixel, pixel)} {
		p, err := c.DecodeRequest(dialect.Inbound{Body: body})
		if err != nil {
			t.Fatal(err)
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Fatal(losses, err)
		}
		back, err := c.DecodeRequest(dialect.Inbound{Body: out.Body})
		if diff := cmp.Diff(p, back); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

func TestARequestForImagesSaysWhatItIs(t *testing.T) {
	c := newDraw()
	carrier := &drawn{draw: c, home: Dialect()}
	for op, body := range map[llm.Op][]byte{llm.OpImage: drawAsked(), llm.OpImageEdit: drawAsked(pixel)} {
		got, err := carrier.Unpack(dialect.Inbound{Body: body}, dialect.Bounds{})
		if err != nil || got.Op != op {
			t.Errorf("got %q, %v, want %q", got.Op, err, op)
		}
	}
	p, err := c.DecodeRequest(dialect.Inbound{Body: drawAsked(pixel)})
	if err != nil {
		t.Fatal(err)
	}
	d := p.(*llm.Draw)
	raw, _ := base64.StdEncoding.DecodeString("iVBORw0KGgo=")
	want := &llm.Draw{
		Task: llm.OpImageEdit, Model: "grok-imagine", Prompt: "a cat", N: llm.Some(2), User: "ada", Quality: "high", Aspect: "16:9", Detail: "2K",
		Images: []llm.Picture{{Field: "image", Name: "image", MIME: "image/png", Data: raw}}, Extra: d.Extra,
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	if _, kept := d.Extra.Get("storage_options"); !kept {
		t.Error("what has no word is not kept")
	}
}

func TestOnlyImagesThatCameAlongCrossToOtherVendors(t *testing.T) {
	c := newDraw()
	var file message
	file.text(1, "a cat")
	file.text(2, "m")
	file.sub(5, func(m *message) { m.str(3, "file-1") })
	for what, body := range map[string][]byte{"an address": drawAsked("https://example.com/cat.png"), "a file": file.b, "broken": drawAsked("data:image/png;base64,!")} {
		_, err := c.DecodeRequest(dialect.Inbound{Body: body})
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.Invalid || e.Param == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	h, err := c.Peek(dialect.Inbound{Body: file.b}, dialect.Bounds{})
	if err != nil || len(h.Names.Things) != 1 || h.Names.Things[0].ID != "file-1" {
		t.Errorf("it names %+v, %v", h.Names, err)
	}
}

func TestWithinTheDialectOnlyTheModelOfARequestForImagesChanges(t *testing.T) {
	c := newDraw()
	in := dialect.Inbound{Body: drawAsked("https://example.com/cat.png")}
	head, err := c.Peek(in, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.EditRequest(in, head, dialect.Shape{Offer: &plenum.Offer{Upstream: "grok-2-image"}})
	if err != nil {
		t.Fatal(err)
	}
	back := replaced(out.Body, 2, func(m *message) { m.str(2, "grok-imagine") })
	if diff := cmp.Diff(replaced(in.Body, 2, func(m *message) { m.str(2, "grok-imagine") }), back); diff != "" {
		t.Error(diff)
	}
}

func TestImagesAreSaidAsXAISaysThem(t *testing.T) {
	c := newDraw()
	for _, x := range []struct {
		links bool
		img   llm.Drawn
		want  llm.Drawn
	}{
		{false, llm.Drawn{Data: "QUJD", MIME: "image/jpeg"}, llm.Drawn{Data: "QUJD", MIME: "image/jpeg"}},
		{false, llm.Drawn{Data: "QUJD"}, llm.Drawn{Data: "QUJD", MIME: "image/png"}},
		{true, llm.Drawn{URL: "https://x.example/1.png"}, llm.Drawn{URL: "https://x.example/1.png"}},
		{true, llm.Drawn{Data: "QUJD"}, llm.Drawn{URL: "data:image/png;base64,QUJD"}},
	} {
		usage := llm.Usage{Input: 7, Images: 1}
		r, losses, err := c.EncodeResponse(&llm.Draw{Links: x.links}, &llm.Drawing{Images: []llm.Drawn{x.img}, Usage: usage}, dialect.Meta{Model: "m"})
		if err != nil || len(losses) > 0 {
			t.Fatal(losses, err)
		}
		got, err := c.DecodeResponse(r)
		if err != nil {
			t.Fatal(err)
		}
		d := got.(*llm.Drawing)
		x.want.Extra = d.Images[0].Extra
		if diff := cmp.Diff([]llm.Drawn{x.want}, d.Images); diff != "" || d.Usage.Input != 7 || d.Usage.Images != 1 || c.Gist(r.Body).Usage.Images != 1 {
			t.Errorf("%+v, usage %+v", d.Images, d.Usage)
		}
	}
}

func TestASizeInPixelsIsSaidAsAnAspect(t *testing.T) {
	c := newDraw()
	for size, want := range map[string][3]string{"1024x1024": {"1:1", "1K", ""}, "1536x1024": {"3:2", "1K", ""}, "1792x1024": {"16:9", "2K", "size"}, "auto": {"", "", ""}} {
		out, losses, err := c.EncodeRequest(&llm.Draw{Prompt: "x", Size: size}, dialect.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.DecodeRequest(dialect.Inbound{Body: out.Body})
		if err != nil {
			t.Fatal(err)
		}
		d, lost := p.(*llm.Draw), ""
		if len(losses) > 0 {
			lost = losses[0].What
		}
		if got := [3]string{d.Aspect, d.Detail, lost}; got != want {
			t.Errorf("%s: %q, want %q", size, got, want)
		}
	}
}
