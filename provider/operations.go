package provider

import "github.com/plenum-foundry/plenum/llm"

// usualPath returns the path of an operation besides answers where hosts that speak a dialect mostly have it,
// or "".
func usualPath(dialect string, op llm.Op) string {
	switch dialect {
	case "openai":
		return openaiPath(op)
	case "cohere":
		return coherePath(op)
	}
	return ""
}

func openaiPath(op llm.Op) string {
	switch op {
	case llm.OpEmbed:
		return "/embeddings"
	}
	return ""
}

func coherePath(op llm.Op) string {
	switch op {
	case llm.OpEmbed:
		return "/v2/embed"
	}
	return ""
}
