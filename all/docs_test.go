package all_test

import (
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/provider"
)

var update = flag.Bool("update", false, "rewrite the documents that are made from the code")

// TestProvidersDocument keeps docs/providers.md as the kinds have it.
func TestProvidersDocument(t *testing.T) {
	const path = "../docs/providers.md"
	want := providersDocument()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the kinds are; go test ./all -update writes it (-want +got):\n%s", path, diff)
	}
}

const providersHead = `# Providers

The kinds of place that Plenum reaches. This page is made from the code: ` + "`go test ./all -update`" + ` writes it.
[Adding a provider](adding-a-provider.md) says how one more comes in, and what the addresses mean.

A connection names its kind under ` + "`provider`" + `, and gives what is listed here:

` + "```yaml" + `
connections:
  - name: xai
    provider: xai
    credentials: {api_key: "${env:XAI_API_KEY}"}
` + "```" + `

`

func providersDocument() string {
	var b strings.Builder
	b.WriteString(providersHead)
	b.WriteString("| provider | place | address | dialect | credentials | settings | differs in |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, k := range all.Providers() {
		b.WriteString("| " + strings.Join([]string{
			code(k.Name), k.Title, addressOf(k), strings.Join(k.Dialects, ", "), credentials(k), options(k), traits(k.Traits),
		}, " | ") + " |\n")
	}
	b.WriteString("\n## Settings\n")
	for _, k := range all.Providers() {
		b.WriteString("\n### " + k.Title + "\n\n")
		for _, f := range k.Fields {
			b.WriteString("- " + fieldText(f) + "\n")
		}
	}
	return b.String()
}

func code(s string) string { return "`" + s + "`" }

func codes(names []string) string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, code(n))
	}
	return strings.Join(out, ", ")
}

func addressOf(k provider.Kind) string {
	if k.BaseURL == "" {
		return "the connection's"
	}
	return k.BaseURL
}

func credentials(k provider.Kind) string {
	var out []string
	for _, f := range k.Fields {
		if !f.Secret {
			continue
		}
		text := code(f.Name)
		if !f.Required {
			text += " (optional)"
		}
		if len(f.Env) > 0 {
			text += " from " + codes(f.Env)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func options(k provider.Kind) string {
	var names []string
	for _, f := range k.Fields {
		if !f.Secret && f.Name != "base_url" {
			names = append(names, f.Name)
		}
	}
	return codes(names)
}

func traits(t plenum.Traits) string {
	var out []string
	if t.MaxTokensField != "" {
		out = append(out, "caps output by "+code(t.MaxTokensField))
	}
	if t.NoDeveloper {
		out = append(out, "no developer role")
	}
	if t.NoStreamUsage {
		out = append(out, "is not asked for usage in streams")
	}
	if t.ReasoningField != "" {
		out = append(out, "shows reasoning in "+code(t.ReasoningField))
	}
	if len(t.Refuses) > 0 {
		out = append(out, "refuses "+codes(t.Refuses))
	}
	return strings.Join(out, "; ")
}

func fieldText(f provider.Field) string {
	name := f.Name
	if f.Secret {
		name = "credentials." + f.Name
	}
	text := "**" + name + "**"
	switch {
	case f.Required && f.Default == "":
		text += " (required)"
	case f.Default != "":
		text += " (" + code(f.Default) + ")"
	}
	text += ": " + f.Help
	if len(f.Env) > 0 {
		text += " Looked for in " + codes(f.Env) + "."
	}
	return text
}

// TestAddingAProvider expects that the files which docs/adding-a-provider.md shows are those of the
// tree. Each is announced by its path, in a line of its own.
func TestAddingAProvider(t *testing.T) {
	doc, err := os.ReadFile("../docs/adding-a-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?ms)^`([^`]+)`:\n\n```[a-z]*\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1)
	var paths []string
	for _, m := range shown {
		paths = append(paths, m[1])
		file, err := os.ReadFile("../" + m[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(file), m[2]); diff != "" {
			t.Errorf("%s is not as the document shows it (-file +document):\n%s", m[1], diff)
		}
	}
	for _, want := range []string{"provider/groq/groq.go", "provider/groq/groq_test.go", "provider/groq/testdata/groq.txtar"} {
		if !slices.Contains(paths, want) {
			t.Errorf("the document does not show %s", want)
		}
	}
}

// TestDocumentedAddresses tries the table of addresses in docs/adding-a-provider.md.
func TestDocumentedAddresses(t *testing.T) {
	doc, err := os.ReadFile("../docs/adding-a-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `(http[^`]+)` \\| `(http[^`]+)` \\|$").FindAllStringSubmatch(string(doc), -1)
	if len(rows) == 0 {
		t.Fatal("there is no row of the form | kind | base_url | address |")
	}
	kinds := kinds()
	for _, row := range rows {
		p, err := kinds[row[1]].New(provider.Settings{
			Connection: "doc", BaseURL: row[2], Header: http.Header{},
			Credentials: map[string]plenum.Secret{"api_key": plenum.NewSecret("k")},
		})
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		plan, err := p.Plan("model", "generate", false)
		if err != nil || plan.URL != row[3] {
			t.Errorf("%s\ngot %+v %v", row[0], plan, err)
		}
	}
}
