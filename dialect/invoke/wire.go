package invoke

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// family is a group of models whose bodies look alike and that only Bedrock's documentation describes.
type family string

// The families. Claude2 and command are the older text completions of Anthropic and Cohere.
const (
	llama    family = "llama"
	mistral  family = "mistral"
	deepseek family = "deepseek"
	titan    family = "titan"
	cohere   family = "cohere"
	claude2  family = "claude2"
	command  family = "command"
)

// form is how a family says a request and its answer.
type form struct {
	name   family
	prompt string // the member with what the user says
	config string // the member that holds the parameters, where they are not beside the prompt
	// The names of parameters.
	maxOut, temperature, topP, topK, stop string
	// turns takes a prompt that holds a conversation apart.
	turns func(prompt string) []llm.Message
	// whole says an answer, and piece a part of a streamed one, the last of which has a stop reason.
	whole, piece func(w *jsonw.Writer, a *answer)
	ends         map[llm.StopReason]string // how reasons to stop are called, besides "" for all others
}

// answer is what forms say.
type answer struct {
	id, prompt, text string
	stop             llm.Stop
	usage            llm.Usage
	last             bool // the answer ends with this piece
	first            bool
}

func families() []*form {
	plain := map[llm.StopReason]string{"": "stop", llm.StopLength: "length"}
	loud := map[llm.StopReason]string{"": "COMPLETE", llm.StopLength: "MAX_TOKENS", llm.StopFilter: "ERROR_TOXIC", llm.StopError: "ERROR"}
	return []*form{
		{
			name: llama, prompt: "prompt", maxOut: "max_gen_len", temperature: "temperature", topP: "top_p",
			turns: llamaTurns, ends: plain, whole: sayLlama, piece: sayLlama,
		},
		{
			name: mistral, prompt: "prompt", maxOut: "max_tokens", temperature: "temperature", topP: "top_p", topK: "top_k", stop: "stop",
			turns: mistralTurns, ends: plain, whole: sayList("outputs", plain), piece: sayList("outputs", plain),
		},
		{
			name: deepseek, prompt: "prompt", maxOut: "max_tokens", temperature: "temperature", topP: "top_p", stop: "stop",
			turns: deepseekTurns, ends: plain, whole: sayList("choices", plain), piece: sayList("choices", plain),
		},
		{
			name: titan, prompt: "inputText", config: "textGenerationConfig",
			maxOut: "maxTokenCount", temperature: "temperature", topP: "topP", stop: "stopSequences",
			turns: titanTurns, ends: titanEnds(), whole: titanWhole, piece: titanPiece,
		},
		{
			name: claude2, prompt: "prompt", maxOut: "max_tokens_to_sample", temperature: "temperature", topP: "top_p", topK: "top_k",
			stop: "stop_sequences", turns: claudeTurns, ends: claudeEnds(), whole: sayCompletion, piece: sayCompletion,
		},
		{
			name: command, prompt: "prompt", maxOut: "max_tokens", temperature: "temperature", topP: "p", topK: "k", stop: "stop_sequences",
			turns: oneTurn, ends: loud, whole: commandWhole, piece: commandPiece,
		},
		{
			name: cohere, prompt: "message", maxOut: "max_tokens", temperature: "temperature", topP: "p", topK: "k", stop: "stop_sequences",
			turns: oneTurn, ends: loud, whole: cohereWhole, piece: coherePiece,
		},
	}
}

// end returns how a family calls the reason why an answer ended.
func end(ends map[llm.StopReason]string, a *answer) string {
	if s, ok := ends[a.stop.Reason]; ok && a.stop.Reason != "" {
		return s
	}
	return ends[""]
}

// sayEnd says why an answer ended, or null in the middle of one.
func sayEnd(w *jsonw.Writer, key string, ends map[llm.StopReason]string, a *answer) {
	if !a.last {
		w.KeyNull(key)
		return
	}
	w.KeyStr(key, end(ends, a))
}

