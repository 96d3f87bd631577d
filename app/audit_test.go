package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/proof"
	"github.com/plenum-foundry/plenum/store"
)

func TestWhatTheManagementAPIDoesIsInTheLedger(t *testing.T) {
	m := manage(t, "")
	m.must(t, 201, "POST", "/connections", `{"name":"a","provider":"openai-compatible","base_url":"https://example.com/v1","credentials":{"api_key":"the-key-of-a-vendor"}}`)
	m.must(t, 200, "PATCH", "/connections/a", `{"region":"eu"}`)
	m.must(t, 422, "POST", "/connections", `{"name":"b","provider":"nobody"}`)
	m.key = "somebody-elses-key-of-this"
	m.must(t, 401, "DELETE", "/connections/a", "")
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	all, err := m.store.Audits(t.Context(), store.AuditFilter{Noun: "connections"})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d entries, %v: %+v", len(all), err, all)
	}
	refused, checked, changed, made := &all[0], &all[1], &all[2], &all[3]
	if refused.Actor != "nobody" || refused.Decision != ledger.Refused || refused.Status != 401 || refused.Reason == "" || refused.From == "" {
		t.Errorf("who is not known: %+v", refused)
	}
	if checked.Decision != ledger.Refused || checked.Status != 422 || checked.Reason == "" || checked.Actor != "admin_key" {
		t.Errorf("what is wrong: %+v", checked)
	}
	if made.Decision != ledger.Allowed || made.Name != "a" || made.Before != nil || !strings.Contains(string(made.After), "example.com") || made.Config == "" {
		t.Errorf("what was made: %+v", made)
	}
	if strings.Contains(string(changed.Before), `"eu"`) || !strings.Contains(string(changed.After), `"eu"`) {
		t.Errorf("what was changed: from %s to %s", changed.Before, changed.After)
	}
	var b bytes.Buffer
	if _, err := proof.Export(t.Context(), &b, m.store, 1); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "the-key-of-a-vendor") {
		t.Error("a secret is in the ledger")
	}
	rs, _, err := m.store.Resources(t.Context())
	if err != nil || bytes.Contains(rs[0].Spec, []byte("the-key-of-a-vendor")) || !bytes.Contains(rs[0].Spec, []byte("sealed:2:")) {
		t.Errorf("the credential is kept as %s, %v", rs[0].Spec, err)
	}
	if rep, err := proof.Verify(&b, proof.Options{}); err != nil || len(rep.Findings) > 0 || rep.Audits < 4 {
		t.Errorf("%+v, %v", rep, err)
	}
}
