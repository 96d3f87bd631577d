package table

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// Litellm is one entry of LiteLLM's table; rates are in dollars a token.
type Litellm map[string]json.RawMessage

// Text returns a text; "" where there is none.
func (m Litellm) Text(key string) string {
	var s string
	_ = json.Unmarshal(m[key], &s) // another type is no text
	return s
}

// Number returns a whole number; 0 where there is none.
func (m Litellm) Number(key string) int {
	n, err := strconv.ParseFloat(strings.Trim(string(m[key]), `"`), 64)
	if err != nil {
		return 0
	}
	return int(n)
}

// Says returns what a truth value says, nil where it is absent.
func (m Litellm) Says(key string) *bool {
	var b *bool
	_ = json.Unmarshal(m[key], &b) // another type says nothing
	return b
}

// Rate reads a rate of dollars a token as dollars a million, exactly; nil where it is absent.
func (m Litellm) Rate(key string) *record.Rate {
	return Exact(string(m[key]), 1_000_000)
}

// LitellmPrice reads the price of LiteLLM's table, which is in dollars a token.
func LitellmPrice(m Litellm) *record.Price {
	if m == nil {
		return nil
	}
	p := m.rates(0, "")
	m.units(p)
	if steps := m.steps(); p.Input == nil && steps != nil {
		return steps
	}
	if p.Input == nil && (p.Image != nil || p.Search != nil || p.Character != nil || p.Second != nil) {
		p.Input = new(record.Rate) // nothing is charged for the words
	}
	if p.Input == nil {
		return nil
	}
	if found := searchRate(m); found != nil {
		p.Search = found
	}
	Chain(p, thresholds(m), func(above int64) *record.Price { return m.rates(above, "") })
	p.Priority, p.Flex, p.Batch = m.tier("_priority"), m.tier("_flex"), m.tier("_batches")
	return p
}

// units reads the rates of what is paid by the query, the character or the second. What an entry says of tokens beside that
// is mostly a zero that stands for nothing.
func (m Litellm) units(p *record.Price) {
	some := func(key string, times int64) *record.Rate {
		if r := Exact(string(m[key]), times); r != nil && *r > 0 {
			return r
		}
		return nil
	}
	switch Mode(m.Text("mode")) {
	case "rerank":
		p.Search = some("input_cost_per_query", 1000)
	case "speech":
		p.Character = some("input_cost_per_character", 1_000_000)
	case "transcription":
		p.Second = some("input_cost_per_second", 1000)
	}
}

// Mode says what an offer is called for whose mode LiteLLM calls so: "chat", or "" where it is nothing that Plenum calls.
func Mode(litellm string) string {
	switch litellm {
	case "chat", "completion":
		return "chat"
	case "responses", "embedding", "realtime", "rerank", "moderation":
		return litellm
	case "image_generation":
		return "image"
	case "audio_speech":
		return "speech"
	case "audio_transcription":
		return "transcription"
	}
	return ""
}

// steps reads rates that are written as a list of ranges of how long a prompt is; nil where there is none.
func (m Litellm) steps() *record.Price {
	var list []Litellm
	if !Decodes(m["tiered_pricing"], &list) {
		return nil
	}
	var first *record.Price
	last := &first
	for _, step := range list {
		var reach []float64
		p := step.rates(0, "")
		if p.Input == nil || p.Output == nil || !Decodes(step["range"], &reach) || len(reach) != 2 {
			return nil
		}
		p.Above = int64(reach[0])
		*last, last = p, &p.Over
	}
	return first
}

// rates reads the rates of prompts of more than so many tokens at a service tier.
func (m Litellm) rates(above int64, tier string) *record.Price {
	suffix := tier
	if above > 0 {
		suffix = fmt.Sprintf("_above_%dk_tokens%s", above/1000, tier)
	}
	p := &record.Price{
		Above: above,
		Input: m.Rate("input_cost_per_token" + suffix), Output: m.Rate("output_cost_per_token" + suffix),
		CacheRead:    m.Rate("cache_read_input_token_cost" + suffix),
		CacheWrite5m: m.Rate("cache_creation_input_token_cost" + suffix),
		CacheWrite1h: m.Rate("cache_creation_input_token_cost_above_1hr" + suffix),
		InputAudio:   m.Rate("input_cost_per_audio_token" + suffix),
		InputImage:   m.Rate("input_cost_per_image_token" + suffix),
		Reasoning:    m.Rate("output_cost_per_reasoning_token" + suffix),
		OutputAudio:  m.Rate("output_cost_per_audio_token" + suffix),
		OutputImage:  m.Rate("output_cost_per_image_token" + suffix),
	}
	if suffix == "" && p.OutputImage == nil && m.Text("mode") == "image_generation" {
		p.Image = m.Picture()
	}
	return p
}

// tier reads the rates of a service tier; nil where there are none. Where the table leaves a side of them out it
// is as dear as at the standard tier.
func (m Litellm) tier(suffix string) *record.Price {
	p := m.rates(0, suffix)
	if p.Input == nil || p.Output == nil {
		return nil
	}
	long := map[int64]bool{}
	for above := range thresholds(m) {
		if over := m.rates(above, suffix); over.Input != nil && over.Output != nil {
			long[above] = true
		}
	}
	Chain(p, long, func(above int64) *record.Price { return m.rates(above, suffix) })
	return p
}

// thresholds returns the lengths of prompt from which LiteLLM's table has other rates.
func thresholds(m Litellm) map[int64]bool {
	re := regexp.MustCompile(`^input_cost_per_token_above_(\d+)k_tokens$`)
	out := map[int64]bool{}
	for key := range m {
		if found := re.FindStringSubmatch(key); found != nil && m.Rate(key) != nil {
			n, err := strconv.ParseInt(found[1], 10, 32)
			if err == nil {
				out[n*1000] = true
			}
		}
	}
	return out
}

// searchRate returns what a thousand searches cost where that does not depend on how much is read of
// what they find.
func searchRate(m Litellm) *record.Rate {
	var sizes struct {
		Low    RawNumber `json:"search_context_size_low"`
		Medium RawNumber `json:"search_context_size_medium"`
		High   RawNumber `json:"search_context_size_high"`
	}
	if !Decodes(m["search_context_cost_per_query"], &sizes) || sizes.Low != sizes.Medium || sizes.Low != sizes.High {
		return nil
	}
	return Exact(string(sizes.Low), 1000)
}

// Chain hangs the prices of ever longer prompts one onto another.
func Chain(p *record.Price, starts map[int64]bool, at func(int64) *record.Price) {
	for _, s := range slices.Sorted(maps.Keys(starts)) {
		p.Over = at(s)
		p = p.Over
	}
}

// Picture reads what an image costs; nil where the table does not say it.
func (m Litellm) Picture() *record.Rate {
	for _, key := range []string{"output_cost_per_image", "input_cost_per_image"} {
		if r := Exact(string(m[key]), 1000); r != nil && *r > 0 {
			return r
		}
	}
	return nil
}
