package llm

// Op names what a call asks for. It decides which route, which codec method and which price apply.
type Op string

// The operations. A new one needs a Payload, a Result and a line in the dialects that speak it.
const (
	OpGenerate    Op = "generate"     // an answer from a model, streamed or not
	OpCountTokens Op = "count_tokens" // how many input tokens a request would be
	OpModels      Op = "models"       // the list of deployments a caller may use
	OpEmbed       Op = "embed"        // vectors of texts and images
	OpRerank      Op = "rerank"       // how well documents answer a query
	OpModerate    Op = "moderate"     // whether a text or an image is harmful

	OpImage      Op = "image"      // images made after a description
	OpImageEdit  Op = "image_edit" // images changed after a description
	OpImageVary  Op = "image_vary" // images like another
	OpSpeak      Op = "speak"      // a text as sound
	OpTranscribe Op = "transcribe" // speech as text
	OpTranslate  Op = "translate"  // speech as English text
)

// Words returns what people call an operation.
func (o Op) Words() string {
	switch o {
	case OpGenerate:
		return "answers"
	case OpCountTokens:
		return "counting of tokens"
	case OpCompact:
		return "compaction of conversations"
	case OpModels:
		return "list of models"
	case OpEmbed:
		return "embeddings"
	case OpRerank:
		return "reranking"
	case OpModerate:
		return "moderation"
	case OpImage:
		return "making of images"
	case OpImageEdit:
		return "editing of images"
	case OpImageVary:
		return "variations of images"
	case OpSpeak:
		return "speech"
	case OpTranscribe:
		return "transcription"
	case OpTranslate:
		return "translation of speech"
	}
	return string(o)
}

// Payload is what a call carries: one type for each operation. The set is sealed.
type Payload interface {
	Op() Op
	payload()
}

// Result is what an unstreamed call answers: one type for each operation. The set is sealed.
type Result interface{ result() }

// Request asks a model for an answer.
type Request struct {
	Model    string    // as the caller named it: a deployment
	Messages []Message // in order; a system prompt is a message with its place
	Tools    []Tool
	Choose   ToolChoice
	Parallel Opt[bool] // whether several tools may be called in one turn

	Output Format

	Temperature      Opt[float64]
	TopP             Opt[float64]
	TopK             Opt[int]
	FrequencyPenalty Opt[float64]
	PresencePenalty  Opt[float64]
	Seed             Opt[int64]
	MaxOut           Opt[int] // most output tokens, reasoning included
	Stop             []string // sequences that end the answer
	N                Opt[int] // how many answers (choices)
	Logprobs         Opt[bool]
	TopLogprobs      Opt[int]

	Thinking *Thinking // nil: the caller did not speak of it

	Stream      bool
	StreamUsage Opt[bool] // OpenAI's stream_options.include_usage: the caller wants a usage chunk

	Tier     string  // service tier, in the words of the dialect it was said in
	User     string  // the caller's opaque name for its end user
	Metadata []Field // string values as raw JSON, in order
	CacheKey string  // a routing hint for the prompt cache (OpenAI's prompt_cache_key)
	Cache    *CacheMark

	Extra Extra
	// Said knows how long texts stood on the wire. It is only there to save work.
	Said *Said
}

// Op returns OpGenerate.
func (*Request) Op() Op   { return OpGenerate }
func (*Request) payload() {}

// CountTokens asks how many input tokens a request would be.
type CountTokens struct{ Request *Request }

// Op returns OpCountTokens.
func (*CountTokens) Op() Op   { return OpCountTokens }
func (*CountTokens) payload() {}

// Role says who speaks in a message.
type Role string

// The roles. Developer is OpenAI's newer word for System and is kept apart so that it can be said again.
const (
	System    Role = "system"
	Developer Role = "developer"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// Message is one turn, or one part of the system prompt.
//
// Where a dialect puts tool results in a message of the user (Anthropic) and another in one message
// each (OpenAI), the message keeps the shape it was said in; encoders regroup for their own dialect.
type Message struct {
	Role   Role
	Name   string
	Blocks []Block
	// Plain says that the content was a bare string on the wire and not a list of parts, so that the
	// same dialect can say it again in the same words. It never changes the meaning.
	Plain bool
	// Place tells apart system text said in a field of its own ("field") from system text said among
	// the turns (""). Encoders of dialects with both must not mix them.
	Place string
	Extra Extra
}

// Tool is something the model may call.
type Tool struct {
	Kind        ToolKind
	Name        string
	Description string
	Schema      string    // JSON Schema of the arguments, verbatim; empty where none was given
	Strict      Opt[bool] // arguments must match Schema exactly
	Cache       *CacheMark
	// Opaque is the whole tool as it stood, for kinds other than ToolFunction.
	Opaque Opaque
	Extra  Extra
}

// ToolKind says who runs a tool and how its arguments look.
type ToolKind string

// The kinds of tool.
const (
	ToolFunction ToolKind = "function" // run by the caller, arguments are JSON by a schema
	ToolCustom   ToolKind = "custom"   // run by the caller, the argument is free text
	ToolHosted   ToolKind = "hosted"   // run by the vendor (web search, code execution), or defined by it
)

// ToolChoice says whether the model may, must or must not call a tool.
type ToolChoice struct {
	Mode    ChooseMode // "" where the caller did not say
	Name    string     // for ChooseTool
	Allowed []string   // a narrower set of tools, where the dialect has that
	Opaque  Opaque     // a choice with no word here (a hosted tool by type), as it stood
	Extra   Extra
}

// ChooseMode is the mode of a ToolChoice.
type ChooseMode string

// The modes of tool choice.
const (
	ChooseUnset ChooseMode = ""
	ChooseAuto  ChooseMode = "auto"
	ChooseNone  ChooseMode = "none"
	ChooseAny   ChooseMode = "any"  // some tool must be called (OpenAI: "required")
	ChooseTool  ChooseMode = "tool" // the tool called Name must be called
)

// Format is the shape that the answer must have.
type Format struct {
	Kind        FormatKind
	Name        string
	Description string
	Schema      string // JSON Schema, verbatim
	Strict      Opt[bool]
	Extra       Extra
}

// FormatKind is the kind of a Format.
type FormatKind string

// The kinds of output format.
const (
	FormatUnset  FormatKind = ""
	FormatText   FormatKind = "text"
	FormatJSON   FormatKind = "json"   // any JSON object
	FormatSchema FormatKind = "schema" // JSON that matches Schema
)

// Thinking asks for reasoning before the answer, or for none.
type Thinking struct {
	Mode    ThinkMode
	Budget  Opt[int] // most tokens of reasoning
	Effort  string   // none, minimal, low, medium, high, xhigh, max: the vendor's word
	Display string   // how reasoning is shown: summarized, omitted, ...
	Extra   Extra
}

// ThinkMode is the mode of Thinking.
type ThinkMode string

// The modes of thinking. ThinkUnset with an Effort means that only the effort was said.
const (
	ThinkUnset    ThinkMode = ""
	ThinkOff      ThinkMode = "disabled"
	ThinkOn       ThinkMode = "enabled"
	ThinkAdaptive ThinkMode = "adaptive"
)

// CacheMark asks the vendor to keep the prompt up to here.
type CacheMark struct {
	TTL   string // "5m", "1h"; "" is the vendor's default
	Extra Extra
}
