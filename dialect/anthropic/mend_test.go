package anthropic

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// What callers of other dialects say and this vendor is known to refuse.
func TestWhatTheVendorRefusesIsMended(t *testing.T) {
	said := llm.Extra{Dialect: "openai"}
	text := func(s string) llm.Block { return llm.Text{Text: s, Extra: said} }
	system := llm.Message{Role: llm.System, Blocks: []llm.Block{text("s")}, Plain: true, Extra: said}
	call := llm.ToolUse{Kind: llm.ToolFunction, ID: "c", Name: "f", Args: "{}", Extra: said}
	png := llm.Media{Kind: llm.Image, MIME: "image/jpeg", Data: "iVBORw0KGgo=", Extra: said}
	svg := llm.Media{Kind: llm.Image, MIME: "image/svg+xml", Data: "PHN2Zy8+", Extra: said}
	jpg := llm.Media{Kind: llm.Image, MIME: "image/jpg;name=a", Data: "AAAA", Extra: said}
	at := llm.Media{Kind: llm.File, FileID: "https://example.com/a.pdf", Extra: said}
	for name, tt := range map[string]struct {
		r    *llm.Request
		want string // in the body
		lost []string
	}{
		"a system prompt alone": {
			r:    &llm.Request{Messages: []llm.Message{system}},
			want: `"messages":[{"role":"user","content":"s"}]`,
			lost: []string{"messages[0].role"},
		},
		"a text of only space": {
			r:    &llm.Request{Messages: []llm.Message{{Role: llm.User, Extra: said, Blocks: []llm.Block{text(" \n"), text("a")}}}},
			want: `"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]`,
			lost: []string{"messages[0].content[0]"},
		},
		"calls of undeclared tools": {
			r:    &llm.Request{Messages: []llm.Message{{Role: llm.Assistant, Extra: said, Blocks: []llm.Block{call}}}},
			want: `"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}`,
		},
		"images called by other names": {
			r:    &llm.Request{Messages: []llm.Message{{Role: llm.User, Extra: said, Blocks: []llm.Block{png, svg, jpg, at}}}},
			want: `"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}},{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}]`,
			lost: []string{"messages[0].content[1]"},
		},
		"open objects": {
			r: &llm.Request{Messages: []llm.Message{system}, Output: llm.Format{
				Kind:   llm.FormatSchema,
				Schema: `{"type":"object","properties":{"a":{"type":"array","items":{"properties":{}}},"enum":{"enum":[{"type":"object"}]},"m":{"type":"object","additionalProperties":{"type":"string"}}},"$defs":{"d":{"anyOf":[{"type":"object"}]}}}`,
			}},
			want: `{"type":"object","properties":{"a":{"type":"array","items":{"properties":{},"additionalProperties":false}},"enum":{"enum":[{"type":"object"}]},"m":{"type":"object","additionalProperties":false}},"$defs":{"d":{"anyOf":[{"type":"object","additionalProperties":false}]}},"additionalProperties":false}`,
			lost: []string{"messages[0].role", "response_format.json_schema.schema"},
		},
		"a long name of a user": {
			r:    &llm.Request{Messages: []llm.Message{system}, User: strings.Repeat("u", 600)},
			want: `"metadata":{"user_id":"uuuuuuuu`,
			lost: []string{"messages[0].role"},
		},
	} {
		tt.r.Model, tt.r.Extra = "m", said
		out, losses, err := (&codec{op: llm.OpGenerate}).EncodeRequest(tt.r, dialect.Shape{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(string(out.Body), tt.want) {
			t.Errorf("%s: %s", name, out.Body)
		}
		var lost []string
		for _, l := range losses {
			lost = append(lost, l.What)
		}
		if d := cmp.Diff(tt.lost, lost); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
