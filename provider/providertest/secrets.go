package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// carriers are the headers in which a credential may go, besides one that the owner names.
func carriers() []string {
	return []string{"Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token"}
}

// ownHeader and ownValue are a header of the owner's own, which may hold a secret as well.
const (
	ownHeader = "X-Gate-Key"
	ownValue  = "canary-header-51ab"
)

// secrets expects that credentials go into headers made for them and are seen nowhere else.
func secrets(t *testing.T, k provider.Kind) {
	in := settings(k)
	in.Header.Set(ownHeader, ownValue)
	p := open(t, k, in)
	plan, err := p.Plan(model, llm.OpGenerate, true)
	if err != nil {
		t.Fatal(err)
	}
	before := plan.Header.Clone()
	unseen(t, k, "the provider", p)
	unseen(t, k, "the plan", plan)
	unseen(t, k, "the kind", k)

	r := request(t, p, plan)
	if diff := cmp.Diff(before, plan.Header); diff != "" {
		t.Errorf("signing changed the shared plan:\n%s", diff)
	}
	if r.URL.String() != plan.URL {
		t.Errorf("signing changed the address to %s", r.URL)
	}
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != `{"model":"some-model"}` {
		t.Errorf("signing changed the body: %q %v", body, err)
	}
	if got := r.Header.Get(ownHeader); got != ownValue {
		t.Errorf("the connection's own header is %q", got)
	}
	carried(t, k, r.Header)
	keyless(t, k)
}

// carried expects every secret in a header that is made for it.
func carried(t *testing.T, k provider.Kind, h http.Header) {
	found := map[string]bool{}
	for name, values := range h {
		for _, f := range k.Fields {
			if !f.Secret || !strings.Contains(strings.Join(values, "\n"), canary(f.Name)) {
				continue
			}
			found[f.Name] = true
			if !slices.Contains(carriers(), name) {
				t.Errorf("credentials.%s goes into the header %s", f.Name, name)
			}
		}
	}
	for _, f := range k.Fields {
		if f.Secret && f.Name == "api_key" && !found[f.Name] {
			t.Errorf("credentials.%s is not sent: %v", f.Name, h)
		}
	}
}

// keyless expects that a place that needs no key is sent none, not an empty one.
func keyless(t *testing.T, k provider.Kind) {
	in := settings(k)
	clear(in.Credentials)
	p, err := k.New(in)
	if err != nil {
		return // it needs one
	}
	h := unkeyed(t, p)
	for _, name := range carriers() {
		if _, ok := h[name]; ok {
			t.Errorf("without a key there is %s: %q", name, h[name])
		}
	}
}

// unkeyed returns the headers of a call for which no credential was given, or none where one is needed.
func unkeyed(t *testing.T, p provider.Provider) http.Header {
	plan, err := p.Plan(model, llm.OpGenerate, true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Sign(t.Context(), r, nil); err != nil {
		return nil // it looked for one elsewhere
	}
	return r.Header
}

// unseen expects that no way of printing a value shows a secret.
func unseen(t *testing.T, k provider.Kind, what string, v any) {
	t.Helper()
	for _, text := range printed(v) {
		if strings.Contains(text, ownValue) {
			t.Errorf("%s shows the connection's own header: %s", what, text)
		}
		for _, f := range k.Fields {
			if f.Secret && strings.Contains(text, canary(f.Name)) {
				t.Errorf("%s shows credentials.%s: %s", what, f.Name, text)
			}
		}
	}
}

// printed returns a value as everything that prints would show it, and what it points to as well.
func printed(v any) []string {
	values := []any{v}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && !r.IsNil() {
		values = append(values, r.Elem().Interface())
	}
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprint(v), fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v))
		if b, err := json.Marshal(v); err == nil {
			out = append(out, string(b))
		}
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		out = append(out, b.String())
	}
	return out
}
