package catalog_test

import (
	"slices"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/llm"
)

// TestOneModelOnItsHosts holds what differs between the hosts of one model: its id, limits, price and what it can.
func TestOneModelOnItsHosts(t *testing.T) {
	no, yes := plenum.No, plenum.Yes
	tests := []struct {
		kind, id, model string
		context, output int
		in, out         plenum.Rate // 0: not known
		schema          plenum.Tri
		effort          bool
	}{
		{"xai", "grok-4.3", "xai/grok-4.3", 1_000_000, 30_000, 1_250_000, 2_500_000, yes, false},
		{"azure", "grok-4.3", "xai/grok-4.3", 200_000, 8_192, 0, 0, yes, false},
		{"azure", "grok-4.7", "xai/grok-4.7", 500_000, 0, 0, 0, yes, false},
		{"bedrock", "xai.grok-4.3", "xai/grok-4.3", 1_000_000, 131_072, 1_250_000, 2_500_000, yes, false},
		{"vertex", "xai/grok-4.3", "xai/grok-4.3", 0, 0, 0, 0, yes, false},
		{"vertex", "xai/grok-4.20-reasoning", "xai/grok-4.20-reasoning", 2_000_000, 2_000_000, 2_000_000, 6_000_000, yes, false},

		{"openai", "gpt-5.5", "openai/gpt-5.5", 1_050_000, 128_000, 5_000_000, 30_000_000, yes, false},
		{"azure", "gpt-5.5", "openai/gpt-5.5", 1_050_000, 128_000, 5_000_000, 30_000_000, yes, false},
		{"bedrock", "openai.gpt-5.5", "openai/gpt-5.5", 272_000, 128_000, 5_500_000, 33_000_000, yes, false},
		{"bedrock", "openai.gpt-oss-120b-1:0", "openai/gpt-oss-120b", 128_000, 16_384, 150_000, 600_000, yes, false},

		{"anthropic", "claude-opus-4-8", "anthropic/claude-opus-4-8", 1_000_000, 128_000, 5_000_000, 25_000_000, yes, true},
		{"azure", "claude-opus-4-8", "anthropic/claude-opus-4-8", 200_000, 128_000, 5_000_000, 25_000_000, yes, true},
		{"bedrock", "anthropic.claude-opus-4-8", "anthropic/claude-opus-4-8", 1_000_000, 128_000, 5_000_000, 25_000_000, yes, true},
		{"bedrock", "global.anthropic.claude-opus-4-8", "anthropic/claude-opus-4-8", 1_000_000, 128_000, 5_000_000, 25_000_000, yes, true},
		{"bedrock", "eu.anthropic.claude-opus-4-8", "anthropic/claude-opus-4-8", 1_000_000, 128_000, 5_500_000, 27_500_000, yes, true},
		{"vertex", "claude-opus-4-8@default", "anthropic/claude-opus-4-8", 1_000_000, 128_000, 5_000_000, 25_000_000, yes, true},
		// The older ones: Vertex AI has no structured output for them, and budgets are numbers.
		{"anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", 200_000, 64_000, 3_000_000, 15_000_000, yes, false},
		{"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic/claude-sonnet-4-5-20250929", 200_000, 64_000, 3_300_000, 16_500_000, yes, false},
		{"vertex", "claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4-5-20250929", 200_000, 64_000, 3_000_000, 15_000_000, no, false},
		{"anthropic", "claude-opus-4-1", "anthropic/claude-opus-4-1", 200_000, 32_000, 15_000_000, 75_000_000, yes, false},
		{"bedrock", "anthropic.claude-opus-4-1-20250805-v1:0", "anthropic/claude-opus-4-1-20250805", 200_000, 32_000, 15_000_000, 75_000_000, no, false},

		{"gemini", "gemini-2.5-flash", "google/gemini-2.5-flash", 1_048_576, 65_536, 300_000, 2_500_000, yes, false},
		{"vertex", "gemini-2.5-flash", "google/gemini-2.5-flash", 1_048_576, 65_536, 300_000, 2_500_000, yes, false},
	}
	c := catalog.New()
	for _, tt := range tests {
		f, ok := c.Offer(tt.kind, tt.id)
		if !ok {
			t.Errorf("%s %s is not known", tt.kind, tt.id)
			continue
		}
		p := f.Price
		if f.Model != tt.model || f.Context != tt.context || f.MaxOutput != tt.output || p.Input != tt.in || p.Output != tt.out || p.Known != (tt.in > 0) {
			t.Errorf("%s %s: %s %d/%d at %d/%d", tt.kind, tt.id, f.Model, f.Context, f.MaxOutput, p.Input, p.Output)
		}
		if f.Traits.Capabilities.Schema != tt.schema || f.Traits.Effort != tt.effort {
			t.Errorf("%s %s: schema %v, effort %v", tt.kind, tt.id, f.Traits.Capabilities.Schema, f.Traits.Effort)
		}
	}
}

