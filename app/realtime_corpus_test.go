package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// readSessions reads recorded sessions. Only text messages are kept, each in one line as it was said.
func readSessions(t *testing.T, dir string) map[string][]wsMessage {
	t.Helper()
	out := map[string][]wsMessage{}
	for _, vendor := range []string{"openai", "xai", "azure"} {
		files, err := filepath.Glob(filepath.Join(dir, vendor, "*ws-test*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var x struct{ Interactions []wsMessage }
			if err := json.Unmarshal(text, &x); err != nil {
				t.Fatal(err)
			}
			var kept []wsMessage
			for _, m := range x.Interactions {
				var b bytes.Buffer
				if m.Kind != "message" || json.Compact(&b, m.Data) != nil || b.Len() == 0 || b.Bytes()[0] != '{' {
					continue
				}
				m.Data = b.Bytes()
				kept = append(kept, m)
			}
			out[vendor+"/"+filepath.Base(f)] = kept
		}
	}
	return out
}
