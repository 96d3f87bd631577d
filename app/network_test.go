package app

import (
	"fmt"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

func TestCase_I9_WhatTheAPIDeclaresReachesNoPrivateAddressUnlessItSaysSo(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, "")
	m.must(t, 201, "POST", "/connections", fmt.Sprintf(`{"name":"a","provider":"openai-compatible","base_url":"%s/v1","credentials":{"api_key":"the-key-of-a-vendor"}}`, up.URL))
	m.must(t, 201, "POST", "/deployments", `{"name":"m","targets":[{"connection":"a","upstream_model":"up"}]}`)
	key := m.must(t, 201, "POST", "/keys", `{"name":"ci"}`)
	ask := func() int {
		status, _ := m.ask(t, "POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+key["secret"].(string))
		return status
	}
	if status := ask(); status < 500 || len(up.Requests()) > 0 {
		t.Fatalf("status %d, and the private address had %d requests", status, len(up.Requests()))
	}
	m.must(t, 200, "PATCH", "/connections/a", `{"network":"private"}`)
	if status := ask(); status != 200 {
		t.Errorf("where it is allowed: status %d", status)
	}
}
