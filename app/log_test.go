package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
)

// The line written by hand says what slog says of the same call.
func TestTheLineOfACallIsThatOfSlog(t *testing.T) {
	for name, r := range map[string]*plenum.Record{
		"refused": {ID: "call_1", Status: 401, Outcome: plenum.OutcomeRefused, Start: 5, End: 1505, Dialect: "openai", ErrorKind: llm.Unauthorized, Error: "no \"key\"\n"},
		"whole": {
			ID: "call_2", Status: 200, Outcome: plenum.OutcomeOK, Start: 0, End: 1_234_567, FirstByte: 1000, Dialect: "anthropic", Path: "/v1/messages",
			KeyID: "k", Project: "p", Deployment: "d", Target: "t", Stream: true, Attempts: make([]plenum.Attempt, 2),
			Usage: plenum.Tokens{Input: 1, CacheRead: 2, Output: 3, Reasoning: 4}, Priced: true, Cost: 1500, Lost: []string{"seed", "<&>\u2028"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var byHand, bySlog bytes.Buffer
			f := config.Log{Level: "info", Format: "json"}
			l := newCallLog(&byHand, f)
			l.Observe(r)
			l.flush()
			var as []slog.Attr
			fields(r, attrs{&as})
			newLog(&bySlog, f).LogAttrs(t.Context(), levelOf(r), "call", as...)
			if diff := cmp.Diff(untimed(t, bySlog.Bytes()), untimed(t, byHand.Bytes())); diff != "" {
				t.Errorf("the line differs (-slog +ours):\n%s", diff)
			}
		})
	}
}

func untimed(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if m["time"] == "" {
		t.Error("the line has no time")
	}
	delete(m, "time")
	return m
}
