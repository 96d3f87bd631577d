package dialect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// What is put into an envelope comes out of it, and what is none is none.
func FuzzDisclose(f *testing.F) {
	for _, s := range []string{"", "c2ln", EnclosedMark, Enclose(llm.Thought{Signature: "s", Origin: "anthropic"}), Enclose(llm.Thought{Sealed: "a/b", Item: "rs_1/2", Origin: "responses"})} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := Disclose(s); ok && Signed(got) {
			again, ok := Disclose(Enclose(got))
			if d := cmp.Diff(got, again); !ok || d != "" {
				t.Fatalf("%q: %s", s, d)
			}
		}
		for _, put := range []llm.Thought{{Signature: s, Item: s, Origin: "gemini"}, {Sealed: s, Item: "i", Origin: "responses"}} {
			if s == "" {
				continue
			}
			if got, ok := Disclose(Enclose(put)); !ok || got.Signature != put.Signature || got.Sealed != put.Sealed || got.Item != put.Item || got.Origin != put.Origin {
				t.Fatalf("%+v comes out as %+v", put, got)
			}
		}
	})
}

// Details of reasoning are read as they were written, and whatever else stands there is no fault.
func FuzzReadDetails(f *testing.F) {
	f.Add(`[{"type":"reasoning.encrypted","data":"x","id":"rs_1","format":"openai-responses-v1","index":0}]`, "signature")
	f.Add(`[null,{"text":1}]`, "")
	f.Fuzz(func(t *testing.T, json, state string) {
		_ = ReadDetails(wire.Raw(json))
		put := llm.Thought{Text: "hm", Signature: strings.ToValidUTF8(state, ""), Origin: "anthropic"}
		var w jsonw.Writer
		AppendDetails(&w, []llm.Thought{put})
		got := ReadDetails(wire.Raw(w.String()))
		if len(got) != 1 || got[0].Text != put.Text || got[0].Signature != put.Signature || Signed(put) && got[0].Origin != put.Origin {
			t.Fatalf("%+v is read as %+v of %s", put, got, w.String())
		}
	})
}
