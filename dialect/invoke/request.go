package invoke

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// language is what the body of a request can be in.
type language struct {
	dialect *dialect.Dialect
	codec   dialect.Codec
}

// languages are those that bodies are in.
type languages struct {
	aws    dialect.Codec // of Converse, whose errors are all of Bedrock's
	counts dialect.Codec // of Converse's counts

	claude, chat language
	nova         [2]language // whole, streamed
	converse     *dialect.Dialect
	prompts      map[family]language
}

func newLanguages() *languages {
	amazon := converse.Dialect()
	l := &languages{aws: amazon.Codec(llm.OpGenerate), counts: amazon.Codec(llm.OpCountTokens), converse: amazon}
	l.claude = l.shell(anthropic.Dialect(), wrapClaude)
	for i, path := range [...]string{"/converse", "/converse-stream"} {
		d := converse.Dialect()
		at := slices.IndexFunc(d.Routes, func(r dialect.Route) bool { return strings.HasSuffix(r.Pattern, path) })
		inner := d.Routes[at].Codec
		l.nova[i] = l.shell(d, wrapNova)
		l.nova[i].codec = &served{Codec: inner, aws: l.aws}
	}
	l.chat = l.shell(openai.Dialect(), wrapChat)
	l.prompts = map[family]language{}
	for _, f := range families() {
		d := &dialect.Dialect{Name: Name, Title: "Amazon Bedrock InvokeModel", Headers: namespace(), Streams: dialect.EventStream, Wrap: wrapChat}
		l.prompts[f.name] = language{d, &served{Codec: &promptCodec{family: f, aws: l.aws}, aws: l.aws}}
	}
	return l
}

// shell puts a dialect into the shell.
func (l *languages) shell(d *dialect.Dialect, wrap func([]byte, dialect.Frame) []byte) language {
	out := language{dialect: d, codec: &served{Codec: d.Codec(llm.OpGenerate), aws: l.aws}}
	d.Routes, d.Speaks = nil, nil
	d.Streams, d.Wrap = dialect.EventStream, wrap
	own := namespace()
	d.Headers.Prefixes = slices.Concat(d.Headers.Prefixes, own.Prefixes)
	d.Headers.Names = slices.Concat(d.Headers.Names, own.Names)
	return out
}

// The members by which a language is told.
const (
	atVersion = iota
	atSchema
	atInference
	atInput
	atMessages
	atPrompt
	atMessage
	atMaxGen
	atMaxSample
	marks
)

func markKeys() [marks]string {
	return [marks]string{
		"anthropic_version", "schemaVersion", "inferenceConfig", "inputText", "messages", "prompt", "message",
		"max_gen_len", "max_tokens_to_sample",
	}
}

// unpack tells the language of a body and hands the request on in it.
func (l *languages) unpack(in dialect.Inbound, stream bool, b dialect.Bounds) (dialect.Carried, error) {
	keys := markKeys()
	var found [marks]splice.Member
	if _, err := splice.Scan(in.Body, b.MaxDepth, keys[:], found[:]); err != nil {
		return dialect.Carried{}, malformed(err)
	}
	name := model(in)
	has := func(at int) bool { return found[at].Found() }
	switch {
	case has(atVersion) && has(atMessages):
		return l.unpackClaude(in, name, stream, b)
	case has(atSchema), has(atInference), has(atMessages) && novas(in.Body, found[atMessages].Value):
		return l.unpackNova(in, name, stream, b)
	case has(atMessages):
		return l.unpackChat(in, name, stream, b)
	}
	f := familyOf(name, has)
	if f == "" {
		msg := "the body is in no language that is known here: it has neither anthropic_version with messages, messages, prompt, message nor inputText"
		return dialect.Carried{}, &llm.Error{Kind: llm.Invalid, Op: op, Message: msg}
	}
	return l.prompted(f, in, name, stream), nil
}

// novas reports whether messages are of Nova's kind, whose parts have no type.
func novas(body []byte, messages splice.Span) bool {
	first := wire.At(body, messages).Get("0", "content", "0")
	return first.Kind() == '{' && !first.Get("type").Found()
}

func (l *languages) unpackClaude(in dialect.Inbound, name string, stream bool, b dialect.Bounds) (dialect.Carried, error) {
	in, err := anthropic.FromHost(in, name, llm.Some(stream), b)
	return dialect.Carried{In: in, Dialect: l.claude.dialect, Codec: l.claude.codec}, err
}

// unpackNova makes Converse of Nova's body, which has a few names of its own for what both have.
func (l *languages) unpackNova(in dialect.Inbound, name string, stream bool, b dialect.Bounds) (dialect.Carried, error) {
	keys := []string{"schemaVersion", "inferenceConfig", "additionalModelRequestFields"}
	found := make([]splice.Member, len(keys))
	object, err := splice.Scan(in.Body, b.MaxDepth, keys, found)
	if err != nil {
		return dialect.Carried{}, malformed(err)
	}
	ed := splice.NewEdit(in.Body)
	drop(ed, found[0])
	if config := found[1].Value; config.Kind(in.Body) == '{' {
		if err := novaConfig(ed, in.Body, config, object, found[2]); err != nil {
			return dialect.Carried{}, err
		}
	}
	if in.Body, err = ed.Bytes(); err != nil {
		return dialect.Carried{}, internal(err)
	}
	in.RawQuery = ""
	in.Vars = map[string]string{"modelId": name}
	nova := l.nova[0]
	if stream {
		nova = l.nova[1]
	}
	return dialect.Carried{In: in, Dialect: nova.dialect, Codec: nova.codec}, nil
}

