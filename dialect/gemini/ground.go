package gemini

import (
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// textOf returns the texts of an answer, laid end to end.
func textOf(blocks []llm.Block) string {
	var b strings.Builder
	for _, x := range blocks {
		if t, ok := x.(llm.Text); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// citationsOf reads what a candidate tells of its sources: what grounds it, and what it repeats. Places are
// counted in bytes here, and in letters in llm. The candidate keeps both as they stand besides.
func citationsOf(v wire.Value, text string) []llm.Citation {
	return append(grounds(v.Get("groundingMetadata"), text), recitations(v.Get("citationMetadata"), text)...)
}

func grounds(v wire.Value, text string) []llm.Citation {
	var out []llm.Citation
	chunks := v.Get("groundingChunks")
	supports := v.Get("groundingSupports")
	if supports.Kind() != '[' {
		return nil
	}
	_ = supports.Elems(func(_ int, s wire.Value) error { // the visit has no error to give
		at := s.Get("segment")
		c := llm.Citation{Source: -1, Quote: at.Get("text").Text()}
		c.Start, c.End = letters(text, at.Get("startIndex").Count()), letters(text, at.Get("endIndex").Count())
		indices := s.Get("groundingChunkIndices")
		if indices.Kind() != '[' {
			return nil
		}
		return indices.Elems(func(_ int, n wire.Value) error {
			if chunk := chunks.Get(n.JSON()); chunk.Found() {
				out = append(out, sourced(c, chunk))
			}
			return nil
		})
	})
	return out
}

// sourced says where a piece of grounding came from.
func sourced(c llm.Citation, chunk wire.Value) llm.Citation {
	c.Opaque = opaque("groundingChunk", chunk)
	for _, kind := range [...]string{"web", "maps", "image"} {
		if in := chunk.Get(kind); in.Found() {
			c.Kind, c.URL, c.Title = llm.CiteURL, in.Get("uri").Text(), in.Get("title").Text()
			return c
		}
	}
	in := chunk.Get("retrievedContext")
	c.Kind, c.URL, c.Title = llm.CiteSearch, in.Get("uri").Text(), in.Get("title").Text()
	c.Quote, c.Start, c.End = in.Get("text").Text(), 0, 0
	return c
}

func recitations(v wire.Value, text string) []llm.Citation {
	var out []llm.Citation
	for _, key := range [...]string{"citationSources", "citations"} {
		list := v.Get(key)
		if list.Kind() != '[' {
			continue
		}
		_ = list.Elems(func(_ int, s wire.Value) error { // the visit has no error to give
			uri := s.Get("uri").Text()
			if uri == "" {
				return nil
			}
			out = append(out, llm.Citation{
				Kind: llm.CiteURL, URL: uri, Title: s.Get("title").Text(), Source: -1,
				Start: letters(text, s.Get("startIndex").Count()), End: letters(text, s.Get("endIndex").Count()),
				Opaque: opaque("citationSource", s),
			})
			return nil
		})
	}
	return out
}

// letters returns how many letters the first n bytes of a text are.
func letters(text string, n int64) int {
	if n > int64(len(text)) {
		n = int64(len(text))
	}
	return utf8.RuneCountInString(text[:n])
}

// cite puts citations on the texts that they are about.
func cite(blocks []llm.Block, cites []llm.Citation) {
	for _, c := range cites {
		at := 0
		for i, b := range blocks {
			t, ok := b.(llm.Text)
			if !ok {
				continue
			}
			n := utf8.RuneCountInString(t.Text)
			if c.Start >= at+n && moreText(blocks[i+1:]) {
				at += n
				continue
			}
			c.Start, c.End = max(c.Start-at, 0), max(c.End-at, 0)
			t.Citations = append(t.Citations, c)
			blocks[i] = t
			break
		}
	}
}

func moreText(blocks []llm.Block) bool {
	for _, b := range blocks {
		if t, ok := b.(llm.Text); ok && t.Text != "" {
			return true
		}
	}
	return false
}

// ground writes the citations of an answer that came of another dialect as what grounds it.
func (a *answer) ground(w *jsonw.Writer, blocks []llm.Block) {
	g := grounding{}
	for _, b := range blocks {
		if t, ok := b.(llm.Text); ok {
			for _, c := range t.Citations {
				a.quoted(c, t.Text)
				g.add(c, t.Text)
			}
			g.before += len(t.Text)
		}
	}
	g.write(w)
}

// quoted names the words of a page that a citation repeats, where they are not those of the answer: what grounds
// an answer is told by its own words.
func (l *losses) quoted(c llm.Citation, text string) {
	if c.Kind == llm.CiteURL && !strings.Contains(text, c.Quote) {
		l.Add("choices[0].message.content.citations", "the words of the page are not said")
	}
}

// grounding gathers citations to be said as groundingMetadata.
type grounding struct {
	before   int // bytes of text before the block at hand
	chunks   []llm.Citation
	supports []support
}

type support struct {
	text              string
	start, end, chunk int
}

// add adds a citation of a text.
func (g *grounding) add(c llm.Citation, text string) {
	s := support{chunk: -1}
	for i, x := range g.chunks {
		if x.URL == c.URL && x.Title == c.Title && (c.Kind == llm.CiteURL || x.Quote == c.Quote) {
			s.chunk = i
		}
	}
	if s.chunk < 0 {
		s.chunk = len(g.chunks)
		g.chunks = append(g.chunks, c)
	}
	from, to := 0, len(text)
	if c.Kind == llm.CiteURL && c.End > c.Start {
		from, to = offset(text, c.Start), offset(text, c.End)
	}
	s.text, s.start, s.end = text[from:to], g.before+from, g.before+to
	g.supports = append(g.supports, s)
}

// offset returns how many bytes the first n letters of a text are.
func offset(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

func (g *grounding) write(w *jsonw.Writer) {
	if len(g.chunks) == 0 {
		return
	}
	w.KeyOpen("groundingMetadata", '{')
	w.KeyOpen("groundingChunks", '[')
	for _, c := range g.chunks {
		w.Open('{')
		if c.Kind == llm.CiteURL {
			w.KeyOpen("web", '{')
			w.KeyStr("uri", c.URL)
			w.KeyStr("title", c.Title)
		} else {
			w.KeyOpen("retrievedContext", '{')
			if c.URL != "" {
				w.KeyStr("uri", c.URL)
			}
			w.KeyStr("title", c.Title)
			w.KeyStr("text", c.Quote)
		}
		w.Close('}')
		w.Close('}')
	}
	w.Close(']')
	w.KeyOpen("groundingSupports", '[')
	for _, s := range g.supports {
		w.Open('{')
		w.KeyOpen("segment", '{')
		w.KeyInt("startIndex", int64(s.start))
		w.KeyInt("endIndex", int64(s.end))
		w.KeyStr("text", s.text)
		w.Close('}')
		w.KeyOpen("groundingChunkIndices", '[')
		w.Int(int64(s.chunk))
		w.Close(']')
		w.Close('}')
	}
	w.Close(']')
	w.Close('}')
}

// decodeLogprobs reads the log probabilities of an answer's tokens. What is not as it should be is left as it
// stands.
func decodeLogprobs(v wire.Value) *llm.Logprobs {
	out := &llm.Logprobs{}
	err := fields(v, &out.Extra, func(key string, m wire.Value) (known bool, err error) {
		if key != "chosenCandidates" || m.Kind() != '[' {
			return key == "topCandidates" && m.Kind() == '[', nil
		}
		return true, m.Elems(func(_ int, el wire.Value) error {
			p, err := decodeLogprob(el)
			out.Content = append(out.Content, p)
			return err
		})
	})
	tops := v.Get("topCandidates")
	if err != nil || len(out.Content) == 0 || tops.Found() && tops.Len() != len(out.Content) {
		return nil
	}
	if !tops.Found() {
		return out
	}
	out.Extra.Note(Name, "topCandidates")
	err = tops.Elems(func(i int, el wire.Value) error {
		return el.Get("candidates").Elems(func(_ int, t wire.Value) error {
			p, err := decodeLogprob(t)
			out.Content[i].Top = append(out.Content[i].Top, p)
			return err
		})
	})
	if err != nil {
		return nil
	}
	return out
}

func decodeLogprob(v wire.Value) (llm.Logprob, error) {
	var p llm.Logprob
	err := fields(v, &p.Extra, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "token":
			p.Token, err = m.Str()
			return true, err
		case "logProbability":
			_, err = m.Float()
			p.Value = m.JSON()
			return true, err
		}
		return false, nil
	})
	if p.Extra.Empty() {
		p.Extra = llm.Extra{}
	}
	return p, err
}

// logprobs writes the log probabilities of an answer's tokens.
func (a *answer) logprobs(w *jsonw.Writer, l llm.Logprobs) {
	a.extra("logprobs", l.Extra)
	if len(l.Refusal) > 0 {
		a.Add("logprobs.refusal", "")
	}
	o := begin(w, l.Extra)
	o.key("chosenCandidates")
	w.Open('[')
	tops := l.Extra.Noted(Name, "topCandidates")
	for _, p := range l.Content {
		a.logprob(w, p)
		tops = tops || len(p.Top) > 0
	}
	w.Close(']')
	if tops {
		o.key("topCandidates")
		w.Open('[')
		for _, p := range l.Content {
			w.Open('{')
			w.KeyOpen("candidates", '[')
			for _, t := range p.Top {
				a.logprob(w, t)
			}
			w.Close(']')
			w.Close('}')
		}
		w.Close(']')
	}
	o.End()
}

func (a *answer) logprob(w *jsonw.Writer, p llm.Logprob) {
	a.extra("logprobs.content", p.Extra)
	o := begin(w, p.Extra)
	o.str("token", p.Token)
	o.raw("logProbability", or(p.Value, "0"))
	o.End()
}
