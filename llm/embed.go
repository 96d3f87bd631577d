package llm

// Embed asks for vectors: one for each input.
type Embed struct {
	Model  string // as the caller named it: a deployment
	Inputs []EmbedInput
	// Bare says that the only input stood on the wire by itself and not in a list.
	Bare bool
	Size Opt[int] // how many numbers a vector should have
	// Forms are the forms in which the vectors are wanted; empty is what the dialect gives by itself.
	Forms   []VectorForm
	Purpose Purpose
	// Mixed says that not all inputs are wanted for the same or in the same size: Purpose and Size are those
	// of the first.
	Mixed bool
	Cut   Cut // what becomes of an input that is too long
	User  string
	Extra Extra
}

// Op returns OpEmbed.
func (*Embed) Op() Op   { return OpEmbed }
func (*Embed) payload() {}

// EmbedInput is what one vector is made of: either Tokens or Blocks.
type EmbedInput struct {
	// Blocks are texts and images, which make one vector together. A single Text is the ordinary case.
	Blocks []Block
	Tokens string // a JSON list of the model's own tokens, as it stood
	Title  string // of a document
}

// Text returns the text of an input that is nothing but one.
func (in EmbedInput) Text() (string, bool) {
	if len(in.Blocks) != 1 || in.Tokens != "" {
		return "", false
	}
	t, ok := in.Blocks[0].(Text)
	return t.Text, ok
}

// VectorForm is a form of vector: what kind of numbers it has, and whether they are a JSON list or the
// base64 of their bytes.
type VectorForm struct {
	Kind   VectorKind
	Packed bool
}

// VectorKind is the kind of the numbers of a vector.
type VectorKind string

// The kinds of numbers. Those of a binary vector are bytes of eight dimensions each.
const (
	// VectorUnknown is what a host packed without being asked: only its own dialect may say it again.
	VectorUnknown VectorKind = ""
	VectorFloat   VectorKind = "float"
	VectorInt8    VectorKind = "int8"
	VectorUint8   VectorKind = "uint8"
	VectorBinary  VectorKind = "binary"
	VectorUbinary VectorKind = "ubinary"
)

// Purpose is what vectors are wanted for: many models make others for a question than for what answers it.
type Purpose string

// The purposes.
const (
	PurposeUnset      Purpose = ""
	PurposeQuery      Purpose = "query"
	PurposeDocument   Purpose = "document"
	PurposeClassify   Purpose = "classification"
	PurposeCluster    Purpose = "clustering"
	PurposeSimilarity Purpose = "similarity"
	PurposeQuestion   Purpose = "question"
	PurposeFact       Purpose = "fact"
	PurposeCode       Purpose = "code"
	PurposeImage      Purpose = "image"
)

// Cut says what becomes of an input that is too long.
type Cut string

// The cuts. CutUnset leaves it to the host.
const (
	CutUnset Cut = ""
	CutNone  Cut = "none" // it is refused
	CutStart Cut = "start"
	CutEnd   Cut = "end"
)

// Embeddings answers Embed.
type Embeddings struct {
	ID      string
	Model   string // what the upstream says it ran
	Vectors []Vector
	Usage   Usage
	Extra   Extra
}

func (*Embeddings) result() {}

// Vector is the vector of one input, in one form or in several.
type Vector struct {
	Index   int // of the input, counted from 0
	Numbers []Numbers
	Extra   Extra
}

// In returns the vector in a kind of numbers.
func (v Vector) In(k VectorKind) (Numbers, bool) {
	for _, n := range v.Numbers {
		if n.Kind == k {
			return n, true
		}
	}
	return Numbers{}, false
}

// Numbers are the numbers of a vector, as they stood on the wire: List or Packed. Neither is computed
// before someone wants the other.
type Numbers struct {
	Kind   VectorKind
	List   string // a JSON list
	Packed string // base64: floats as four bytes each, little-endian, others as a byte each
}

// EstimateEmbed returns about how many tokens the inputs are.
func EstimateEmbed(e *Embed) int64 {
	var n int64
	for _, in := range e.Inputs {
		n += estimateBlocks(in.Blocks) + EstimateText(len(in.Title)) + countTokens(in.Tokens)
	}
	return n
}

// countTokens returns how many numbers a JSON list of numbers has.
func countTokens(list string) int64 {
	if len(list) <= len("[]") {
		return 0
	}
	n := int64(1)
	for i := range len(list) {
		if list[i] == ',' {
			n++
		}
	}
	return n
}
