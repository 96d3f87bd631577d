package xaigrpc

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The kinds of llm.Opaque of this dialect: the bytes are those of a message of that type.
const (
	opaqueCall    = "tool_call"
	opaqueOutput  = "output"
	opaqueMessage = "message"
	opaqueContent = "content"
	opaqueTool    = "tool"
	opaqueCite    = "citation"
)

// Notes tell how something was said that can be said in several ways.
const (
	noteNoID = "no tool_call_id"
	noteType = "type "
	noteDone = "status "
	noteRole = "role "
	noteText = "empty text"
	noteHere = "said here"
	noteNull = "reasoning_content"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	d := requestDecoder{r: &llm.Request{Stream: c.stream}}
	d.r.Extra.Note(Name, noteHere)
	if err := fields(in.Body, d.field); err != nil {
		return nil, invalid(err)
	}
	r := d.r
	switch {
	case r.Model == "":
		return nil, noModel()
	case len(r.Messages) == 0:
		return nil, invalid(fault("messages", "must hold at least one message"))
	}
	return r, nil
}

func noModel() error { return invalid(fault("model", "is missing; name a deployment")) }

// requestDecoder reads one request.
type requestDecoder struct {
	r       *llm.Request
	waiting []string // ids of tool calls without a result so far: results need not name theirs
	hosted  []string // ids of calls of tools that xAI has run
}

func (d *requestDecoder) field(f field) (err error) {
	r := d.r
	switch f.tag {
	case 1<<3 | chars:
		return under(d.message(f.data), fmt.Sprintf("messages[%d]", len(r.Messages)))
	case 2<<3 | chars:
		r.Model, err = f.text()
		return under(err, "model")
	case 17<<3 | chars:
		return under(d.tool(f.data), fmt.Sprintf("tools[%d]", len(r.Tools)))
	case 18<<3 | chars:
		return under(d.choice(f.data), "tool_choice")
	case 10<<3 | chars:
		return under(d.format(f.data), "response_format")
	case 12<<3 | chars:
		s, err := f.text()
		r.Stop = append(r.Stop, s)
		return under(err, "stop")
	case 16<<3 | chars:
		r.User, err = f.text()
		return under(err, "user")
	}
	if !d.number(f) {
		keep(&r.Extra, requestNames(), f)
	}
	return nil
}

// number reads a parameter that is a number, and reports whether it was one.
func (d *requestDecoder) number(f field) bool {
	r := d.r
	switch f.tag {
	case 3<<3 | fixed32:
		r.FrequencyPenalty = llm.Some(f.float())
	case 9<<3 | fixed32:
		r.PresencePenalty = llm.Some(f.float())
	case 14<<3 | fixed32:
		r.Temperature = llm.Some(f.float())
	case 15<<3 | fixed32:
		r.TopP = llm.Some(f.float())
	case 5<<3 | varint:
		r.Logprobs = llm.Some(f.val != 0)
	case 6<<3 | varint:
		r.TopLogprobs = llm.Some(int(f.int()))
	case 7<<3 | varint:
		r.MaxOut = llm.Some(int(f.int()))
	case 8<<3 | varint:
		r.N = llm.Some(int(f.int()))
	case 11<<3 | varint:
		r.Seed = llm.Some(f.int())
	case 21<<3 | varint:
		r.Parallel = llm.Some(f.val != 0)
	case 19<<3 | varint:
		w := efforts()
		word := wordOf(w[:], f.int())
		if word == "" {
			return false
		}
		r.Thinking = &llm.Thinking{Effort: word}
		if word == "none" {
			r.Thinking.Mode = llm.ThinkOff
		}
	case 31<<3 | varint:
		w := tiers()
		if r.Tier = wordOf(w[:], f.int()); r.Tier == "" {
			return false
		}
	default:
		return false
	}
	return true
}

// turn is a message as it stands.
type turn struct {
	m                  llm.Message
	role               int64
	blocks, calls      []llm.Block
	thought, encrypted string
	callID             llm.Opt[string]
	hosted             []string
	asked              []string
}

