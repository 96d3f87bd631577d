package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/llm"
)

func price(t *testing.T, kind, id string) plenum.Price {
	t.Helper()
	f, ok := catalog.New().Offer(kind, id)
	if !ok || !f.Price.Known {
		t.Fatalf("%s has no price of %s", kind, id)
	}
	return f.Price
}

func TestCase_D1_EachClassIsBilledOnceAtItsOwnRate(t *testing.T) {
	tests := []struct {
		kind, id string
		usage    llm.Usage
		want     plenum.Micros
	}{
		{"anthropic", "claude-sonnet-4-5", llm.Usage{Input: 3, CacheWrite5m: 12304, Output: 550}, 54_399},
		{"anthropic", "claude-sonnet-4-5", llm.Usage{Input: 100, CacheRead: 700, CacheWrite5m: 200}, 1_260},
		{"anthropic", "claude-sonnet-4-5", llm.Usage{CacheWrite1h: 1000}, 6_000},
		{"anthropic", "claude-opus-4-1", llm.Usage{CacheWrite1h: 1000, CacheRead: 1000}, 31_500},
		{"anthropic", "claude-haiku-4-5", llm.Usage{Input: 1_000_000, Output: 1_000_000}, 6_000_000},
		{"openai", "gpt-4o", llm.Usage{Input: 1000, CacheRead: 1792, Output: 100}, 5_740},
		{"openai", "gpt-5", llm.Usage{Input: 100, Output: 10, Reasoning: 990}, 10_125},
		{"openai", "o3", llm.Usage{Input: 1, CacheRead: 1, Output: 1}, 11},
		{"openai", "text-embedding-3-small", llm.Usage{Input: 1_000_000}, 20_000},
		{"xai", "grok-4.3", llm.Usage{Input: 200_000}, 250_000},
		{"xai", "grok-4.3", llm.Usage{Input: 200_001, Output: 1000}, 505_003},
		{"xai", "grok-4.3", llm.Usage{Input: 100_001, CacheRead: 100_000}, 290_003},
		{"anthropic", "claude-opus-4-6", llm.Usage{Input: 900_000}, 4_500_000},
		{"anthropic", "claude-opus-4-6", llm.Usage{Searches: 3}, 30_000},
	}
	for _, tt := range tests {
		p := price(t, tt.kind, tt.id)
		if got := p.Cost(tt.usage); got != tt.want {
			t.Errorf("%s: %+v costs %s, not %s", tt.id, tt.usage, tt.want, got)
		}
	}
}

// TestKnownFigures holds figures of which several sources are sure, as dollars a million tokens read,
// read from the cache and written.
func TestKnownFigures(t *testing.T) {
	tests := []struct {
		kind, id        string
		in, cached, out string
		context         int
	}{
		{"openai", "gpt-4o", "2.500000", "1.250000", "10.000000", 128_000},
		{"openai", "gpt-4o-2024-05-13", "5.000000", "5.000000", "15.000000", 128_000},
		{"openai", "gpt-4o-mini", "0.150000", "0.075000", "0.600000", 128_000},
		{"openai", "gpt-5.4", "2.500000", "0.250000", "15.000000", 1_050_000},
		{"openai", "o3", "2.000000", "0.500000", "8.000000", 200_000},
		{"azure", "gpt-4o-mini", "0.150000", "0.075000", "0.600000", 128_000},
		{"azure", "gpt-4", "30.000000", "30.000000", "60.000000", 8_192},
		{"anthropic", "claude-opus-4-5", "5.000000", "0.500000", "25.000000", 200_000},
		{"anthropic", "claude-sonnet-5", "3.000000", "0.300000", "15.000000", 1_000_000},
		{"azure", "claude-sonnet-5", "3.000000", "0.300000", "15.000000", 1_000_000},
		{"xai", "grok-4.3", "1.250000", "0.200000", "2.500000", 1_000_000},
		{"xai", "grok-4.5", "2.000000", "0.500000", "6.000000", 500_000},
		{"groq", "llama-3.3-70b-versatile", "0.590000", "0.590000", "0.790000", 131_072},
		{"mistral", "mistral-large-2512", "0.500000", "0.050000", "1.500000", 262_144},
		{"deepseek", "deepseek-v4-flash", "0.140000", "0.002800", "0.280000", 1_000_000},
		{"moonshot", "kimi-k2.5", "0.600000", "0.100000", "3.000000", 262_144},
		{"perplexity", "sonar", "1.000000", "1.000000", "1.000000", 128_000},
		{"cerebras", "gpt-oss-120b", "0.350000", "0.350000", "0.750000", 131_072},
		{"zai", "glm-4.6", "0.600000", "0.110000", "2.200000", 200_000},
	}
	c := catalog.New()
	for _, tt := range tests {
		f, _ := c.Offer(tt.kind, tt.id)
		got := fmt.Sprint(plenum.Micros(f.Price.Input), plenum.Micros(f.Price.CacheRead), plenum.Micros(f.Price.Output), f.Context)
		want := fmt.Sprint(tt.in, " ", tt.cached, " ", tt.out, " ", tt.context)
		if got != want {
			t.Errorf("%s %s: got %s, want %s", tt.kind, tt.id, got, want)
		}
	}
}

