package resolve

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

func TestLooksLikeID(t *testing.T) {
	for s, want := range map[string]bool{
		"vs_68abcdef": true, "file-AbC123xyz": true, "thread_abc1xyz": true, "file_search": false, "run it 1 time": false, "file-search_tool": false,
		"vs_1": false, "hello": false, "gpt-4o-mini-2024": false, "skill_01Abc": true, "": false,
	} {
		if got := looksLikeID(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func FuzzNamed(f *testing.F) {
	f.Add([]byte(`{"a":["vs_68abcdef",{"file-AbC123xyz":1}]}`), "application/json")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"file_id\"\r\n\r\nvs_68abcdef\r\n--b--"), "multipart/form-data; boundary=b")
	f.Add([]byte(`x=vs_68abcdef`), "application/x-www-form-urlencoded")
	f.Fuzz(func(t *testing.T, body []byte, media string) {
		ids, err := named(dialect.Inbound{Header: http.Header{"Content-Type": {media}}, Body: body}, nil)
		var e *llm.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("the error is of no kind: %v", err)
		}
		if media == "application/json" && err == nil {
			const hidden = "vs_68abcdef"
			if b, jsonErr := json.Marshal(hidden); jsonErr == nil {
				more, err := named(dialect.Inbound{Header: http.Header{"Content-Type": {media}}, Body: append(append([]byte(nil), body...), b...)}, nil)
				if err == nil && !slices.Contains(more, hidden) {
					t.Errorf("%s is not found in %q", hidden, body)
				}
			}
		}
		for _, id := range ids {
			if !looksLikeID(id) {
				t.Errorf("%q is no id", id)
			}
		}
	})
}
