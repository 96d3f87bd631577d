package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// life tells where an offer stands in its life; nil is generally available, as far as the tables know, without any
// day. What a publisher or a host told of the end itself comes first.
func life(p table.Place, id string, f *facts) *record.Lifecycle {
	for _, n := range notices() {
		if n.host == p.Name && n.ids.MatchString(id) {
			l := n.life
			l.From = []int{n.from}
			return &l
		}
	}
	l := &record.Lifecycle{Deprecated: ending(f)}
	if l.Deprecated != "" {
		l.From = []int{fromLitellm}
	}
	switch {
	case f.dev != nil && f.dev.Status == "deprecated":
		l.Stage, l.From = record.Deprecated, append([]int{fromDev}, l.From...)
	case f.genai != nil && f.genai.Deprecated:
		l.Stage, l.From = record.Deprecated, append([]int{fromGenai}, l.From...)
	case f.dev != nil && (f.dev.Status == "beta" || f.dev.Status == "alpha"):
		l.Stage, l.From = record.Preview, append([]int{fromDev}, l.From...)
	case early(id):
		l.Stage, l.From = record.Preview, append([]int{fromNames}, l.From...)
	case l.Deprecated == "":
		return nil
	default:
		l.Stage = record.GA
	}
	return l
}

// ending is the day from which LiteLLM's table calls a model deprecated.
func ending(f *facts) string {
	end := f.litellm.Text("deprecation_date")
	if !regexp.MustCompile(`^20\d\d-\d\d-\d\d$`).MatchString(end) {
		return ""
	}
	return end
}

// early reports whether the publisher itself says in a model's id that it is not meant for production yet. Google,
// OpenAI, xAI, Alibaba and Moonshot name their previews so.
func early(id string) bool {
	words := strings.FieldsFunc(strings.ToLower(id), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"preview", "beta", "alpha", "exp", "experimental"}, w)
	})
}

// ends reports whether nothing new should be built on a model.
func ends(s record.Stage) bool { return s == record.Deprecated || s == record.Retired }

// notice is what was announced of some ids at a place.
type notice struct {
	host string
	ids  *regexp.Regexp
	from int
	life record.Lifecycle
}

// notices are those that the tables do not have, or have with another day. The dates of Anthropic are those of its own
// places, which Azure's Claude is one of.
func notices() []notice {
	is := regexp.MustCompile
	var out []notice
	for _, host := range []string{"anthropic", "azure"} {
		out = append(out,
			notice{host, is(`^claude-opus-4(-0|-20250514)$`), fromNotices, record.Lifecycle{Stage: record.Deprecated, Deprecated: "2026-04-14", Retires: "2026-06-15", Replacement: "anthropic/claude-opus-4-8"}},
			notice{host, is(`^claude-sonnet-4(-0|-20250514)$`), fromNotices, record.Lifecycle{Stage: record.Deprecated, Deprecated: "2026-04-14", Retires: "2026-06-15", Replacement: "anthropic/claude-sonnet-4-6"}},
			notice{host, is(`^claude-opus-4-1(-20250805)?$`), fromNotices, record.Lifecycle{Stage: record.Deprecated, Deprecated: "2026-06-05", Retires: "2026-08-05", Replacement: "anthropic/claude-opus-4-8"}},
		)
	}
	return append(out,
		notice{"azure", is(`^grok-(3|3-mini|4-fast-reasoning|4-fast-non-reasoning)$`), fromPages, record.Lifecycle{Stage: record.Deprecated, Retires: "2026-05-01"}},
		notice{"azure", is(`^grok-4\.7$`), fromPages, record.Lifecycle{Stage: record.GA}},
		notice{"azure", is(`^grok-(4\.6|4\.3|4-20-reasoning|4-20-non-reasoning)$`), fromPages, record.Lifecycle{Stage: record.Preview}},
		notice{"vertex", is(`^xai/grok-4\.7$`), fromPages, record.Lifecycle{Stage: record.Preview}},
		notice{"vertex", is(`^xai/grok-4[.-]1-fast`), fromPages, record.Lifecycle{Stage: record.Deprecated}},
	)
}

// past returns the prices that held before the one that is taken, the newest first.
func past(f *facts, now *record.Price) []record.Price {
	if f.genai == nil || now.Since == "" {
		return nil
	}
	var out []record.Price
	for _, d := range f.genai.past {
		if p := genaiPrice(d.price); p != nil {
			p.Since, p.Until, p.From = d.since, d.until, []int{fromGenai}
			out = append(out, *p)
		}
	}
	return out
}

// differing returns what each source says where they do not agree on the plain rates.
func differing(quotes []quote) []record.Price {
	var out []record.Price
	same := true
	for _, q := range quotes {
		same = same && plain(q.price) == plain(quotes[0].price)
		if q.from >= 0 {
			p := record.Price{Input: q.price.Input, Output: q.price.Output, Since: q.since, From: []int{q.from}}
			out = append(out, p)
		}
	}
	if same || len(out) < 2 {
		return nil
	}
	return out
}
