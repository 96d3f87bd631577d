package app

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
)

const plainText = `
connections:
  - {name: far, provider: openai-compatible, base_url: "http://models.example.com/v1", credentials: {api_key: sk-of-a-test}}
  - {name: near, provider: openai-compatible, base_url: "http://127.0.0.1:1/v1"}
deployments: [{name: m, targets: [{connection: near}]}]
`

func TestAnUnwiseConnectionIsToldOnceInTheLog(t *testing.T) {
	parse := func(yaml string) *config.File {
		f, err := config.Parse("test.yaml", []byte("data_dir: "+t.TempDir()+"\n"+yaml), config.Env{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var log strings.Builder
	f := parse(plainText)
	n, err := Open(t.Context(), Parts{Dialects: all.Dialects(), Providers: all.Providers()}, f, slog.New(slog.NewTextHandler(&log, nil)), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	takeOver := func(f *config.File) string {
		t.Helper()
		log.Reset()
		s, err := n.build(f)
		if err != nil {
			t.Fatal(err)
		}
		n.current.Store(s)
		n.reloaded(config.Reload{New: s})
		return log.String()
	}
	got := takeOver(f)
	if strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "the connection far goes over plain http") || strings.Contains(got, "sk-of-a-test") {
		t.Errorf("the log says:\n%s", got)
	}
	if got := takeOver(parse(plainText)); strings.Contains(got, "level=WARN") {
		t.Errorf("it is said again: %s", got)
	}
	if got := takeOver(parse(strings.Replace(plainText, "http://models", "https://models", 1))); strings.Contains(got, "level=WARN") {
		t.Errorf("it is said of what is well: %s", got)
	}
	if got := takeOver(f); strings.Count(got, "level=WARN") != 1 {
		t.Errorf("what is unwise anew is not told: %s", got)
	}
}

func TestDoctorTellsOfAnUnwiseConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plenum.yaml")
	if err := os.WriteFile(path, []byte(plainText), 0o600); err != nil {
		t.Fatal(err)
	}
	d := healthy()
	d.place.config = path
	s, _, _ := d.configuration()
	for _, f := range s.findings {
		if f.verdict == warn && strings.Contains(f.says, "the connection far goes over plain http") {
			return
		}
	}
	t.Errorf("nothing is said of it: %+v", s.findings)
}
