package dialect

import (
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The wire format of ranking is nearly the same everywhere: that of Cohere's first version, which Jina, vLLM
// and others took up. What the dialects share of it is here; each of them adds its own members.

// RankMember reads a member of a request for a ranking that all hosts know.
func RankMember(r *llm.Rerank, key []byte, v wire.Value) (known bool, err error) {
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "query":
		r.Query, err = v.Str()
	case "documents":
		err = v.Elems(func(_ int, el wire.Value) error {
			switch el.Kind() {
			case '"':
				r.Documents = append(r.Documents, llm.RankDocument{Text: el.Text()})
			case '{':
				r.Documents = append(r.Documents, llm.RankDocument{Text: el.Get("text").Text(), Raw: el.JSON()})
			default:
				return wire.Bad("", "a text or an object")
			}
			return nil
		})
	case "top_n":
		err = v.IntTo(&r.Top)
	case "max_tokens_per_doc":
		err = v.IntTo(&r.MaxDoc)
	case "return_documents":
		err = v.BoolTo(&r.Return)
	default:
		return false, nil
	}
	return true, err
}

// RankResults reads the results of a ranking. The score stands in a member of one name or another.
func RankResults(name string, res *llm.Ranking, list wire.Value) error {
	return list.Elems(func(i int, el wire.Value) error {
		x := llm.Ranked{Index: i}
		err := el.Fields(name, &x.Extra, func(key []byte, m wire.Value) (known bool, err error) {
			switch string(key) {
			case "index":
				n, err := m.Int()
				x.Index = int(n)
				return true, err
			case "relevance_score":
				if m.Kind() != '0' {
					return true, wire.Bad("", "a number")
				}
				x.Score = m.JSON()
				return true, nil
			case "document":
				x.Document = m.JSON()
				return true, nil
			}
			return false, nil
		})
		if err == nil && x.Score == "" {
			err = wire.Bad("relevance_score", "a number")
		}
		res.Results = append(res.Results, x)
		return err
	})
}

// Returned returns the document of a result as JSON, where the caller wants it back: the upstream's, or the
// one that was sent.
func Returned(r *llm.Rerank, x llm.Ranked, text func(llm.RankDocument) string) string {
	switch {
	case x.Document != "" || r == nil:
		return x.Document
	case !r.Return.Or(false) || x.Index < 0 || x.Index >= len(r.Documents):
		return ""
	case r.Documents[x.Index].Raw != "":
		return r.Documents[x.Index].Raw
	}
	return text(r.Documents[x.Index])
}
