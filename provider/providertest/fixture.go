package providertest

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// fixture reads testdata/NAME.txtar and expects that each call in it is sent as it says.
func fixture(t *testing.T, k provider.Kind) {
	path := filepath.Join("testdata", k.Name+".txtar")
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatalf("a kind needs a fixture: %v", err)
	}
	if c := string(a.Comment); !strings.HasPrefix(c, "recorded: ") && !strings.HasPrefix(c, "from-spec: ") {
		t.Errorf("%s must begin with \"recorded: \" or \"from-spec: \" and where it is from", path)
	}
	if len(a.Files) == 0 || len(a.Files)%2 != 0 {
		t.Fatalf("%s must hold pairs of call and request", path)
	}
	tried := map[string]bool{}
	for i := 0; i < len(a.Files); i += 2 {
		said, want := a.Files[i], a.Files[i+1]
		if said.Name != "call" || want.Name != "request" {
			t.Fatalf("%s: %s and %s instead of call and request", path, said.Name, want.Name)
		}
		got, dialect := send(t, k, string(said.Data))
		tried[dialect] = true
		if diff := cmp.Diff(strings.TrimSpace(string(want.Data)), got); diff != "" {
			t.Errorf("%s: the call\n\n%s\nis not sent as it should be (-want +got):\n%s", path, said.Data, diff)
		}
	}
	for _, name := range k.Dialects {
		if !tried[name] {
			t.Errorf("%s has no call in the dialect %s", path, name)
		}
	}
}

// send returns the request that a call makes, or the error, as a fixture says it; and the dialect.
//
// A call is lines of "name: value": op, model and stream; caller, the dialect that the caller speaks; base_url; header, as a whole line of HTTP;
// without, a credential that is not there; and any other setting of the connection.
func send(t *testing.T, k provider.Kind, call string) (text, dialect string) {
	in := settings(k)
	op, id, stream, caller := llm.OpGenerate, model, false, ""
	for line := range strings.Lines(call) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case !ok:
			t.Fatalf("%q is not of the form \"name: value\"", line)
		case name == "op":
			op = llm.Op(value)
		case name == "model":
			id = value
		case name == "stream":
			stream = value == "true"
		case name == "caller":
			caller = value
		case name == "base_url":
			in.BaseURL = value
		case name == "without":
			delete(in.Credentials, value)
		case name == "header":
			h, v, _ := strings.Cut(value, ": ")
			in.Header.Set(h, v)
		default:
			in.Options[name] = value
		}
	}
	p, err := k.New(in)
	if err != nil {
		return "error: " + err.Error(), ""
	}
	plan, err := provider.PlanFor(p, caller, id, op, stream)
	if err != nil {
		return "error: " + string(llm.AsError(err).Kind), ""
	}
	return wire(k, request(t, p, plan)), plan.Dialect.Name
}

// wire writes a request's first line and its headers, with the names of credentials for their values.
func wire(k provider.Kind, r *http.Request) string {
	lines := []string{r.Method + " " + r.URL.String()}
	var headers []string
	for name, values := range r.Header {
		for _, v := range values {
			headers = append(headers, fmt.Sprintf("%s: %s", name, v))
		}
	}
	slices.Sort(headers)
	text := strings.Join(append(lines, headers...), "\n")
	for _, f := range k.Fields {
		if f.Secret {
			text = strings.ReplaceAll(text, canary(f.Name), "{"+f.Name+"}")
		}
	}
	return text
}
