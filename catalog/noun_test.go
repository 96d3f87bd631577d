package catalog_test

import (
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/llm"
)

func TestALifeIsWhatItsDaysMakeOfIt(t *testing.T) {
	tests := []struct {
		life catalog.Lifecycle
		day  string
		want catalog.Stage
	}{
		{catalog.Lifecycle{}, "2026-11-22", ""},
		{catalog.Lifecycle{Stage: catalog.GA}, "2026-11-22", catalog.GA},
		{catalog.Lifecycle{Stage: catalog.GA, Deprecated: "2026-05-15"}, "2026-05-14", catalog.GA},
		{catalog.Lifecycle{Stage: catalog.GA, Deprecated: "2026-05-15"}, "2026-05-15", catalog.Deprecated},
		{catalog.Lifecycle{Stage: catalog.Deprecated, Deprecated: "2026-04-14", Retires: "2026-06-15"}, "2026-06-14", catalog.Deprecated},
		{catalog.Lifecycle{Stage: catalog.Deprecated, Deprecated: "2026-04-14", Retires: "2026-06-15"}, "2026-06-15", catalog.Retired},
		{catalog.Lifecycle{Stage: catalog.Retired}, "2020-01-01", catalog.Retired},
		{catalog.Lifecycle{Stage: catalog.Preview, Retires: "2027-01-01"}, "2026-11-22", catalog.Preview},
	}
	for _, tt := range tests {
		if got := tt.life.At(tt.day); got != tt.want {
			t.Errorf("%+v is %q on %s, not %q", tt.life, got, tt.day, tt.want)
		}
	}
	var none *catalog.Lifecycle
	if none.At("2026-11-22") != "" {
		t.Error("no life has a stage")
	}
}

// TestAPriceThatChangedIsThatOfTheDateOfTheCall takes the price of Claude Sonnet 5, which rose on a day, and that of
// Opus 4.6, whose surcharge for long prompts went.
func TestAPriceThatChangedIsThatOfTheDateOfTheCall(t *testing.T) {
	tests := []struct {
		id, at string
		usage  llm.Usage
		want   plenum.Micros
	}{
		{"claude-sonnet-5", "2026-08-31T23:59:59Z", llm.Usage{Input: 1_000_000}, 2_000_000},
		{"claude-sonnet-5", "2026-09-01T00:00:00Z", llm.Usage{Input: 1_000_000}, 3_000_000},
		{"claude-sonnet-5", "2026-09-01T01:00:00+02:00", llm.Usage{Output: 1_000_000}, 10_000_000},
		{"claude-sonnet-5", "", llm.Usage{Output: 1_000_000}, 15_000_000},
		{"claude-opus-4-6", "2026-03-12T12:00:00Z", llm.Usage{Input: 900_000}, 9_000_000},
		{"claude-opus-4-6", "2026-03-13T12:00:00Z", llm.Usage{Input: 900_000}, 4_500_000},
	}
	for _, tt := range tests {
		p := price(t, "anthropic", tt.id)
		var at time.Time
		if tt.at != "" {
			var err error
			if at, err = time.Parse(time.RFC3339, tt.at); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.For(plenum.Terms{At: at}).Cost(tt.usage); got != tt.want {
			t.Errorf("%s at %s costs %s, not %s", tt.id, tt.at, got, tt.want)
		}
	}
}

// TestThePublishersThatMatterAreThere has the models and the offers of each, at home and in the clouds, with sources.
func TestThePublishersThatMatterAreThere(t *testing.T) {
	c := catalog.New()
	for publisher, model := range map[string]string{
		"xai": "xai/grok-4.7", "openai": "openai/gpt-5.4", "anthropic": "anthropic/claude-opus-4-8", "google": "google/gemini-2.5-pro",
		"meta": "meta/llama-4-scout-17b-instruct", "mistral": "mistral/mistral-large-latest", "deepseek": "deepseek/deepseek-v4-flash",
		"cohere": "cohere/command-r-plus-08-2024", "alibaba": "alibaba/qwen3.7-max", "moonshotai": "moonshotai/kimi-k2.5",
	} {
		m, ok := c.Model(model)
		if !ok || len(m.Sources) == 0 || m.Sources[0].Date == "" {
			t.Errorf("%s: %+v, %v", model, m, ok)
		}
		for _, p := range c.Publishers() {
			if p.Name == publisher && (p.Host == "" || p.URL == "") {
				t.Errorf("where %s has its own API is not known", publisher)
			}
		}
	}
	m, _ := c.Model("anthropic/claude-opus-4-1")
	if len(m.Versions) != 1 || m.Versions[0].Released != "2025-08-05" || m.Versions[0].Life.Replacement != "anthropic/claude-opus-4-8" {
		t.Errorf("its versions are %+v", m.Versions)
	}
}