func sayLlama(w *jsonw.Writer, a *answer) {
	w.KeyStr("generation", a.text)
	if a.last || a.first {
		w.KeyInt("prompt_token_count", a.usage.In())
	} else {
		w.KeyNull("prompt_token_count")
	}
	w.KeyInt("generation_token_count", a.usage.Out())
	sayEnd(w, "stop_reason", map[llm.StopReason]string{"": "stop", llm.StopLength: "length"}, a)
}

func sayList(key string, ends map[llm.StopReason]string) func(w *jsonw.Writer, a *answer) {
	return func(w *jsonw.Writer, a *answer) {
		w.KeyOpen(key, '[')
		w.Open('{')
		w.KeyStr("text", a.text)
		sayEnd(w, "stop_reason", ends, a)
		w.Close('}')
		w.Close(']')
	}
}

func titanEnds() map[llm.StopReason]string {
	return map[llm.StopReason]string{
		"": "FINISH", llm.StopLength: "LENGTH", llm.StopFilter: "CONTENT_FILTERED", llm.StopSequence: "STOP_CRITERIA_MET",
	}
}

func titanWhole(w *jsonw.Writer, a *answer) {
	w.KeyInt("inputTextTokenCount", a.usage.In())
	w.KeyOpen("results", '[')
	w.Open('{')
	w.KeyInt("tokenCount", a.usage.Out())
	w.KeyStr("outputText", a.text)
	sayEnd(w, "completionReason", titanEnds(), a)
	w.Close('}')
	w.Close(']')
}

func titanPiece(w *jsonw.Writer, a *answer) {
	w.KeyStr("outputText", a.text)
	w.KeyInt("index", 0)
	w.KeyInt("totalOutputTextTokenCount", a.usage.Out())
	sayEnd(w, "completionReason", titanEnds(), a)
	w.KeyInt("inputTextTokenCount", a.usage.In())
}

func claudeEnds() map[llm.StopReason]string {
	return map[llm.StopReason]string{"": "stop_sequence", llm.StopLength: "max_tokens"}
}

func sayCompletion(w *jsonw.Writer, a *answer) {
	w.KeyStr("type", "completion")
	w.KeyStr("completion", a.text)
	sayEnd(w, "stop_reason", claudeEnds(), a)
	switch {
	case !a.last || end(claudeEnds(), a) != "stop_sequence":
		w.KeyNull("stop")
	case a.stop.Sequence != "":
		w.KeyStr("stop", a.stop.Sequence)
	default:
		w.KeyStr("stop", "\n\nHuman:")
	}
}

// loudEnd says why an answer ended, in Cohere's words.
func loudEnd(w *jsonw.Writer, a *answer) {
	ends := map[llm.StopReason]string{"": "COMPLETE", llm.StopLength: "MAX_TOKENS", llm.StopFilter: "ERROR_TOXIC", llm.StopError: "ERROR"}
	sayEnd(w, "finish_reason", ends, a)
}

func commandWhole(w *jsonw.Writer, a *answer) {
	w.KeyOpen("generations", '[')
	w.Open('{')
	loudEnd(w, a)
	w.KeyStr("id", a.id)
	w.KeyStr("text", a.text)
	w.Close('}')
	w.Close(']')
	w.KeyStr("id", a.id)
	w.KeyStr("prompt", a.prompt)
}

func commandPiece(w *jsonw.Writer, a *answer) {
	w.KeyBool("is_finished", a.last)
	if a.last {
		loudEnd(w, a)
		return
	}
	w.KeyStr("text", a.text)
}

func cohereWhole(w *jsonw.Writer, a *answer) {
	w.KeyStr("response_id", a.id)
	w.KeyStr("generation_id", a.id)
	w.KeyStr("text", a.text)
	loudEnd(w, a)
}

func coherePiece(w *jsonw.Writer, a *answer) {
	switch {
	case a.last:
		w.KeyStr("event_type", "stream-end")
		loudEnd(w, a)
	case a.text == "":
		w.KeyStr("event_type", "stream-start")
		w.KeyStr("generation_id", a.id)
	default:
		w.KeyStr("event_type", "text-generation")
		w.KeyStr("text", a.text)
	}
	w.KeyBool("is_finished", a.last)
}