func gone(f *catalog.Facts) bool {
	stage := f.Life.At("2026-11-22")
	return stage == catalog.Deprecated || stage == catalog.Retired
}

func TestTheEntriesAreSound(t *testing.T) {
	c := catalog.New()
	n := 0
	for _, kind := range c.Providers() {
		for _, id := range c.Models(kind) {
			f, ok := c.Offer(kind, id)
			if !ok || f.ID != id || gone(&f) || f.Mode != "chat" {
				t.Errorf("%s lists %s, which is %+v", kind, id, f)
			}
		}
		for id, f := range catalog.All(c, kind) {
			n++
			if len(f.Sources) == 0 {
				t.Errorf("%s %s has no source", kind, id)
			}
			if f.Context < 0 || f.MaxOutput < 0 || f.Traits.DefaultMaxOut > f.MaxOutput {
				t.Errorf("%s %s has impossible limits: %+v", kind, id, f)
			}
			if f.Disputed && f.Price.Known {
				t.Errorf("%s %s has a price that is disputed", kind, id)
			}
			sound(t, kind+" "+id, f.Price)
		}
	}
	if n < 1000 {
		t.Errorf("only %d entries", n)
	}
}

// sound checks that no rate is negative or absurd, and that reading from a cache is never dearer than
// reading.
func sound(t *testing.T, name string, p plenum.Price) {
	t.Helper()
	if !p.Known {
		if p != (plenum.Price{}) {
			t.Errorf("%s: rates of a price that is not known", name)
		}
		return
	}
	for class, rate := range map[string]plenum.Rate{
		"input": p.Input, "cache read": p.CacheRead, "cache write": p.CacheWrite5m, "cache write 1h": p.CacheWrite1h,
		"audio": p.InputAudio, "image": p.InputImage, "output": p.Output, "reasoning": p.Reasoning,
		"audio out": p.OutputAudio, "image out": p.OutputImage,
	} {
		if rate < 0 || rate > 1000_000_000 {
			t.Errorf("%s: %s at %d", name, class, rate)
		}
	}
	if p.CacheRead > p.Input || p.CacheWrite5m > 2*p.Input || !strings.HasPrefix(p.Source, "catalog 20") {
		t.Errorf("%s: %+v", name, p)
	}
	if p.Tiers != nil {
		for tier, q := range map[string]*plenum.Price{"priority": p.Tiers.Priority, "flex": p.Tiers.Flex, "batch": p.Tiers.Batch} {
			if q == nil {
				continue
			}
			if tier == "priority" && q.Input < p.Input || tier != "priority" && q.Input > p.Input {
				t.Errorf("%s: %s costs %d instead of %d", name, tier, q.Input, p.Input)
			}
			sound(t, name+" "+tier, *q)
		}
	}
	if p.Over != nil {
		if p.Above < 1000 || p.Over.Input < p.Input {
			t.Errorf("%s: long prompts are cheaper, or begin at %d", name, p.Above)
		}
		sound(t, name+" over", *p.Over)
	}
}

func TestIDsAreMatchedWithoutGuessing(t *testing.T) {
	tests := []struct{ kind, id, want string }{
		{"openai", "gpt-4o", "gpt-4o"},
		{"openai", "GPT-4o", "gpt-4o"},
		{"openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"},
		{"openai", "gpt-5.4-2031-01-31", "gpt-5.4"},
		{"openai", "gpt-4o-latest", "gpt-4o"},
		{"anthropic", "claude-opus-4-8-20310131", "claude-opus-4-8"},
		{"anthropic", "claude-sonnet-4-5-latest", "claude-sonnet-4-5"},
		{"xai", "grok-4-latest", "grok-4"},
		{"azure", "gpt-4o", "gpt-4o"},
		{"openai", "gpt-4o-99", ""},
		{"openai", "ft:gpt-4o-2024-08-06:lab::abc", ""},
		{"openai", "openai/gpt-4o", ""},
		{"openai", "", ""},
		{"xai", "grok-99", ""},
		{"mistral", "mistral-large-2699", ""},
		{"openrouter", "openai/gpt-4o:nitro", ""},
		{"nowhere", "gpt-4o", ""},
		{"openai-compatible", "gpt-4o", ""},
	}
	c := catalog.New()
	for _, tt := range tests {
		f, ok := c.Offer(tt.kind, tt.id)
		if f.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("%s %s is taken as %q", tt.kind, tt.id, f.ID)
		}
	}
}

