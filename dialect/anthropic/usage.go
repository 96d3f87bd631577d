package anthropic

import (
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// noThinking notes that the count of thinking was said, and was none.
const noThinking = "thinking_tokens: 0"

// tally is what an answer's usage objects have said so far. A stream says usage twice, in message_start
// and in message_delta, each with members that the other lacks: the last value said of a member counts,
// and none are ever added up.
type tally struct {
	input, output          llm.Opt[int64]
	cacheRead, cacheWrite  llm.Opt[int64]
	write5m, write1h       llm.Opt[int64]
	thinking, searches     llm.Opt[int64]
	split                  bool // cache_creation was there
	tier                   string
	extra                  llm.Extra
	splitRaw, detailsRaw   string // as they stood, said again where they hold more than is carried
	splitMore, detailsMore bool
	final                  bool // usage of the whole answer, and not only of its start
}

// add takes one usage object in.
func (t *tally) add(v wire.Value) error {
	var said llm.Extra
	err := v.Fields(Name, &said, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "input_tokens":
			return set(&t.input, m)
		case "output_tokens":
			return set(&t.output, m)
		case "cache_read_input_tokens":
			return set(&t.cacheRead, m)
		case "cache_creation_input_tokens":
			return set(&t.cacheWrite, m)
		case "cache_creation":
			return t.addSplit(m)
		case "output_tokens_details":
			return t.addDetails(m)
		case "server_tool_use":
			return t.addServer(m)
		case "service_tier":
			if !isTier(m.Text()) { // a host's own word is kept as it stood
				return false, nil
			}
			t.tier = m.Text()
			return true, nil
		}
		return false, nil
	})
	for _, f := range said.Fields {
		t.keep(f.Key, f.Raw)
	}
	return err
}

// set reads a count. What is no count is kept as it stood: an answer is not refused for it.
func set(to *llm.Opt[int64], m wire.Value) (bool, error) {
	n, err := m.Int()
	if err != nil {
		return false, nil
	}
	*to = llm.Some(max(n, 0))
	return true, nil
}

// keep notes a member that is not carried otherwise. Null takes nothing back.
func (t *tally) keep(key, raw string) {
	t.extra.Dialect = Name
	for i := range t.extra.Fields {
		if t.extra.Fields[i].Key == key {
			if raw != "null" {
				t.extra.Fields[i].Raw = raw
			}
			return
		}
	}
	t.extra.Add(Name, key, raw)
}

func (t *tally) addSplit(m wire.Value) (bool, error) {
	if m.Kind() != '{' {
		return false, nil
	}
	t.split, t.splitRaw, t.splitMore = true, m.JSON(), false
	var seen int
	err := m.Members(func(key []byte, n wire.Value) error {
		switch string(key) {
		case "ephemeral_5m_input_tokens":
			t.write5m = llm.Some(n.Count())
			seen++
		case "ephemeral_1h_input_tokens":
			t.write1h = llm.Some(n.Count())
			seen++
		default:
			t.splitMore = true
		}
		return nil
	})
	t.splitMore = t.splitMore || seen != 2
	return true, err
}

func (t *tally) addDetails(m wire.Value) (bool, error) {
	if m.Kind() != '{' {
		return false, nil
	}
	t.detailsRaw, t.detailsMore = m.JSON(), false
	err := m.Members(func(key []byte, n wire.Value) error {
		if string(key) == "thinking_tokens" {
			t.thinking = llm.Some(n.Count())
		} else {
			t.detailsMore = true
		}
		return nil
	})
	return true, err
}

// addServer counts the searches. The object is kept: it counts other tools as well.
func (t *tally) addServer(m wire.Value) (bool, error) {
	if m.Kind() == '{' {
		t.searches = llm.Some(m.Get("web_search_requests").Count())
		fetches, err := m.Get("web_fetch_requests").Int()
		if err == nil && fetches == 0 && m.Len() == 2 && t.searches.V > 0 {
			return true, nil
		}
	}
	t.keep("server_tool_use", m.JSON())
	return true, nil
}

