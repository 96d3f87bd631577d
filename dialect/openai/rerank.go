package openai

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// rerank speaks rankings (POST /v1/rerank). OpenAI has none: it is the format in which Jina, vLLM, Together,
// Voyage, llama.cpp and others say them beside its API.
type rerank struct{ operation }

var _ dialect.Codec = (*rerank)(nil)

// rerankRoutes leave the bare path to Cohere's own clients where these call.
func rerankRoutes() []dialect.Route {
	c := &rerank{newOperation()}
	var out []dialect.Route
	for _, at := range [...]string{"/v1/rerank", "/rerank", "/openai/v1/rerank", "/v1/reranking", "/reranking", "/openai/v1/reranking"} {
		out = append(out, dialect.Route{Op: llm.OpRerank, Method: http.MethodPost, Pattern: at, Codec: c, Match: notCohere})
	}
	return out
}

func notCohere(r *http.Request) bool {
	return !strings.HasPrefix(r.Header.Get("X-Fern-Sdk-Name"), "cohere")
}

// noteTopK and noteData note Voyage's names for top_n and for results.
const (
	noteTopK = "top_k"
	noteData = "data"
)

// DecodeRequest implements dialect.Server.
func (c *rerank) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, notJSON(err)
	}
	r := &llm.Rerank{}
	err = v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (bool, error) {
		if string(key) == noteTopK && !v.Get("top_n").Found() {
			r.Extra.Note(Name, noteTopK)
			return true, m.IntTo(&r.Top)
		}
		return dialect.RankMember(r, key, m)
	})
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
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	var l losses
	l.extra("", r.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", s.Upstream(r.Model))
	o.Str("query", r.Query)
	w.KeyOpen("documents", '[')
	for _, d := range r.Documents {
		if d.Raw != "" {
			w.Raw(d.Raw)
		} else {
			w.Str(d.Text)
		}
	}
	w.Close(']')
	top := "top_n"
	if r.Extra.Noted(Name, noteTopK) {
		top = noteTopK
		o.Forget(top)
	}
	o.OptInt(top, r.Top)
	o.OptInt("max_tokens_per_doc", r.MaxDoc)
	o.OptBool("return_documents", r.Return)
	o.End()
	body, changed, err := dialect.WithoutRefused(where, w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed}, l.List(), err
}

// DecodeResponse implements dialect.Client.
func (c *rerank) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not JSON")
	}
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		return nil, inStream(r.Body)
	}
	res, found := &llm.Ranking{}, false
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&res.ID)
		case "model":
			return m.StrTo(&res.Model)
		case "results", noteData:
			if found = true; string(key) == noteData {
				res.Extra.Note(Name, noteData)
			}
			return true, dialect.RankResults(Name, res, m)
		case "usage":
			searches := res.Usage.Searches
			res.Usage = embedUsage(m, &res.Usage.Extra)
			res.Usage.Searches += searches
			return true, nil
		case "meta":
			searchUnits(&res.Usage, m)
			return false, nil // and kept as it stood
		}
		return false, nil
	})
	if err == nil && !found {
		err = wire.Bad("results", "a list")
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is no ranking")
	}
	return res, nil
}

// searchUnits reads what hosts bill that say it as Cohere does.
func searchUnits(u *llm.Usage, meta wire.Value) {
	if n := meta.Get("billed_units", "search_units"); n.Kind() == '0' {
		u.Searches, u.Reported = n.Count(), llm.InSide|llm.OutSide
	}
}

// Gist implements dialect.Client.
func (c *rerank) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 6)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"model", "usage", "results", "data", "id", "meta"}, found); err != nil {
		return dialect.Gist{}
	}
	g := dialect.Gist{Model: wire.At(body, found[0].Value).Text(), ID: wire.At(body, found[4].Value).Text()}
	if found[1].Found() {
		g.Usage = embedUsage(wire.At(body, found[1].Value), nil)
	}
	if found[5].Found() {
		searchUnits(&g.Usage, wire.At(body, found[5].Value))
	}
	g.Text = len(found[2].Value.Raw(body)) + len(found[3].Value.Raw(body))
	return g
}

// EncodeResponse implements dialect.Server.
func (c *rerank) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Ranking)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(where, r)
	}
	asked, _ := p.(*llm.Rerank)
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	o.OptStr("id", res.ID)
	o.OptStr("model", m.ModelOr(res.Model))
	key := "results"
	if asked != nil && asked.Extra.Noted(Name, noteTopK) || asked == nil && res.Extra.Noted(Name, noteData) {
		key = noteData
	}
	w.KeyOpen(key, '[')
	for _, x := range res.Results {
		ro := wire.Begin(&w, x.Extra.In(Name))
		ro.Int("index", int64(x.Index))
		ro.Raw("relevance_score", x.Score)
		if d := dialect.Returned(asked, x, textObject); d != "" {
			ro.Raw("document", d)
		}
		ro.End()
	}
	w.Close(']')
	o.Forget(key)
	if res.Usage.In() > 0 || res.Usage.Reported != 0 && res.Usage.Searches == 0 {
		writeEmbedUsage(&w, res.Usage)
	}
	if res.Usage.Searches > 0 && o.Free("meta") {
		w.KeyRaw("meta", `{"billed_units":{"search_units":`+itoa(int(res.Usage.Searches))+`}}`)
	}
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

// textObject returns a document as most hosts give one back.
func textObject(d llm.RankDocument) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("text", d.Text)
	w.Close('}')
	return w.String()
}
