package cohere

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// rerank speaks rankings (POST /v2/rerank), and their first version (/v1/rerank), which takes objects as
// documents and gives them back.
type rerank struct{ operation }

var _ dialect.Codec = (*rerank)(nil)

func rerankRoutes() []dialect.Route {
	c := &rerank{newOperation()}
	ours := func(r *http.Request) bool { return speaks("", r.Header) }
	return []dialect.Route{
		{Op: llm.OpRerank, Method: http.MethodPost, Pattern: "/v2/rerank", Codec: c},
		{Op: llm.OpRerank, Method: http.MethodPost, Pattern: "/v1/rerank", Codec: c, Match: ours},
	}
}

// DecodeRequest implements dialect.Server.
func (c *rerank) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	r := &llm.Rerank{}
	err = v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (bool, error) { return dialect.RankMember(r, key, m) })
	switch {
	case err != nil:
		return nil, invalid(err)
	case r.Model == "":
		return nil, c.NoModel()
	case len(r.Documents) == 0:
		return nil, invalid(wire.Bad("documents", "a list of texts that is not empty"))
	}
	return r, nil
}

// EncodeRequest implements dialect.Client.
func (c *rerank) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Rerank)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	var l losses
	l.extra("", r.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", s.Upstream(r.Model))
	o.Str("query", r.Query)
	w.KeyOpen("documents", '[')
	for _, d := range r.Documents {
		switch {
		case d.Raw != "" && r.Extra.Dialect == Name:
			w.Raw(d.Raw)
		case d.Raw != "" && d.Text == "":
			w.Str(d.Raw) // the newer version reads texts alone
		default:
			w.Str(d.Text)
		}
	}
	w.Close(']')
	o.OptInt("top_n", r.Top)
	o.OptInt("max_tokens_per_doc", r.MaxDoc)
	if r.Extra.Dialect == Name {
		o.OptBool("return_documents", r.Return)
	}
	o.End()
	body, changed, err := dialect.WithoutRefused(op, w.Buf, s)
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: changed}, l.List(), err
}

// DecodeResponse implements dialect.Client.
func (c *rerank) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not JSON")
	}
	res, found := &llm.Ranking{}, false
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&res.ID)
		case "results":
			found = true
			return true, dialect.RankResults(Name, res, m)
		case "meta":
			res.Usage = metaUsage(m)
			return false, nil // and kept as it stood
		}
		return false, nil
	})
	if err == nil && !found {
		err = wire.Bad("results", "a list")
	}
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is no ranking")
	}
	return res, nil
}

// Gist implements dialect.Client.
func (c *rerank) Gist(body []byte) dialect.Gist { return gistOf(body, "results") }

// EncodeResponse implements dialect.Server.
func (c *rerank) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Ranking)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(op, r)
	}
	asked, _ := p.(*llm.Rerank)
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	id := res.ID
	if id == "" {
		id = m.CallID
	}
	o.OptStr("id", id)
	w.KeyOpen("results", '[')
	for _, x := range res.Results {
		ro := wire.Begin(&w, x.Extra.In(Name))
		ro.Int("index", int64(x.Index))
		ro.Raw("relevance_score", x.Score)
		if d := dialect.Returned(asked, x, document); d != "" {
			ro.Raw("document", d)
		}
		ro.End()
	}
	w.Close(']')
	if res.Extra.Dialect != Name {
		writeMeta(&w, res.Usage, false)
	}
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

func document(d llm.RankDocument) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("text", d.Text)
	w.Close('}')
	return w.String()
}
