package responses

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// keptRoutes are the paths of answers that a vendor keeps. Nothing is kept here, and which upstream keeps
// an answer cannot be told by its id: all of them say so.
func keptRoutes(root string) []dialect.Route {
	route := func(method, path string) dialect.Route {
		return dialect.Route{Op: llm.OpGenerate, Method: method, Pattern: root + path, Codec: kept{codec: &codec{op: llm.OpGenerate}}}
	}
	return []dialect.Route{
		route(http.MethodGet, "/{"+responseVar+"}"),
		route(http.MethodDelete, "/{"+responseVar+"}"),
		route(http.MethodPost, "/{"+responseVar+"}/cancel"),
		route(http.MethodGet, "/{"+responseVar+"}/input_items"),
		route(http.MethodPost, "/compact"),
	}
}

const responseVar = "response"

// kept answers whoever asks for an answer that was given before.
type kept struct{ *codec }

// Peek refuses.
func (kept) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	if id := in.Vars[responseVar]; id != "" {
		return dialect.Head{}, notKept(responseVar+"_id", "the response "+id+" is not kept here (it was answered with store: false)")
	}
	return dialect.Head{}, notKept("", "compaction is not offered here; send the items themselves")
}

// DecodeRequest refuses.
func (k kept) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	_, err := k.Peek(in, dialect.Bounds{})
	return nil, err
}

func notKept(param, msg string) *llm.Error {
	return &llm.Error{Kind: llm.NotFound, Op: "dialect/responses", Param: param, Code: "not_found", Message: msg}
}

// Depends implements dialect.Dependent: what a request refers to must be with the upstream that keeps it.
func (c *codec) Depends(p llm.Payload) error {
	r := requestOf(p)
	if r == nil {
		return nil
	}
	const unkept = " cannot be found: the model that this call goes to keeps no responses for Plenum, and Plenum keeps none; send the whole conversation as input"
	for _, key := range [...]string{"previous_response_id", "conversation", "prompt"} {
		raw, ok := r.Extra.Get(key)
		if !ok || raw == "null" || r.Extra.Dialect != Name {
			continue
		}
		e := notKept(key, "the "+key+" "+raw+unkept)
		if key == "previous_response_id" {
			e.Code = "previous_response_not_found"
		}
		return e
	}
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			if o, ok := b.(llm.Opaque); ok && o.Dialect == Name && o.Type == itemReference {
				return notKept("input", "an item that input refers to"+unkept)
			}
		}
	}
	return nil
}

// requestOf returns the request in a payload, or nil.
func requestOf(p llm.Payload) *llm.Request {
	switch p := p.(type) {
	case *llm.Request:
		return p
	case *llm.CountTokens:
		if p != nil {
			return p.Request
		}
	}
	return nil
}
