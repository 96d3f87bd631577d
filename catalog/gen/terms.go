package main

import (
	"regexp"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

var dateInID = regexp.MustCompile(`^(.*)-(20\d\d)-?([01]\d)-?([0-3]\d)$`)

// handling is what a place does with what it is told, as its own pages say it; nil where none was read.
func handling(host string) *record.Handling {
	page := func(url string) []record.Source {
		return []record.Source{{Name: "the host's own page", Date: "2026-11-23", URL: url}}
	}
	return map[string]*record.Handling{
		"anthropic": {Retention: "inputs and outputs are deleted within 30 days, but for what breaks the rules of use", Days: 30, Sources: page("https://privacy.anthropic.com/en/articles/7996866-how-long-do-you-store-personal-data")},
		"bedrock":   {Retention: "the policy of the model; data_retention_mode none forbids any", Notes: "data_retention_mode is set for each account or project", Sources: page("https://docs.aws.amazon.com/bedrock/latest/userguide/data-retention.html")},
		"gemini":    {Training: "opt-out", Retention: "55 days, to find abuse", Days: 55, Notes: "what is sent without paying may improve Google's products; what is paid for does not", Sources: page("https://ai.google.dev/gemini-api/docs/usage-policies")},
		"openai":    {Training: "opt-in", Retention: "logs against abuse for up to 30 days; some APIs keep what they need", Days: 30, Sources: page("https://developers.openai.com/api/docs/guides/your-data")},
		"vertex":    {Training: "opt-in", Retention: "limited; it depends on the model and on what is used", Sources: page("https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/zero-data-retention")},
		"xai":       {Training: "opt-in", Retention: "30 days, for audits", Days: 30, Sources: page("https://docs.x.ai/developers/faq/security")},
	}[host]
}

// terms are the addresses of what one agrees to at a place.
func terms() map[string]string {
	return map[string]string{
		"anthropic":  "https://www.anthropic.com/legal/commercial-terms",
		"azure":      "https://www.microsoft.com/licensing/terms",
		"bedrock":    "https://aws.amazon.com/service-terms/",
		"cohere":     "https://cohere.com/terms-of-use",
		"deepseek":   "https://platform.deepseek.com/downloads/DeepSeek%20Open%20Platform%20Terms%20of%20Service.html",
		"gemini":     "https://ai.google.dev/gemini-api/terms",
		"groq":       "https://groq.com/terms-of-use/",
		"mistral":    "https://mistral.ai/terms",
		"openai":     "https://openai.com/policies/services-agreement/",
		"openrouter": "https://openrouter.ai/terms",
		"vertex":     "https://cloud.google.com/terms/service-terms",
		"xai":        "https://x.ai/legal/terms-of-service-enterprise",
	}
}

// license returns that of a model's weights, and which source says so; "" where none does. Models whose weights
// nobody has are proprietary.
func license(id string, m *devModel) (string, int) {
	if m.License != "" {
		return m.License, fromDev
	}
	if m.Name != "" && !m.OpenWeights {
		return "proprietary", fromDev
	}
	for _, l := range []struct{ ids, name string }{
		{`^openai/gpt-oss-`, "Apache-2.0"},
		{`^openai/whisper-`, "MIT"},
		{`^deepseek/deepseek-(r1|v3\.1|v3\.2)`, "MIT"},
		{`^meta/llama-3\.1-`, "Llama-3.1-Community"},
		{`^meta/llama-3\.2-`, "Llama-3.2-Community"},
		{`^meta/llama-3\.3-`, "Llama-3.3-Community"},
		{`^meta/llama-4-`, "Llama-4-Community"},
		{`^mistral/(mistral-nemo|pixtral-12b|mistral-small-2506|devstral-small)`, "Apache-2.0"},
		{`^mistral/pixtral-large`, "Mistral-Research"},
		{`^alibaba/qwen3-`, "Apache-2.0"},
		{`^alibaba/qwen2-5-vl-72b`, "Qwen"},
		{`^moonshotai/kimi-k2`, "Modified-MIT"},
		{`^zhipuai/glm-4\.[56]`, "MIT"},
		{`^google/gemma-3`, "Gemma"},
		{`^cohere/(command-r|c4ai|aya)`, "CC-BY-NC-4.0"},
	} {
		if m.OpenWeights && regexp.MustCompile(l.ids).MatchString(id) {
			return l.name, fromCards
		}
	}
	return "", 0
}

// publisher describes a lab.
func publisher(name string) record.Publisher {
	home := map[string]string{
		"alibaba": "alibaba", "anthropic": "anthropic", "cohere": "cohere", "deepseek": "deepseek", "google": "gemini", "meta": "meta",
		"mistral": "mistral", "moonshotai": "moonshot", "openai": "openai", "perplexity": "perplexity", "xai": "xai", "zhipuai": "zai",
	}
	docs := map[string]string{
		"alibaba": "https://www.alibabacloud.com/help/en/model-studio", "anthropic": "https://platform.claude.com/docs", "cohere": "https://docs.cohere.com",
		"deepseek": "https://api-docs.deepseek.com", "google": "https://ai.google.dev/gemini-api/docs", "meta": "https://llama.developer.meta.com/docs",
		"mistral": "https://docs.mistral.ai", "moonshotai": "https://platform.moonshot.ai/docs", "openai": "https://developers.openai.com/api/docs",
		"perplexity": "https://docs.perplexity.ai", "xai": "https://docs.x.ai", "zhipuai": "https://docs.z.ai",
	}
	return record.Publisher{Name: name, Title: title(name), URL: docs[name], Terms: terms()[home[name]], Host: home[name]}
}

// versionDate returns the day that an id ends with, as 2026-03-09; "" where it ends with none.
func versionDate(id string) (base, day string) {
	m := dateInID.FindStringSubmatch(id)
	if m == nil {
		return id, ""
	}
	return m[1], strings.Join(m[2:], "-")
}

// titleOf makes a title of a name that no table wrote out.
func titleOf(name string, m *devModel) string {
	if m.Name != "" {
		return m.Name
	}
	words := strings.Split(name, "-")
	for i, w := range words {
		switch {
		case w == "gpt" || w == "glm" || w == "tts":
			words[i] = strings.ToUpper(w)
		case w != "":
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}
