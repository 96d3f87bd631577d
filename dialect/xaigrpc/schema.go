package xaigrpc

// Names of fields, by number: those under which what has no word in llm is kept and named as lost.

func requestNames() map[int]string {
	return map[int]string{
		1: "messages", 2: "model", 3: "frequency_penalty", 5: "logprobs", 6: "top_logprobs", 7: "max_tokens", 8: "n",
		9: "presence_penalty", 10: "response_format", 11: "seed", 12: "stop", 14: "temperature", 15: "top_p", 16: "user",
		17: "tools", 18: "tool_choice", 19: "reasoning_effort", 20: "search_parameters", 21: "parallel_tool_calls",
		22: "previous_response_id", 23: "store_messages", 24: "use_encrypted_content", 25: "max_turns", 26: "include",
		29: "agent_count", 31: "service_tier",
	}
}

func messageNames() map[int]string {
	return map[int]string{
		1: "content", 2: "role", 3: "name", 4: "tool_calls", 5: "reasoning_content", 6: "encrypted_content", 7: "tool_call_id",
	}
}

func contentNames() map[int]string { return map[int]string{1: "text", 2: "image_url", 3: "file"} }

func imageNames() map[int]string { return map[int]string{1: "image_url", 2: "detail", 3: "file_id"} }

func fileNames() map[int]string {
	return map[int]string{1: "file_id", 2: "data", 3: "filename", 4: "mime_type", 5: "url"}
}

func callNames() map[int]string {
	return map[int]string{1: "id", 2: "type", 3: "status", 4: "error_message", 10: "function"}
}

func toolNames() map[int]string {
	return map[int]string{
		1: "function", 3: "web_search", 4: "x_search", 5: "code_execution", 6: "collections_search", 7: "mcp",
		8: "attachment_search", 10: "image_generation",
	}
}

func functionNames() map[int]string {
	return map[int]string{1: "name", 2: "description", 3: "strict", 4: "parameters"}
}

func formatNames() map[int]string { return map[int]string{1: "format_type", 2: "schema"} }

func choiceNames() map[int]string { return map[int]string{1: "mode", 2: "function_name"} }

func responseNames() map[int]string {
	return map[int]string{
		1: "id", 2: "outputs", 5: "created", 6: "model", 7: "system_fingerprint", 9: "usage", 10: "citations",
		11: "settings", 12: "debug_output", 13: "output_files", 15: "service_tier",
	}
}

func chunkNames() map[int]string {
	return map[int]string{
		1: "id", 2: "outputs", 3: "created", 4: "model", 5: "system_fingerprint", 6: "usage", 7: "citations",
		10: "debug_output", 11: "output_files", 12: "service_tier",
	}
}

func answerNames() map[int]string {
	return map[int]string{
		1: "content", 2: "role", 3: "tool_calls", 4: "reasoning_content", 5: "encrypted_content", 6: "citations",
	}
}

func usageNames() map[int]string {
	return map[int]string{
		1: "completion_tokens", 2: "prompt_tokens", 3: "total_tokens", 4: "prompt_text_tokens", 5: "prompt_image_tokens",
		6: "reasoning_tokens", 7: "cached_prompt_text_tokens", 8: "num_sources_used", 9: "server_side_tools_used",
		11: "cost_in_usd_ticks",
	}
}

// The roles of messages.
const (
	roleUser      = 1
	roleAssistant = 2
	roleSystem    = 3
	roleFunction  = 4 // an old word for a tool
	roleTool      = 5
	roleDeveloper = 6
)

// callClient is a call of a tool that the caller runs; what has a higher type xAI runs itself.
const (
	callClient    = 1
	callCompleted = 1 // the status of a call that is whole
)

const (
	modeAuto     = 1
	modeNone     = 2
	modeRequired = 3
)

const (
	formatText   = 1
	formatJSON   = 2
	formatSchema = 3
)

const (
	reasonLength  = 1
	reasonContext = 2
	reasonStop    = 3
	reasonTools   = 4
	reasonTime    = 5
)

// efforts are the words for the effort of reasoning, by number.
func efforts() [6]string { return [6]string{"", "low", "medium", "high", "none", "xhigh"} }

// details are the words for the detail of an image, by number.
func details() [4]string { return [4]string{"", "auto", "low", "high"} }

// tiers are the words for a service tier, by number.
func tiers() [3]string { return [3]string{"", "default", "priority"} }

func numberOf(words []string, word string) int64 {
	for i, w := range words {
		if w == word && w != "" {
			return int64(i)
		}
	}
	return 0
}

func wordOf(words []string, n int64) string {
	if n > 0 && n < int64(len(words)) {
		return words[n]
	}
	return ""
}