func TestIDsOfCloudsAreReadAsTheyAreWritten(t *testing.T) {
	tests := []struct {
		kind, id, want string
		priced         bool
	}{
		{"bedrock", "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-8", "eu.anthropic.claude-opus-4-8", true},
		{"bedrock", "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", true},
		{"bedrock", "ca.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8", false},
		{"bedrock", "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3", "", false},
		{"bedrock", "anthropic.claude-99", "", false},
		{"vertex", "publishers/anthropic/models/claude-opus-4-8", "claude-opus-4-8", true},
		{"vertex", "projects/p/locations/global/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash", true},
		{"vertex", "google/gemini-2.5-flash", "gemini-2.5-flash", true},
		{"vertex", "anthropic/claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929", true},
		{"gemini", "models/gemini-2.5-pro", "gemini-2.5-pro", true},
	}
	c := catalog.New()
	for _, tt := range tests {
		f, ok := c.Offer(tt.kind, tt.id)
		same := f.ID == tt.want || ok && slices.Contains(catalog.AlsoOf(c, tt.kind, f.ID), tt.want)
		if !same || ok != (tt.want != "") || f.Price.Known != tt.priced {
			t.Errorf("%s %s is taken as %q, priced %v", tt.kind, tt.id, f.ID, f.Price.Known)
		}
	}
}

// TestAClaudeThatIsNewerThanTheCatalog is asked as the newest that is known, on every host.
func TestAClaudeThatIsNewerThanTheCatalog(t *testing.T) {
	c := catalog.New()
	for kind, id := range map[string]string{
		"anthropic": "claude-opus-6", "azure": "claude-opus-6", "bedrock": "us.anthropic.claude-opus-6-v1", "vertex": "claude-opus-6@default",
	} {
		o, ok := c.Describe(kind, id, "")
		if !ok || !o.Traits.Effort || !slices.Contains(o.Traits.Refuses, "temperature") || o.Price.Known {
			t.Errorf("%s: %+v", kind, o)
		}
	}
	if o, ok := c.Describe("bedrock", "arn:aws:bedrock:us-west-2:1:application-inference-profile/a1", "anthropic/claude-opus-6"); !ok || !o.Traits.Effort {
		t.Errorf("by the model's name: %+v", o)
	}
	if _, ok := c.Describe("openai-compatible", "claude-opus-6", ""); ok {
		t.Error("a host that nobody knows is said to have its traits")
	}
}

func TestGrokOnAzureRefusesLogprobs(t *testing.T) {
	f, _ := catalog.New().Offer("azure", "grok-4.3")
	for _, name := range []string{"presence_penalty", "frequency_penalty", "logprobs"} {
		if !slices.Contains(f.Traits.Refuses, name) {
			t.Errorf("%s is not refused: %v", name, f.Traits.Refuses)
		}
	}
}