// novaConfig renames members of inferenceConfig, and moves topK to where Converse has it.
func novaConfig(ed *splice.Edit, body []byte, config splice.Span, object splice.Object, fields splice.Member) error {
	keys := []string{"max_new_tokens", "top_p", "stopSequences", "top_k", "topK", "maxTokens", "topP"}
	found := make([]splice.Member, len(keys))
	if _, err := splice.ScanAt(body, config, splice.MaxDepth, keys, found); err != nil {
		return malformed(err)
	}
	for _, r := range [...]struct {
		from, to int
	}{{0, 5}, {1, 6}} {
		if found[r.from].Found() && !found[r.to].Found() {
			ed.Set(found[r.from].Key, splice.Quote(nil, keys[r.to]))
		}
	}
	for _, at := range found[3:5] {
		if at.Found() && !fields.Found() {
			ed.Delete(at)
			ed.Insert(object.Span, "additionalModelRequestFields", []byte(`{"inferenceConfig":{"topK":`+string(at.Value.Raw(body))+`}}`))
		}
	}
	return nil
}

// unpackChat makes a whole chat completion of a body without model.
func (l *languages) unpackChat(in dialect.Inbound, name string, stream bool, b dialect.Bounds) (dialect.Carried, error) {
	keys := []string{"model", "stream"}
	found := make([]splice.Member, len(keys))
	object, err := splice.Scan(in.Body, b.MaxDepth, keys, found)
	if err != nil {
		return dialect.Carried{}, malformed(err)
	}
	ed := splice.NewEdit(in.Body)
	put(ed, object, found[0], keys[0], splice.Quote(nil, name))
	if stream {
		put(ed, object, found[1], keys[1], []byte("true"))
	} else {
		drop(ed, found[1])
	}
	if in.Body, err = ed.Bytes(); err != nil {
		return dialect.Carried{}, internal(err)
	}
	in.RawQuery = ""
	return dialect.Carried{In: in, Dialect: l.chat.dialect, Codec: l.chat.codec}, nil
}

func put(ed *splice.Edit, object splice.Object, m splice.Member, key string, raw []byte) {
	if m.Found() {
		ed.Set(m.Value, raw)
		return
	}
	ed.Insert(object.Span, key, raw)
}

func drop(ed *splice.Edit, m splice.Member) {
	if m.Found() {
		ed.Delete(m)
	}
}

// unpackCount hands on a request to count tokens: of Converse, or of a body of InvokeModel within it.
func (c *codec) unpackCount(in dialect.Inbound, b dialect.Bounds) (dialect.Carried, error) {
	if err := splice.Valid(in.Body, b.MaxDepth); err != nil {
		return dialect.Carried{}, malformed(err)
	}
	l := c.languages
	at := wire.Whole(in.Body).Get("input", "invokeModel", "body")
	if !at.Found() {
		return dialect.Carried{In: in, Dialect: l.converse, Codec: l.counts}, nil
	}
	body, err := base64.StdEncoding.DecodeString(at.Text())
	if err != nil || at.Kind() != '"' {
		return dialect.Carried{}, wire.Invalid(op, wire.Bad("input.invokeModel.body", "a body in base64"))
	}
	in.Body = body
	inner, err := l.unpack(in, false, b)
	inner.Codec = &counter{Codec: inner.Codec, counts: l.counts}
	inner.Dialect = &dialect.Dialect{Name: Name, Title: "Amazon Bedrock InvokeModel", Headers: namespace()}
	return inner, err
}

// counter reads a request in a language and answers how many tokens it is.
type counter struct {
	dialect.Codec
	counts dialect.Codec
}

// Peek implements dialect.Server.
func (c *counter) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	h, err := c.Codec.Peek(in, b)
	h.Stream, h.MaxOut = false, llm.Opt[int]{}
	return h, err
}

// DecodeRequest implements dialect.Server.
func (c *counter) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	p, err := c.Codec.DecodeRequest(in)
	if r, ok := p.(*llm.Request); ok {
		return &llm.CountTokens{Request: r}, err
	}
	return p, err
}

// EncodeResponse implements dialect.Server.
func (c *counter) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	return c.counts.EncodeResponse(p, r, m)
}

// familyOf tells whose prompt a body is, by its members and else by the model's name.
func familyOf(name string, has func(at int) bool) family {
	name = strings.ToLower(name)
	called := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case has(atInput):
		return titan
	case has(atMessage):
		return cohere
	case !has(atPrompt):
		return ""
	case has(atMaxSample):
		return claude2
	case has(atMaxGen), called("llama", "meta."):
		return llama
	case called("deepseek"):
		return deepseek
	case called("cohere", "command"):
		return command
	case called("claude"):
		return claude2
	}
	return mistral
}
