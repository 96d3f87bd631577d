package llm

// Block is a part of a message or of an answer. The set is sealed: Text, Refusal, Media, Thought,
// ToolUse, ToolDone, Opaque. Blocks are values: compare them with reflect or go-cmp, copy them freely.
type Block interface{ block() }

// Text is text that one side says to the other.
type Text struct {
	Text      string
	Citations []Citation
	// Signature is opaque provider state that belongs to the text (Gemini's thoughtSignature); Origin
	// is the dialect that made it. See Thought.
	Signature string
	Origin    string
	Cache     *CacheMark
	Extra     Extra
}

// Refusal is the text of a model that declines (OpenAI's `refusal`).
type Refusal struct {
	Text  string
	Extra Extra
}

// Media is an image, a document, a sound or another file. Exactly one of Data, URL, FileID, Text or
// Blocks says where its content is.
type Media struct {
	Kind   MediaKind
	MIME   string
	Data   string // base64, as it stood: it is carried and not decoded
	URL    string
	FileID string
	Text   string  // a document given as plain text
	Blocks []Block // a document given as blocks

	Name    string // file name or title
	Context string // what the document is about (Anthropic's `context`)
	Detail  string // OpenAI's image detail: auto, low, high, original
	Format  string // OpenAI's input_audio format: wav, mp3
	Cite    Opt[bool]
	Cache   *CacheMark
	Extra   Extra
}

// MediaKind is the kind of a Media block.
type MediaKind string

// The kinds of media.
const (
	Image    MediaKind = "image"
	Document MediaKind = "document"
	Audio    MediaKind = "audio"
	Video    MediaKind = "video"
	File     MediaKind = "file"
)

// Thought is reasoning that a model shows or seals.
//
// Signature and Sealed are opaque provider state: only the vendor that made them can read them, they
// must come back to it unchanged, and they mean nothing to another. Origin says whose they are. A
// Thought is empty only when Text, Signature and Sealed all are.
type Thought struct {
	Text      string
	Signature string
	Sealed    string // reasoning that is only there encrypted (Anthropic's redacted_thinking)
	Item      string // its id as an item of its own, where the dialect has one (Responses)
	Origin    string // the dialect that made Signature and Sealed; "" where there are none
	Field     string // the wire field it stood in, where a dialect has several (reasoning_content, reasoning)
	Extra     Extra
}

// Empty reports whether there is nothing in it that must be kept. Notes need not be.
func (t Thought) Empty() bool {
	for _, f := range t.Extra.Fields {
		if f.Raw != "" {
			return false
		}
	}
	return t.Text == "" && t.Signature == "" && t.Sealed == ""
}

// ToolUse is a model's call of a tool.
type ToolUse struct {
	Kind ToolKind
	ID   string
	Name string
	Args string // JSON text as the model wrote it, which may be cut short; free text for ToolCustom
	// Item is the id of the call as an item of its own, where the dialect has one beside the id that
	// results refer to (Responses).
	Item string
	// Signature is opaque provider state that belongs to the call (Gemini's thoughtSignature); Origin
	// is the dialect that made it. See Thought.
	Signature string
	Origin    string
	Cache     *CacheMark
	Extra     Extra
}

// ToolDone is what a tool answered.
type ToolDone struct {
	ID      string
	Name    string
	Blocks  []Block
	Plain   bool // the content was a bare string on the wire
	IsError Opt[bool]
	Cache   *CacheMark
	Extra   Extra
}

// Opaque is a part that has no word here: verbatim, with the dialect and the type it was said in.
type Opaque struct {
	Dialect string
	Type    string
	Raw     string // JSON
}

func (Text) block()     {}
func (Refusal) block()  {}
func (Media) block()    {}
func (Thought) block()  {}
func (ToolUse) block()  {}
func (ToolDone) block() {}
func (Opaque) block()   {}

// Citation says where a piece of text came from.
type Citation struct {
	Kind   CiteKind
	Quote  string // the words cited, where given
	Title  string
	URL    string
	Source int // which document, counted from 0; -1 where it does not apply
	Start  int // characters, pages or blocks by Kind; for CiteURL the span in the answer
	End    int
	Opaque Opaque // the citation as it stood, for the dialect that made it
}

// CiteKind says what Start and End of a Citation count.
type CiteKind string

// The kinds of citation.
const (
	CiteURL    CiteKind = "url"
	CiteChar   CiteKind = "char"
	CitePage   CiteKind = "page"
	CiteBlock  CiteKind = "block"
	CiteSearch CiteKind = "search"
	CiteOther  CiteKind = ""
)