func (d *requestDecoder) message(b []byte) error {
	var t turn
	if err := fields(b, t.field); err != nil {
		return err
	}
	m := &t.m
	switch t.role {
	case roleUser:
		m.Role = llm.User
	case roleSystem:
		m.Role = llm.System
	case roleDeveloper:
		m.Role = llm.Developer
	case roleAssistant:
		m.Role = llm.Assistant
	case roleTool, roleFunction:
		return d.result(b, &t)
	default:
		return fault("role", "must be one of ROLE_USER, ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_DEVELOPER and ROLE_TOOL")
	}
	t.assemble()
	d.waiting = append(d.waiting, t.asked...)
	d.hosted = append(d.hosted, t.hosted...)
	d.r.Messages = append(d.r.Messages, *m)
	return nil
}

// assemble puts the blocks in the order in which a model makes them: reasoning, text, calls.
func (t *turn) assemble() {
	m := &t.m
	if t.thought != "" || t.encrypted != "" {
		m.Blocks = append(m.Blocks, thoughts(t.thought, t.encrypted)...)
	}
	if len(t.blocks) == 1 {
		text, ok := t.blocks[0].(llm.Text)
		m.Plain = ok && text.Extra.Empty()
		// The SDK says an empty text beside a message's tool calls: it is nothing that was said.
		if m.Plain && text.Text == "" && (len(t.calls) > 0 || len(m.Blocks) > 0) {
			m.Extra.Note(Name, noteText)
			t.blocks = nil
		}
	}
	m.Blocks = append(append(m.Blocks, t.blocks...), t.calls...)
}

func (t *turn) field(f field) (err error) {
	m := &t.m
	switch f.tag {
	case 1<<3 | chars:
		b, err := decodeContent(f.data)
		t.blocks = append(t.blocks, b)
		return under(err, fmt.Sprintf("content[%d]", len(t.blocks)-1))
	case 2<<3 | varint:
		t.role = f.int()
	case 3<<3 | chars:
		m.Name, err = f.text()
		return under(err, "name")
	case 4<<3 | chars:
		b, err := decodeCall(f.data)
		t.calls = append(t.calls, b)
		if u, ok := b.(llm.ToolUse); ok {
			t.asked = append(t.asked, u.ID)
		} else {
			t.hosted = append(t.hosted, callID(f.data))
		}
		return under(err, fmt.Sprintf("tool_calls[%d]", len(t.calls)-1))
	case 5<<3 | chars:
		if t.thought, err = f.text(); t.thought == "" {
			m.Extra.Note(Name, noteNull)
		}
		return under(err, "reasoning_content")
	case 6<<3 | chars:
		t.encrypted, err = f.text()
		return under(err, "encrypted_content")
	case 7<<3 | chars:
		s, err := f.text()
		t.callID = llm.Some(s)
		return under(err, "tool_call_id")
	default:
		keep(&m.Extra, messageNames(), f)
	}
	return nil
}

// result reads what a tool answered. The result of a tool that xAI ran itself is only for xAI.
func (d *requestDecoder) result(raw []byte, t *turn) error {
	id := t.callID.V
	if slices.Contains(d.hosted, id) || id == "" && len(d.waiting) == 0 && len(d.hosted) > 0 {
		b := llm.Opaque{Dialect: Name, Type: opaqueMessage, Raw: said(raw)}
		d.r.Messages = append(d.r.Messages, llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{b}})
		return nil
	}
	done := llm.ToolDone{ID: id, Name: t.m.Name, Blocks: t.blocks, Plain: len(t.blocks) == 1}
	if id == "" && len(d.waiting) > 0 {
		done.ID = d.waiting[0]
	}
	if !t.callID.Set {
		done.Extra.Note(Name, noteNoID)
	}
	if done.Plain {
		_, done.Plain = t.blocks[0].(llm.Text)
	}
	if i := slices.Index(d.waiting, done.ID); i >= 0 {
		d.waiting = slices.Delete(d.waiting, i, i+1)
	}
	m := t.m
	m.Role, m.Name, m.Blocks = llm.ToolRole, "", []llm.Block{done}
	if t.role != roleTool {
		m.Extra.Note(Name, noteRole+strconv.FormatInt(t.role, 10))
	}
	m.Blocks = append(m.Blocks, t.calls...)
	if t.thought != "" || t.encrypted != "" {
		m.Blocks = append(m.Blocks, thoughts(t.thought, t.encrypted)...)
	}
	d.r.Messages = append(d.r.Messages, m)
	return nil
}