func said(role llm.Role, text string) llm.Message {
	m := llm.Message{Role: role, Plain: true, Blocks: []llm.Block{llm.Text{Text: text}}}
	if role == llm.System {
		m.Place = "field"
	}
	return m
}

func oneTurn(prompt string) []llm.Message { return []llm.Message{said(llm.User, prompt)} }

// marked takes apart a prompt whose turns begin with marks. Text before the first is the system's. The
// last turn is the one to be said: where it is empty, it is none. Without the marks the prompt is one turn.
func marked(prompt string, marks map[string]llm.Role) []llm.Message {
	var out []llm.Message
	role := llm.System
	found := false
	for rest := prompt; ; {
		at, mark := -1, ""
		for m := range marks {
			if i := strings.Index(rest, m); i >= 0 && (at < 0 || i < at || i == at && len(m) > len(mark)) {
				at, mark = i, m
			}
		}
		text := rest
		if at >= 0 {
			text, found = rest[:at], true
		}
		if text = strings.TrimSpace(text); text != "" {
			out = append(out, said(role, text))
		}
		if at < 0 {
			break
		}
		rest, role = rest[at+len(mark):], marks[mark]
	}
	if !found || len(out) == 0 {
		return oneTurn(prompt)
	}
	return out
}

// llamaTurns reads the template of Llama 3 and 4, and that of Llama 2, which is Mistral's with a system
// prompt in it.
func llamaTurns(prompt string) []llm.Message {
	if !strings.Contains(prompt, "<|start_header_id|>") && !strings.Contains(prompt, "<|header_start|>") {
		return mistralTurns(prompt)
	}
	prompt = strings.NewReplacer(
		"<|begin_of_text|>", "", "<|eot_id|>", "", "<|eot|>", "", "<|header_start|>", "<|start_header_id|>", "<|header_end|>", "<|end_header_id|>",
	).Replace(prompt)
	return marked(prompt, map[string]llm.Role{
		"<|start_header_id|>system<|end_header_id|>":    llm.System,
		"<|start_header_id|>user<|end_header_id|>":      llm.User,
		"<|start_header_id|>assistant<|end_header_id|>": llm.Assistant,
	})
}

func mistralTurns(prompt string) []llm.Message {
	if !strings.Contains(prompt, "[INST]") {
		return oneTurn(prompt)
	}
	prompt = strings.NewReplacer("<s>", "", "</s>", "").Replace(prompt)
	system := ""
	if before, rest, ok := strings.Cut(prompt, "<<SYS>>"); ok {
		if s, after, ok := strings.Cut(rest, "<</SYS>>"); ok {
			system, prompt = strings.TrimSpace(s), before+after
		}
	}
	out := marked(prompt, map[string]llm.Role{"[INST]": llm.User, "[/INST]": llm.Assistant})
	if system != "" {
		out = append([]llm.Message{said(llm.System, system)}, out...)
	}
	return out
}

func deepseekTurns(prompt string) []llm.Message {
	prompt = strings.NewReplacer("<｜begin▁of▁sentence｜>", "", "<｜end▁of▁sentence｜>", "", "<｜Assistant｜><think>\n", "<｜Assistant｜>").Replace(prompt)
	return marked(prompt, map[string]llm.Role{"<｜User｜>": llm.User, "<｜Assistant｜>": llm.Assistant})
}

func claudeTurns(prompt string) []llm.Message {
	return marked(prompt, map[string]llm.Role{"\n\nHuman:": llm.User, "\n\nAssistant:": llm.Assistant})
}

func titanTurns(prompt string) []llm.Message {
	if !strings.Contains(prompt, "User:") || !strings.HasSuffix(strings.TrimSpace(prompt), "Bot:") {
		return oneTurn(prompt)
	}
	return marked(prompt, map[string]llm.Role{"User:": llm.User, "\nBot:": llm.Assistant})
}
