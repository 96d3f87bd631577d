package gemini

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// predicted reads what a model is told to predict. At this one verb Google has its models of vectors, on Vertex AI,
// and those of images, at both addresses: which of them is meant the request tells.
type predicted struct {
	dialect.Local
	home   *dialect.Dialect
	names  *dialect.Naming
	embeds *embed
	draws  *draw
}

var (
	_ dialect.Codec   = (*predicted)(nil)
	_ dialect.Carrier = (*predicted)(nil)
)

// predictRoutes lists the addresses of the verb.
func predictRoutes(d *dialect.Dialect, names *dialect.Naming) []dialect.Route {
	c := &predicted{home: d, names: names, embeds: newEmbed(embedPredict, names), draws: newDraw(names)}
	paths := vertexPaths()
	for _, v := range [...]string{"/v1beta", "/v1", "/v1alpha"} {
		paths = append(paths, v+"/models/{model...}")
	}
	var out []dialect.Route
	for _, path := range paths {
		out = append(out, dialect.Route{Op: llm.OpEmbed, Method: http.MethodPost, Pattern: path + ":predict", Codec: c})
	}
	return out
}

// Unpack implements dialect.Carrier.
func (c *predicted) Unpack(in dialect.Inbound, _ dialect.Bounds) (dialect.Carried, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return dialect.Carried{}, notJSON(err)
	}
	first := v.Get("instances", "0")
	if first.Kind() != '{' {
		return dialect.Carried{}, invalid(wire.Bad("instances", "a list of objects that is not empty"))
	}
	out := dialect.Carried{In: in, Dialect: c.home, Codec: c.embeds, Op: llm.OpEmbed}
	switch {
	case changes(first) && first.Get("prompt").Found() || first.Get("referenceImages").Found():
		out.Codec, out.Op = c.draws, llm.OpImageEdit
	case first.Get("prompt").Found():
		out.Codec, out.Op = c.draws, llm.OpImage
	}
	return out, nil
}

// inner is what the request is, for whoever asks the carrier itself.
func (c *predicted) inner(in dialect.Inbound) (dialect.Codec, error) {
	out, err := c.Unpack(in, dialect.Bounds{})
	if err != nil {
		return nil, err
	}
	return out.Codec, nil
}

// Peek implements dialect.Server.
func (c *predicted) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	inner, err := c.inner(in)
	if err != nil {
		return dialect.Head{}, err
	}
	return inner.Peek(in, b)
}

// DecodeRequest implements dialect.Server.
func (c *predicted) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	inner, err := c.inner(in)
	if err != nil {
		return nil, err
	}
	return inner.DecodeRequest(in)
}

// EncodeResponse implements dialect.Server.
func (c *predicted) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	if _, ok := r.(*llm.Drawing); ok {
		return c.draws.EncodeResponse(p, r, m)
	}
	return c.embeds.EncodeResponse(p, r, m)
}

// EncodeError implements dialect.Server.
func (*predicted) EncodeError(err error) dialect.Reply { return encodeError(err) }

// NewEncoder returns nil: what is predicted is never streamed.
func (*predicted) NewEncoder(llm.Payload, dialect.Meta) dialect.Encoder { return nil }

// Predict returns the dialect of the models that are told to predict, for upstreams: those of vectors on Vertex AI,
// and those of images.
func Predict() *dialect.Dialect {
	names := naming()
	return &dialect.Dialect{
		Name: Name, Title: "Google Gemini", Headers: namespace(), Names: names,
		Routes: []dialect.Route{
			{Op: llm.OpEmbed, Method: http.MethodPost, Codec: newEmbed(embedPredict, names)},
			{Op: llm.OpImage, Method: http.MethodPost, Codec: newDraw(names)},
			{Op: llm.OpImageEdit, Method: http.MethodPost, Codec: newDraw(names)},
		},
	}
}

// Draws reports whether a model of images is told to predict. Gemini's own make images as answers do.
func Draws(model string) bool {
	return strings.Contains(model, "imagen") || strings.Contains(model, "virtual-try-on")
}

// EmbedsContent reports whether Vertex AI makes the vectors of a model by embedContent, as the official SDKs know
// it: Gemini's but the first, and those that it hosts as a service. All others are told to predict.
func EmbedsContent(model string) bool {
	return strings.Contains(model, "gemini") && model != "gemini-embedding-001" || strings.Contains(model, "maas")
}