// envelope begins the encrypted content that is not xAI's: state of another vendor, on its way through a
// client of xAI's.
const envelope = "plenum:"

// thoughts returns the reasoning of a message.
func thoughts(text, encrypted string) []llm.Block {
	if rest, ok := strings.CutPrefix(encrypted, envelope); ok {
		var list []llm.Block
		for _, one := range strings.Split(rest, envelope) { // a client lays the pieces of a stream end to end
			list = append(list, unseal(one)...)
		}
		if len(list) > 0 {
			return withText(list, text)
		}
		encrypted = ""
	}
	t := llm.Thought{Text: text, Sealed: encrypted}
	if encrypted != "" {
		t.Origin = Name
	}
	if t.Empty() {
		return nil
	}
	return []llm.Block{t}
}

// withText gives thoughts their text where the envelope holds only what seals them.
func withText(list []llm.Block, text string) []llm.Block {
	for _, b := range list {
		if t, ok := b.(llm.Thought); ok && t.Text != "" {
			return list
		}
	}
	if t, ok := list[0].(llm.Thought); ok {
		t.Text = text
		list[0] = t
	}
	return list
}

func isJSON(s string) bool { return splice.Valid([]byte(s), splice.DefaultDepth) == nil }

func unseal(s string) []llm.Block {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || !isJSON(string(raw)) {
		return nil
	}
	var out []llm.Block
	for _, t := range dialect.ReadDetails(wire.Whole(raw)) {
		out = append(out, t)
	}
	return out
}

func decodeContent(b []byte) (llm.Block, error) {
	var out llm.Block
	var extra llm.Extra
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			s, err := f.text()
			out = llm.Text{Text: s}
			return under(err, "text")
		case 2<<3 | chars:
			out, err = decodeImage(f.data)
			return under(err, "image_url")
		case 3<<3 | chars:
			out, err = decodeFile(f.data)
			return under(err, "file")
		}
		keep(&extra, contentNames(), f)
		return nil
	})
	switch x := out.(type) {
	case llm.Text:
		x.Extra = extra
		return x, err
	case llm.Media:
		if extra.Empty() {
			return x, err
		}
	case nil:
		if len(b) == 0 {
			return llm.Opaque{Dialect: Name, Type: opaqueContent, Raw: said(b)}, err
		}
	}
	return llm.Opaque{Dialect: Name, Type: opaqueContent, Raw: said(b)}, err
}

func decodeImage(b []byte) (llm.Block, error) {
	m := llm.Media{Kind: llm.Image}
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			s, err := f.text()
			setURL(&m, s)
			return under(err, "image_url")
		case 2<<3 | varint:
			w := details()
			if m.Detail = wordOf(w[:], f.int()); m.Detail != "" {
				return nil
			}
		case 3<<3 | chars:
			m.FileID, err = f.text()
			return under(err, "file_id")
		}
		keep(&m.Extra, imageNames(), f)
		return nil
	})
	if err == nil && m.URL == "" && m.Data == "" && m.FileID == "" {
		err = fault("image_url", "must be a URL")
	}
	return m, err
}

func setURL(m *llm.Media, s string) {
	if rest, ok := strings.CutPrefix(s, "data:"); ok {
		if mime, data, ok := strings.Cut(rest, ";base64,"); ok && data != "" {
			m.MIME, m.Data = mime, data
			return
		}
	}
	m.URL = s
}

func decodeFile(b []byte) (llm.Block, error) {
	m := llm.Media{Kind: llm.File}
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			m.FileID, err = f.text()
			return under(err, "file_id")
		case 2<<3 | chars:
			m.Data = base64.StdEncoding.EncodeToString(f.data)
		case 3<<3 | chars:
			m.Name, err = f.text()
			return under(err, "filename")
		case 4<<3 | chars:
			m.MIME, err = f.text()
			return under(err, "mime_type")
		case 5<<3 | chars:
			m.URL, err = f.text()
			return under(err, "url")
		default:
			keep(&m.Extra, fileNames(), f)
		}
		return nil
	})
	m.Kind = kindOf(m.MIME)
	return m, err
}

// kindOf tells the kind of a file by its MIME type. Images come as images: a file stays one.
func kindOf(mime string) llm.MediaKind {
	switch {
	case mime == "application/pdf", strings.HasPrefix(mime, "text/"):
		return llm.Document
	case strings.HasPrefix(mime, "audio/"):
		return llm.Audio
	case strings.HasPrefix(mime, "video/"):
		return llm.Video
	}
	return llm.File
}