// TestPricesByTier takes the vendors' own price lists: a million tokens read, and as many written, at each tier.
func TestPricesByTier(t *testing.T) {
	million := llm.Usage{Input: 100_000, CacheRead: 100_000, Output: 1_000_000}
	tests := []struct {
		kind, id, tier string
		usage          llm.Usage
		want           plenum.Micros
	}{
		{"openai", "gpt-5.4", "", million, 250_000 + 25_000 + 15_000_000},
		{"openai", "gpt-5.4", "default", million, 250_000 + 25_000 + 15_000_000},
		{"openai", "gpt-5.4", "priority", million, 500_000 + 50_000 + 30_000_000},
		{"openai", "gpt-5.4", "flex", million, 125_000 + 13_000 + 7_500_000},
		{"openai", "gpt-5.4", "batch", llm.Usage{Input: 100_000, Output: 1_000_000}, 125_000 + 7_500_000},
		{"openai", "gpt-5.4", "scale", million, 250_000 + 25_000 + 15_000_000},
		// Longer prompts cost more, at the flexible tier as well.
		{"openai", "gpt-5.4", "", llm.Usage{Input: 300_000}, 1_500_000},
		{"openai", "gpt-5.4", "flex", llm.Usage{Input: 300_000}, 1_500_000},
		{"anthropic", "claude-sonnet-4-5", "batch", llm.Usage{Input: 1_000_000, Output: 1_000_000}, 28_500_000}, // has no rates of its own: those of long prompts
		{"vertex", "gemini-3.1-pro-preview", "priority", llm.Usage{Input: 100_000, Output: 10_000}, 360_000 + 216_000},
	}
	for _, tt := range tests {
		p := price(t, tt.kind, tt.id)
		if got := p.For(plenum.Terms{Tier: tt.tier}).Cost(tt.usage); got != tt.want {
			t.Errorf("%s at tier %q costs %s, not %s", tt.id, tt.tier, got, tt.want)
		}
	}
}

// TestPricesOfImages takes OpenAI's price list of DALL-E 3 and 2.
func TestPricesOfImages(t *testing.T) {
	tests := []struct {
		id, quality, size string
		want              plenum.Micros
	}{
		{"dall-e-3", "", "", 40_000},
		{"dall-e-3", "standard", "1024x1024", 40_000},
		{"dall-e-3", "", "1792x1024", 80_000},
		{"dall-e-3", "hd", "", 80_000},
		{"dall-e-3", "hd", "1024x1792", 120_000},
		{"dall-e-2", "", "512x512", 18_000},
		{"dall-e-2", "", "1024x1024", 20_000},
	}
	for _, tt := range tests {
		p := price(t, "openai", tt.id)
		if got := p.For(plenum.Terms{Quality: tt.quality, Size: tt.size}).Cost(llm.Usage{Images: 1}); got != tt.want {
			t.Errorf("%s %s %s costs %s, not %s", tt.id, tt.quality, tt.size, got, tt.want)
		}
	}
	tokens := price(t, "openai", "gpt-image-1")
	if got := tokens.Cost(llm.Usage{Input: 100, InputImage: 1000, OutputImage: 4160, Images: 1}); got != 500+10_000+166_400 {
		t.Errorf("gpt-image-1, which is paid by the token, costs %s", got)
	}
}

// TestPricesByTheHour takes the hours that DeepSeek had: half price, and less, from 16:30 to 00:30 UTC.
func TestPricesByTheHour(t *testing.T) {
	p := plenum.Price{Known: true, Input: 270_000, Output: 1_100_000}
	p.Hours = &plenum.Hours{From: 16*60 + 30, To: 30, Price: &plenum.Price{Known: true, Input: 135_000, Output: 550_000}}
	for at, want := range map[string]plenum.Micros{
		"2025-03-01T12:00:00Z": 270_000, "2025-03-01T16:29:59Z": 270_000, "2025-03-01T16:30:00Z": 135_000, "2025-03-01T23:59:00Z": 135_000,
		"2025-03-02T00:29:00Z": 135_000, "2025-03-02T00:30:00Z": 270_000, "2025-03-01T18:00:00+08:00": 270_000,
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.For(plenum.Terms{At: when}).Cost(llm.Usage{Input: 1_000_000}); got != want {
			t.Errorf("at %s a million tokens cost %s, not %s", at, got, want)
		}
	}
}
