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
	case "responses":
		if op == llm.OpCompact {
			return "/responses/compact"
		}
	}
	return ""
}

func openaiPath(op llm.Op) string {
	switch op {
	case llm.OpEmbed:
		return "/embeddings"
	case llm.OpRerank:
		return "/rerank"
	case llm.OpModerate:
		return "/moderations"
	case llm.OpImage:
		return "/images/generations"
	case llm.OpImageEdit:
		return "/images/edits"
	case llm.OpImageVary:
		return "/images/variations"
	case llm.OpSpeak:
		return "/audio/speech"
	case llm.OpTranscribe:
		return "/audio/transcriptions"
	case llm.OpTranslate:
		return "/audio/translations"
	}
	return ""
}

func coherePath(op llm.Op) string {
	switch op {
	case llm.OpEmbed:
		return "/v2/embed"
	case llm.OpRerank:
		return "/v2/rerank"
	}
	return ""
}