// callID returns the id of a call.
func callID(b []byte) (id string) {
	_ = fields(b, func(f field) error {
		if f.tag == 1<<3|chars {
			id = string(f.data)
		}
		return nil
	})
	return id
}

// decodeCall reads a call of a tool. One that xAI runs itself is opaque.
func decodeCall(b []byte) (llm.Block, error) {
	u := llm.ToolUse{Kind: llm.ToolFunction}
	var kind int64
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			u.ID, err = f.text()
			return under(err, "id")
		case 2<<3 | varint:
			kind = f.int()
			u.Extra.Note(Name, noteType+strconv.FormatInt(kind, 10))
		case 3<<3 | varint:
			u.Extra.Note(Name, noteDone+strconv.FormatInt(f.int(), 10))
		case 10<<3 | chars:
			return under(decodeFunctionCall(&u, f.data), "function")
		default:
			keep(&u.Extra, callNames(), f)
		}
		return nil
	})
	if kind > callClient {
		return llm.Opaque{Dialect: Name, Type: opaqueCall, Raw: said(b)}, err
	}
	return u, err
}

func decodeFunctionCall(u *llm.ToolUse, b []byte) error {
	return fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			u.Name, err = f.text()
			return under(err, "name")
		case 2<<3 | chars:
			u.Args, err = f.text()
			return under(err, "arguments")
		}
		keep(&u.Extra, nil, f)
		return nil
	})
}

func (d *requestDecoder) tool(b []byte) error {
	t := llm.Tool{Kind: llm.ToolHosted, Opaque: llm.Opaque{Dialect: Name, Type: opaqueTool, Raw: said(b)}}
	err := fields(b, func(f field) error {
		if f.tag == 1<<3|chars {
			t = llm.Tool{Kind: llm.ToolFunction}
			return under(decodeFunction(&t, f.data), "function")
		}
		if name := toolNames()[f.num]; name != "" {
			t.Name, t.Opaque.Type = name, name
		}
		return nil
	})
	if err == nil {
		d.r.Tools = append(d.r.Tools, t)
	}
	return err
}

func decodeFunction(t *llm.Tool, b []byte) error {
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			t.Name, err = f.text()
			return under(err, "name")
		case 2<<3 | chars:
			t.Description, err = f.text()
			return under(err, "description")
		case 3<<3 | varint:
			t.Strict = llm.Some(f.val != 0)
		case 4<<3 | chars:
			t.Schema, err = f.text()
			if err == nil && t.Schema != "" && !isJSON(t.Schema) {
				err = fault("", "must be a JSON Schema")
			}
			return under(err, "parameters")
		default:
			keep(&t.Extra, functionNames(), f)
		}
		return nil
	})
	if err == nil && t.Name == "" {
		err = fault("name", "is missing")
	}
	return err
}

func (d *requestDecoder) choice(b []byte) error {
	c := &d.r.Choose
	return fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | varint:
			switch f.int() {
			case modeAuto:
				c.Mode = llm.ChooseAuto
				return nil
			case modeNone:
				c.Mode = llm.ChooseNone
				return nil
			case modeRequired:
				c.Mode = llm.ChooseAny
				return nil
			}
		case 2<<3 | chars:
			c.Mode = llm.ChooseTool
			c.Name, err = f.text()
			return under(err, "function_name")
		}
		keep(&c.Extra, choiceNames(), f)
		return nil
	})
}

func (d *requestDecoder) format(b []byte) error {
	o := &d.r.Output
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | varint:
			switch f.int() {
			case formatText:
				o.Kind = llm.FormatText
				return nil
			case formatJSON:
				o.Kind = llm.FormatJSON
				return nil
			case formatSchema:
				o.Kind = llm.FormatSchema
				return nil
			}
		case 2<<3 | chars:
			o.Schema, err = f.text()
			if err == nil && !isJSON(o.Schema) {
				err = fault("", "must be a JSON Schema")
			}
			return under(err, "schema")
		}
		keep(&o.Extra, formatNames(), f)
		return nil
	})
	if err == nil && o.Kind == llm.FormatSchema && o.Schema == "" {
		err = fault("schema", "is missing")
	}
	return err
}
