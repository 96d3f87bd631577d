package dialect

import (
	"github.com/plenum-foundry/plenum/llm"
)

// EmbedWord returns what a dialect calls a part of a request for embeddings, so that a loss is named in the
// words of whoever said it: "size", "forms", "purpose", "cut", "title", "user".
func EmbedWord(dialect, part string) string {
	words := map[string]map[string]string{
		"openai":   {"size": "dimensions", "forms": "encoding_format", "purpose": "input_type", "cut": "truncation"},
		"cohere":   {"size": "output_dimension", "forms": "embedding_types", "purpose": "input_type", "cut": "truncate"},
		"ollama":   {"size": "dimensions", "cut": "truncate"},
		"gemini":   {"size": "outputDimensionality", "purpose": "taskType", "title": "title", "cut": "autoTruncate"},
		"vertex":   {"size": "outputDimensionality", "purpose": "task_type", "title": "title", "cut": "autoTruncate"},
		"xaigrpc":  {"forms": "encoding_format"},
		"converse": {"size": "dimensions", "forms": "embeddingTypes"},
	}
	if w := words[dialect][part]; w != "" {
		return w
	}
	return part
}

// LoseEmbed names what is set of a request for embeddings and not among the parts that a target's API has a
// word for.
func (l *Losses) LoseEmbed(e *llm.Embed, target string, has ...string) {
	set := map[string]bool{
		"size": e.Size.Set, "purpose": e.Purpose != "", "cut": e.Cut != "", "user": e.User != "", "title": titled(e),
	}
	for _, h := range has {
		set[h] = false
	}
	for _, part := range [...]string{"size", "purpose", "cut", "title", "user"} {
		if set[part] {
			l.Add(EmbedWord(e.Extra.Dialect, part), "the target's API has no word for it")
		}
	}
	if e.Mixed {
		l.Add("requests", "all are asked for as the first is")
	}
	if e.Extra.Dialect != target {
		l.AddExtra("", e.Extra)
	}
}

func titled(e *llm.Embed) bool {
	for _, in := range e.Inputs {
		if in.Title != "" {
			return true
		}
	}
	return false
}

// Texts returns the inputs as texts. Where one is anything else the error tells the caller that the target
// reads only texts.
func Texts(where string, e *llm.Embed) ([]string, error) {
	out := make([]string, 0, len(e.Inputs))
	for _, in := range e.Inputs {
		t, ok := in.Text()
		switch {
		case ok:
			out = append(out, t)
		case in.Tokens != "":
			return nil, Beyond(where, "input", "the target embeds texts: send text in place of lists of tokens, which are another model's")
		default:
			return nil, Beyond(where, "input", "the target embeds texts alone, each by itself; send no images and no lists of parts")
		}
	}
	return out, nil
}

// FloatsOnly is an error where a caller wants other vectors than of floats from a target that has no others.
func FloatsOnly(where string, e *llm.Embed) error {
	for _, f := range e.Forms {
		if f.Kind != llm.VectorFloat {
			return Beyond(where, EmbedWord(e.Extra.Dialect, "forms"), "the target makes vectors of floats; it has none of "+string(f.Kind))
		}
	}
	return nil
}

// InOrder returns the vectors in the order of their inputs, or an error where one is missing or there twice.
func InOrder(where string, p llm.Payload, r *llm.Embeddings) ([]llm.Vector, error) {
	n := len(r.Vectors)
	if e, ok := p.(*llm.Embed); ok {
		n = len(e.Inputs)
	}
	out, seen := make([]llm.Vector, n), make([]bool, n)
	for _, v := range r.Vectors {
		if v.Index < 0 || v.Index >= n || seen[v.Index] {
			return nil, BadUpstream(where, nil, "the upstream's answer has vectors of inputs that were not sent, or two of one")
		}
		out[v.Index], seen[v.Index] = v, true
	}
	if len(r.Vectors) != n {
		return nil, BadUpstream(where, nil, "the upstream's answer lacks the vectors of some of the inputs")
	}
	return out, nil
}
