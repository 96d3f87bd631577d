package app

import (
	"fmt"
	"testing"
	"time"
)

func TestWhatCannotBeWrittenDownIsNotDone(t *testing.T) {
	m := manage(t, "policies: [{name: base, cedar: \"permit (principal, action, resource);\"}]\n")
	m.must(t, 201, "POST", "/projects", `{"name":"before"}`)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) { // it is shipped soon
		all, ok := m.must(t, 200, "GET", "/audit?limit=1000", "")["data"].([]any)
		if ok && len(all) > 0 {
			if a, ok := all[0].(map[string]any); !ok || a["action"] != "create_project" || a["policy"] == nil || a["config"] == nil {
				t.Errorf("the audit says %v", all)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("the audit says nothing")
		}
	}
	if err := m.ledger.Close(); err != nil { // as where its disk is gone
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{"POST", "/projects", `{"name":"after"}`},
		{"PUT", "/projects/after", `{"name":"after"}`},
		{"PATCH", "/projects/before", `{"title":"x"}`},
		{"DELETE", "/projects/before", ""},
		{"POST", "/keys", `{"name":"k","project":"before"}`},
	} {
		if got := m.must(t, 503, c[0], c[1], c[2]); got["code"] != "unrecorded" {
			t.Errorf("%v: %v", c, got)
		}
	}
	if got := m.must(t, 200, "GET", "/projects/before", ""); fmt.Sprint(got["version"]) != "1" {
		t.Errorf("it was changed: %v", got)
	}
	m.must(t, 404, "GET", "/projects/after", "")
	if got := m.must(t, 200, "GET", "/keys", ""); len(got["data"].([]any)) != 0 {
		t.Errorf("keys were made: %v", got)
	}
	m.must(t, 200, "PUT", "/projects/before?dry_run=true", `{"name":"before"}`) // which changes nothing
}
