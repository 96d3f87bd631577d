package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// traits enters how an offer's version of its dialect differs, and what it can do.
func traits(p table.Place, f *facts, o *record.Offer) {
	o.Can, o.Cannot = capabilities(f)
	switch {
	case p.Name == "openai" || p.Name == "azure" && openAIModel(o.ID):
		openAITraits(o)
	case p.Name == "xai":
		xaiTraits(f, o)
	case strings.HasPrefix(o.ID, "claude-") && (p.Name == "anthropic" || p.Name == "azure" || p.Name == "vertex"), strings.Contains(o.ID, "anthropic.claude-"):
		anthropicTraits(f, o)
	}
	if b := f.litellm.Says("supports_native_structured_output"); p.Name == "bedrock" && o.Mode == "" && !onMantle(o.ID) {
		say(o, "schema", b != nil && *b || regexp.MustCompile(`gpt-oss|gemma-3`).MatchString(o.ID))
	}
}

func openAIModel(id string) bool {
	return strings.HasPrefix(id, "gpt-") || regexp.MustCompile(`^(o\d|codex)`).MatchString(id)
}

// openAITraits: the reasoning models want max_completion_tokens, and those that always reason answer
// sampling parameters with an error. Since 5.1 they take them when they are asked not to reason, so
// that it is not for us to say.
func openAITraits(o *record.Offer) {
	reasons := regexp.MustCompile(`^(o\d|gpt-5|codex)`).MatchString(o.ID)
	if !reasons || o.Mode == "embedding" {
		return
	}
	o.MaxField = "max_completion_tokens"
	always := regexp.MustCompile(`^(o\d|gpt-5(-mini|-nano|-pro|-codex)?(-20\d\d-\d\d-\d\d)?$)`).MatchString(o.ID)
	if always {
		o.Refuses = []string{"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}
	}
}

// xaiTraits: the reasoning models answer stop and the penalties with an error, and those whose effort
// cannot be set answer reasoning_effort so.
func xaiTraits(f *facts, o *record.Offer) {
	if !slices.Contains(o.Can, "thinking") {
		return
	}
	o.Refuses = []string{"presence_penalty", "frequency_penalty", "stop"}
	fixed := regexp.MustCompile(`^grok-4(-0709|-latest|-fast.*|-1-fast.*)?$`).MatchString(o.ID)
	if f.dev != nil && f.dev.ReasoningOptions != nil && len(*f.dev.ReasoningOptions) == 0 {
		fixed = true
	}
	if fixed {
		o.Refuses = append(o.Refuses, "reasoning_effort")
	}
}

// mostDefault bounds the cap on output that is set for a caller who gave none: the vendor counts it
// against the context, where the whole of a model's output would leave too little room for the prompt.
const mostDefault = 32_000

// anthropicTraits: a request must cap its output, and the newest models answer sampling parameters
// with an error.
func anthropicTraits(f *facts, o *record.Offer) {
	o.DefaultTo = min(o.Output, mostDefault)
	hours := func(p *record.Price) {
		for ; p != nil && *p.Input > 0; p = p.Over {
			hour := 2 * *p.Input // the vendor's own rule; the tables have it wrong for some
			p.CacheWrite1h = &hour
		}
	}
	hours(o.Price)
	for i := range o.Past {
		hours(&o.Past[i])
	}
	fixed := f.dev != nil && f.dev.Temperature != nil && !*f.dev.Temperature
	if says := f.litellm.Says("supports_sampling_params"); fixed || says != nil && !*says {
		o.Refuses = []string{"temperature", "top_p", "top_k"}
	}
}

// capabilities lists what an offer can do and cannot. That a table does not mention documents or
// schemas says little; the rest it would not leave out.
func capabilities(f *facts) (can, cannot []string) {
	say := func(name string, b *bool) {
		switch {
		case b == nil:
		case *b:
			can = append(can, name)
		case name != "schema":
			cannot = append(cannot, name)
		}
	}
	var d devModel
	if f.dev != nil {
		d = *f.dev
	}
	l := f.litellm
	say("tools", cmp.Or(d.ToolCall, l.Says("supports_function_calling")))
	say("images", cmp.Or(reads(d, "image"), l.Says("supports_vision")))
	if b := cmp.Or(reads(d, "pdf"), l.Says("supports_pdf_input")); b != nil && *b {
		say("documents", b)
	}
	say("audio", cmp.Or(reads(d, "audio"), l.Says("supports_audio_input")))
	say("schema", cmp.Or(d.Structured, l.Says("supports_response_schema")))
	say("thinking", cmp.Or(d.Reasoning, l.Says("supports_reasoning")))
	return append(can, more(d, l)...), cannot
}

// more are capabilities of which a table says only where they are there.
func more(d devModel, l table.Litellm) []string {
	var can []string
	for _, x := range []struct {
		name string
		has  *bool
	}{
		{"video", cmp.Or(reads(d, "video"), l.Says("supports_video_input"))},
		{"forced_tools", l.Says("supports_tool_choice")},
		{"parallel_tools", l.Says("supports_parallel_function_calling")},
		{"streaming", l.Says("supports_native_streaming")},
		{"caching", l.Says("supports_prompt_caching")},
		{"search", l.Says("supports_web_search")},
		{"computer", l.Says("supports_computer_use")},
	} {
		if x.has != nil && *x.has {
			can = append(can, x.name)
		}
	}
	return can
}

// reads says whether models.dev has a modality among what a model reads; nil if it says nothing at all.
func reads(d devModel, modality string) *bool {
	if len(d.Modalities.Input) == 0 {
		return nil
	}
	b := slices.Contains(d.Modalities.Input, modality)
	return &b
}

// title returns a publisher's name as people write it.
func title(name string) string {
	written := map[string]string{
		"alibaba": "Alibaba", "anthropic": "Anthropic", "cohere": "Cohere", "deepreinforce": "DeepReinforce",
		"deepseek": "DeepSeek", "google": "Google", "meta": "Meta", "minimax": "MiniMax", "mistral": "Mistral AI",
		"moonshotai": "Moonshot AI", "nvidia": "NVIDIA", "openai": "OpenAI", "perplexity": "Perplexity",
		"sakana": "Sakana AI", "sarvam": "Sarvam AI", "stepfun": "StepFun", "tencent": "Tencent", "xai": "xAI",
		"xiaomi": "Xiaomi", "zhipuai": "Z.ai",
	}
	return cmp.Or(written[name], name)
}
