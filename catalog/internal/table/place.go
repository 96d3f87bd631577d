// Package table reads the public tables of models and prices: for the generator, which makes the catalog's own data of
// them, and for whoever imports one into a running Plenum.
package table

import (
	"regexp"
	"slices"
	"strings"
)

// Place is a provider and what the sources call it.
type Place struct {
	Name      string
	Publisher string // of models whose ids name no publisher
	Dev       string
	Genai     string
	Follows   []string // providers whose prices this one mostly has; they stand before it
	Litellm   []string // LiteLLM's names, each the prefix of its keys as well
	Vendor    bool     // its models are its own, so that every source's ids are ids there
	Unnamed   bool     // callers reach models under names of their own, so that none is listed
	Newer     []string // models that came after models.dev was read, to be listed all the same
}

// Places are the providers whose offers the catalog has. Those that others follow stand before them.
func Places() []Place {
	return []Place{
		{Name: "xai", Publisher: "xai", Dev: "xai", Genai: "x-ai", Litellm: []string{"xai"}, Vendor: true, Newer: []string{"grok-4.5"}},
		{Name: "openai", Publisher: "openai", Dev: "openai", Genai: "openai", Litellm: []string{"openai"}, Vendor: true, Newer: []string{"gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra"}},
		{Name: "anthropic", Publisher: "anthropic", Dev: "anthropic", Genai: "anthropic", Litellm: []string{"anthropic"}, Vendor: true, Newer: []string{"claude-opus-5"}},
		{Name: "azure", Dev: "azure", Genai: "azure", Follows: []string{"openai", "anthropic", "xai"}, Litellm: []string{"azure", "azure_ai"}, Vendor: true, Unnamed: true},
		{Name: "gemini", Publisher: "google", Dev: "google", Genai: "google", Litellm: []string{"gemini"}, Newer: []string{"gemini-3.6-flash"}},
		{Name: "vertex", Dev: "google-vertex", Genai: "google", Follows: []string{"anthropic", "gemini", "xai"}, Litellm: vertexNames(), Unnamed: true},
		{Name: "bedrock", Dev: "amazon-bedrock", Genai: "aws", Follows: []string{"anthropic"}, Litellm: []string{"bedrock", "bedrock_converse", "bedrock_mantle"}, Unnamed: true},
		{Name: "cohere", Publisher: "cohere", Dev: "cohere", Genai: "cohere", Litellm: []string{"cohere", "cohere_chat"}},
		{Name: "groq", Dev: "groq", Genai: "groq", Litellm: []string{"groq"}},
		{Name: "mistral", Publisher: "mistral", Dev: "mistral", Genai: "mistral", Litellm: []string{"mistral"}, Vendor: true},
		{Name: "deepseek", Publisher: "deepseek", Dev: "deepseek", Genai: "deepseek", Litellm: []string{"deepseek"}, Vendor: true},
		{Name: "together", Dev: "togetherai", Genai: "together", Litellm: []string{"together_ai"}},
		{Name: "fireworks", Dev: "fireworks-ai", Genai: "fireworks", Litellm: []string{"fireworks_ai"}},
		{Name: "openrouter", Dev: "openrouter", Genai: "openrouter", Litellm: []string{"openrouter"}},
		{Name: "perplexity", Publisher: "perplexity", Dev: "perplexity", Genai: "perplexity", Litellm: []string{"perplexity"}, Vendor: true},
		{Name: "cerebras", Dev: "cerebras", Genai: "cerebras", Litellm: []string{"cerebras"}},
		{Name: "nvidia", Dev: "nvidia", Litellm: []string{"nvidia_nim"}},
		{Name: "huggingface", Dev: "huggingface", Litellm: []string{"huggingface"}},
		{Name: "moonshot", Publisher: "moonshotai", Dev: "moonshotai", Genai: "moonshotai", Litellm: []string{"moonshot"}, Vendor: true, Newer: []string{"kimi-k3"}},
		// The other prices of this publisher are those of its place in China, in another currency.
		{Name: "alibaba", Publisher: "alibaba", Litellm: []string{"dashscope"}, Vendor: true, Unnamed: true},
		{Name: "meta", Publisher: "meta", Dev: "llama", Litellm: []string{"meta_llama"}, Unnamed: true},
		{Name: "zai", Publisher: "zhipuai", Litellm: []string{"zai"}, Vendor: true, Newer: []string{"glm-4.5", "glm-4.5-air", "glm-4.6", "glm-4.7", "glm-5", "glm-5.1"}},
	}
}

// ID returns the id at the provider that an entry of LiteLLM's table is about.
func ID(p Place, key string, m Litellm) (string, bool) {
	name := m.Text("litellm_provider")
	if !slices.Contains(p.Litellm, name) || len(m) < 3 {
		return "", false
	}
	if id, ok := cloudID(p, key); ok || p.Name == "vertex" || p.Name == "bedrock" || p.Name == "cohere" {
		return id, ok
	}
	id, prefixed := strings.CutPrefix(key, name+"/")
	if p.Name == "azure" && (strings.Contains(id, "/") || !prefixed) {
		return "", false // prices of one region or kind of capacity
	}
	if p.Name == "fireworks" && !strings.HasPrefix(id, "accounts/") || p.Name == "together" && !strings.Contains(id, "/") {
		return "", false // classes of models by size
	}
	if strings.HasPrefix(id, "ft:") || strings.Contains(id, "*") {
		return "", false
	}
	return id, p.Name == "openai" || p.Name == "anthropic" || p.Name == "deepseek" || prefixed
}

// vertexNames are LiteLLM's names for the publishers of Vertex AI.
func vertexNames() []string {
	out := []string{"vertex_ai", "vertex_ai-language-models", "vertex_ai-embedding-models"}
	for _, p := range []string{"anthropic", "mistral", "deepseek", "llama", "minimax", "moonshot", "zai", "openai", "qwen", "ai21"} {
		out = append(out, "vertex_ai-"+p+"_models")
	}
	return out
}

// cloudID returns the id at a cloud that an entry of LiteLLM's table is about. Entries of one region, of reserved
// capacity or by another vendor's way of writing are left out.
func cloudID(p Place, key string) (string, bool) {
	switch p.Name {
	case "vertex":
		id := strings.TrimPrefix(key, "vertex_ai/")
		return id, id != key || strings.HasPrefix(key, "gemini-") || strings.HasPrefix(key, "text-embedding") || strings.HasPrefix(key, "gemini-embedding")
	case "bedrock":
		id := strings.TrimPrefix(key, "bedrock_mantle/")
		return id, !strings.ContainsAny(id, "/@*") && regexp.MustCompile(`^([a-z-]+\.)?[a-z0-9]+\.[a-z]`).MatchString(id) && !strings.HasPrefix(id, "claude-")
	case "cohere":
		return key, !strings.ContainsAny(key, "/*")
	}
	return "", false
}