func TestQuirksAreKnown(t *testing.T) {
	sampling := []string{"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}
	tests := []struct {
		kind, id string
		field    string
		out      int
		refuses  []string
	}{
		{"openai", "gpt-4o", "", 0, nil},
		{"openai", "o3", "max_completion_tokens", 0, sampling},
		{"openai", "gpt-5-mini", "max_completion_tokens", 0, sampling},
		{"openai", "gpt-5.4", "max_completion_tokens", 0, nil},
		{"azure", "gpt-5", "max_completion_tokens", 0, sampling},
		{"anthropic", "claude-3-haiku-20240307", "", 4096, nil},
		{"anthropic", "claude-sonnet-4-5", "", 32_000, nil},
		{"anthropic", "claude-opus-4-8", "", 32_000, []string{"temperature", "top_p", "top_k"}},
		{"xai", "grok-4.3", "", 0, []string{"presence_penalty", "frequency_penalty", "stop"}},
		{"xai", "grok-4-1-fast-reasoning", "", 0, []string{"presence_penalty", "frequency_penalty", "stop", "reasoning_effort"}},
		{"xai", "grok-4.20-0309-non-reasoning", "", 0, nil},
	}
	c := catalog.New()
	for _, tt := range tests {
		f, _ := c.Offer(tt.kind, tt.id)
		want := plenum.Traits{MaxTokensField: tt.field, DefaultMaxOut: tt.out, Refuses: tt.refuses}
		want.Capabilities, want.SchemaRefuses, want.Effort = f.Traits.Capabilities, f.Traits.SchemaRefuses, f.Traits.Effort // see hosts_test.go
		if diff := cmp.Diff(want, f.Traits); diff != "" {
			t.Errorf("%s %s: %s", tt.kind, tt.id, diff)
		}
	}
	f, _ := c.Offer("perplexity", "sonar")
	if f.Traits.Capabilities.Tools != plenum.No {
		t.Errorf("sonar: %+v", f.Traits.Capabilities)
	}
}

func TestDescribeHelpsWhereIDsSayNothing(t *testing.T) {
	c := catalog.New()
	if o, ok := c.Describe("azure", "our-own-name", "openai/gpt-4o"); !ok || o.Model != "openai/gpt-4o" || o.Price.Input != 2_500_000 {
		t.Errorf("azure: %+v", o)
	}
	if o, ok := c.Describe("openai-compatible", "whatever", "xai/grok-4.3"); !ok || o.Context != 1_000_000 || o.Price.Known {
		t.Errorf("elsewhere: %+v", o)
	}
	if o, ok := c.Describe("llamacpp", "smollm2", ""); !ok || !o.Price.Known || o.Price.Input != 0 {
		t.Errorf("own machine: %+v", o)
	}
	if o, ok := c.Describe("openai-compatible", "whatever", ""); ok {
		t.Errorf("nothing is known of it: %+v", o)
	}
	if o, ok := c.Describe("xai", "grok-4.20-0309-reasoning", ""); !ok || o.Price.Known || o.Context != 1_000_000 {
		t.Errorf("disputed: %+v", o)
	}
}

func TestModelsAndPublishers(t *testing.T) {
	c := catalog.New()
	m, ok := c.Model("xai/grok-4.3")
	if !ok || m.Title != "Grok 4.3" || m.Context != 1_000_000 || !slices.Contains(m.Can, "tools") {
		t.Errorf("model is %+v", m)
	}
	if _, ok := c.Model("xai/nothing"); ok {
		t.Error("a model that does not exist is found")
	}
	titles := map[string]string{}
	for _, p := range c.Publishers() {
		titles[p.Name] = p.Title
	}
	for _, m := range c.AllModels() {
		publisher, _, _ := strings.Cut(m.ID, "/")
		if titles[publisher] == "" || m.Title == "" {
			t.Errorf("%s has no title, or its publisher none", m.ID)
		}
	}
}

func TestAStartWithoutConfigurationHasModelsToOffer(t *testing.T) {
	c := catalog.New()
	listed := strings.Join(c.Models("xai"), " ")
	if !strings.Contains(listed, "grok-4.3") || strings.Contains(listed, "grok-2") {
		t.Errorf("xai lists %s", listed)
	}
	if got := c.Models("azure"); len(got) != 0 {
		t.Errorf("azure lists %v, but people choose the ids there", got)
	}
	if got := c.Models("nowhere"); got != nil {
		t.Errorf("nowhere lists %v", got)
	}
	for _, kind := range []string{"xai", "openai", "anthropic", "mistral", "deepseek", "perplexity", "moonshot", "zai"} {
		for _, p := range c.Patterns(kind) {
			if !strings.HasSuffix(p, "*") || strings.Count(p, "*") != 1 {
				t.Errorf("%s has the pattern %s", kind, p)
			}
		}
		if len(c.Patterns(kind)) == 0 || len(c.Models(kind)) == 0 {
			t.Errorf("%s has no patterns or no models", kind)
		}
	}
	if c.Patterns("openrouter") != nil {
		t.Error("a market place has patterns of its own")
	}
}

func BenchmarkReadEverything(b *testing.B) {
	for b.Loop() {
		c := catalog.New()
		for _, kind := range c.Providers() {
			c.Offer(kind, "")
		}
		c.AllModels()
	}
}

func BenchmarkOffer(b *testing.B) {
	c := catalog.New()
	b.ReportAllocs()
	for b.Loop() {
		c.Offer("openai", "gpt-4o")
	}
}