// usage returns the classes. They never overlap, are never negative, and add up to what was said.
func (t *tally) usage() llm.Usage {
	u := llm.Usage{Input: t.input.V, CacheRead: t.cacheRead.V, Searches: t.searches.V}
	u.CacheWrite5m, u.CacheWrite1h = t.writes()
	u.Reasoning = min(t.thinking.V, t.output.V)
	u.Output = t.output.V - u.Reasoning
	if t.input.Set {
		u.Reported |= llm.InSide
	}
	// What message_start says of the output is where it begins, not what it came to.
	if t.output.Set && t.final {
		u.Reported |= llm.OutSide
	}
	u.Extra = t.rest(u)
	return u
}

// writes splits the tokens written to the cache by lifetime. The total is the truth; what the split
// does not account for was written at the default lifetime.
func (t *tally) writes() (m5, h1 int64) {
	m5, h1 = t.write5m.V, t.write1h.V
	if !t.cacheWrite.Set {
		return m5, h1
	}
	h1 = min(h1, t.cacheWrite.V)
	return t.cacheWrite.V - h1, h1
}

// rest returns what encoding the classes would not bring back.
func (t *tally) rest(u llm.Usage) llm.Extra {
	e := llm.Extra{Dialect: Name, Fields: append([]llm.Field(nil), t.extra.Fields...)}
	has := func(key string) bool { _, ok := e.Get(key); return ok }
	for _, m := range []struct {
		key string
		set bool
	}{
		{"input_tokens", t.input.Set},
		{"output_tokens", t.output.Set},
		{"cache_read_input_tokens", t.cacheRead.Set},
		{"cache_creation_input_tokens", t.cacheWrite.Set},
		{"cache_creation", t.split},
	} {
		if !m.set && !has(m.key) {
			e.Note(Name, m.key)
		}
	}
	same := t.write5m.V == u.CacheWrite5m && t.write1h.V == u.CacheWrite1h
	if t.split && (t.splitMore || !same) && !has("cache_creation") {
		e.Add(Name, "cache_creation", t.splitRaw)
	}
	switch {
	case t.detailsRaw == "":
	case t.detailsMore || u.Reasoning != t.thinking.V || !t.thinking.Set:
		e.Add(Name, "output_tokens_details", t.detailsRaw)
	case u.Reasoning == 0:
		e.Note(Name, noThinking)
	}
	return e
}

// decodeUsage reads the usage of a whole answer.
func decodeUsage(v wire.Value) (llm.Usage, string, error) {
	t := tally{final: true}
	if v.Kind() != '{' {
		return llm.Usage{}, "", nil
	}
	err := t.add(v)
	return t.usage(), t.tier, err
}

// appendUsage writes a usage object.
func appendUsage(w *jsonw.Writer, u llm.Usage, tier string) {
	o := wire.Begin(w, u.Extra.In(Name))
	o.Int("input_tokens", u.Input+u.InputAudio+u.InputImage)
	o.Int("cache_creation_input_tokens", u.CacheWrite5m+u.CacheWrite1h)
	o.Int("cache_read_input_tokens", u.CacheRead)
	if o.Free("cache_creation") {
		w.KeyOpen("cache_creation", '{')
		w.KeyInt("ephemeral_5m_input_tokens", u.CacheWrite5m)
		w.KeyInt("ephemeral_1h_input_tokens", u.CacheWrite1h)
		w.Close('}')
	}
	o.Int("output_tokens", u.Out())
	if (u.Reasoning > 0 || !o.Free(noThinking)) && o.Free("output_tokens_details") {
		w.KeyOpen("output_tokens_details", '{')
		w.KeyInt("thinking_tokens", u.Reasoning)
		w.Close('}')
	}
	if u.Searches > 0 && o.Free("server_tool_use") {
		w.KeyOpen("server_tool_use", '{')
		w.KeyInt("web_search_requests", u.Searches)
		w.KeyInt("web_fetch_requests", 0)
		w.Close('}')
	}
	o.OptStr("service_tier", tier)
	o.End()
}
