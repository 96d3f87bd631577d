package matrix

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// echo puts an answer into the next turn's body as clients do: the message that the assistant said goes back
// as it came, in the place of one that says only that there was one; and what was asked for besides is asked for again.
func (x *cell) echo(body, first []byte, req *llm.Request, answer *llm.Response) ([]byte, error) {
	whole, _ := x.c.side.Route(x.c.side.Path(x.name(), false))
	reply, _, err := whole.EncodeResponse(req, answer, dialect.Meta{CallID: "c", Now: 1})
	if err != nil {
		return nil, err
	}
	if x.c.side.GRPC {
		return echoProto(body, reply.Body), nil
	}
	var next, said map[string]any
	if err := json.Unmarshal(body, &next); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(reply.Body, &said); err != nil {
		return nil, err
	}
	if first != nil {
		var before map[string]any
		if err := json.Unmarshal(first, &before); err != nil {
			return nil, err
		}
		for k, v := range before {
			if _, there := next[k]; !there {
				next[k] = v
			}
		}
	}
	key, role := "messages", "assistant"
	var message []any
	switch x.c.side.Name {
	case "openai":
		message = []any{dig(said, "choices", "message")}
	case "responses":
		key = "input"
		message, _ = said["output"].([]any)
	case "anthropic":
		message = []any{map[string]any{"role": role, "content": said["content"]}}
	case "converse":
		message = []any{dig(said, "output", "message")}
	case "gemini":
		key, role = "contents", "model"
		message = []any{dig(said, "candidates", "content")}
	default:
		message = []any{said["message"]}
	}
	list, ok := next[key].([]any)
	if !ok {
		return nil, fmt.Errorf("no %s in %s", key, body)
	}
	var out []any
	for _, m := range list {
		o, _ := m.(map[string]any)
		if o["role"] == role || o["type"] == "function_call" || o["type"] == "reasoning" {
			out = append(out, message...)
			message = nil
			continue
		}
		out = append(out, m)
	}
	next[key] = out
	return json.Marshal(next)
}

// dig walks into an object, through the first element of lists.
func dig(v any, path ...string) any {
	for _, p := range path {
		o, _ := v.(map[string]any)
		v = o[p]
		if l, ok := v.([]any); ok && len(l) > 0 {
			v = l[0]
		}
	}
	return v
}

// each visits the fields of a protobuf message; whole is the field with its tag.
func each(b []byte, visit func(n protowire.Number, whole, value []byte)) {
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		value := protowire.ConsumeFieldValue(n, typ, b[size:])
		if size < 0 || value < 0 {
			return
		}
		inner := b[size : size+value]
		if typ == protowire.BytesType {
			inner, _ = protowire.ConsumeBytes(inner)
		}
		visit(n, b[:size+value], inner)
		b = b[size+value:]
	}
}

// echoProto is echo in xAI's protobufs: a CompletionMessage becomes a Message.
func echoProto(body, answer []byte) []byte {
	var said []byte
	each(answer, func(n protowire.Number, _, output []byte) {
		if n != 2 {
			return
		}
		each(output, func(n protowire.Number, _, message []byte) {
			if n == 3 {
				said = messageOf(message)
			}
		})
	})
	var out []byte
	each(body, func(n protowire.Number, whole, value []byte) {
		if n == 1 && said != nil && isAssistant(value) {
			whole = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), said)
		}
		out = append(out, whole...)
	})
	return out
}

func messageOf(completion []byte) []byte {
	var out []byte
	field := func(n protowire.Number, value []byte) {
		out = protowire.AppendBytes(protowire.AppendTag(out, n, protowire.BytesType), value)
	}
	each(completion, func(n protowire.Number, whole, value []byte) {
		switch n {
		case 1:
			field(1, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), value))
		case 2:
			out = append(out, whole...)
		case 3:
			field(4, value)
		case 4:
			field(5, value)
		case 5:
			field(6, value)
		}
	})
	return out
}

func isAssistant(message []byte) bool {
	found := false
	each(message, func(n protowire.Number, _, value []byte) { found = found || n == 2 && len(value) == 1 && value[0] == 2 })
	return found
}
