package main

import (
	"regexp"
	"strings"
)

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
func cloudID(p place, key string) (string, bool) {
	switch p.name {
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

// homeID returns what the maker of a model calls it, where a cloud charges what the maker does.
func homeID(p place, id string) string {
	switch p.name {
	case "vertex":
		id, _, _ = strings.Cut(id, "@")
		return strings.TrimPrefix(id, "xai/")
	case "bedrock":
		id, global := strings.CutPrefix(id, "global.anthropic.")
		if !global {
			return ""
		}
		return versions().ReplaceAllString(id, "")
	}
	return id
}

func versions() *regexp.Regexp { return regexp.MustCompile(`-v\d+$|-v?\d+:\d+$`) }

// cloudModel names the model that an id at a cloud stands for, if it is known.
func cloudModel(t *tables, p place, id string) string {
	if p.name == "vertex" {
		id, _, _ = strings.Cut(id, "@")
		id = strings.TrimSuffix(id, "-maas")
	} else {
		id = regexp.MustCompile(`^(us|us-gov|eu|apac|au|jp|ca|global)\.`).ReplaceAllString(id, "")
		id = strings.Replace(versions().ReplaceAllString(id, ""), ".", "/", 1)
	}
	publisher, name, ok := strings.Cut(id, "/")
	if !ok {
		return named(t, id)
	}
	if m := publisherName(publisher) + "/" + name; t.devModels[m].Name != "" {
		return m
	}
	if m := undated(t, publisherName(publisher)+"/"+name); t.devModels[m].Name != "" {
		return m
	}
	return named(t, name)
}
