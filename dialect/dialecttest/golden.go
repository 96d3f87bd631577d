package dialecttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Other is a dialect that fixtures are said in as well.
type Other struct {
	Name  string
	Codec dialect.Codec
}

// Golden reads the fixtures of a dialect, one file each: what they are (about), request.json and
// response.sse. It derives what the stream means (events.golden), and how request and stream are said in
// other dialects (NAME/request.golden, NAME/response.golden), and compares that with what the file holds. With PLENUM_UPDATE set it rewrites the
// goldens instead.
func Golden(t *testing.T, c dialect.Codec, dir string, others ...Other) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s, %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			derived := derive(t, c, a, others)
			if os.Getenv("PLENUM_UPDATE") != "" {
				rewrite(t, file, a, derived)
				return
			}
			for _, f := range derived {
				if d := cmp.Diff(section(a, f.Name), string(f.Data)); d != "" {
					t.Errorf("%s (PLENUM_UPDATE=1 go test rewrites it): %s", f.Name, d)
				}
			}
		})
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func derive(t *testing.T, c dialect.Codec, a *txtar.Archive, others []Other) []txtar.File {
	t.Helper()
	if about := section(a, "about"); !strings.Contains(about, "recorded") && !strings.Contains(about, "from-spec") {
		t.Error("about does not say whether this is recorded or from-spec")
	}
	in := dialect.Inbound{Body: []byte(section(a, "request.json"))}
	p, err := c.DecodeRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	again, losses, err := c.EncodeRequest(p, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Errorf("said again: losses %v, %v", losses, err)
	}
	if d := SameJSON(in.Body, again.Body); d != "" {
		t.Errorf("said again: %s", d)
	}
	stream := Decode(c, Frames([]byte(section(a, "response.sse"))), dialect.Want{})
	if s := Grammar(stream.Events, stream.Fault() != nil); s != "" {
		t.Error(s)
	}
	out := []txtar.File{file("events.golden", printed(stream))}
	for _, o := range others {
		out = append(out, across(t, o, p, stream)...)
	}
	return out
}

func file(name, text string) txtar.File { return txtar.File{Name: name, Data: []byte(text)} }

func printed(s Said) string {
	var b strings.Builder
	for _, ev := range s.Events {
		line := strings.TrimPrefix(fmt.Sprintf("%#v", ev), "llm.")
		if f, ok := ev.(llm.Fault); ok {
			line = fmt.Sprintf("Fault{%v}", f.Err)
		}
		b.WriteString(line + "\n")
	}
	if s.Err != nil {
		fmt.Fprintf(&b, "error: %v\n", s.Err)
	}
	return b.String()
}

func across(t *testing.T, o Other, p llm.Payload, stream Said) []txtar.File {
	t.Helper()
	out, losses, err := o.Codec.EncodeRequest(p, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	e := o.Codec.NewEncoder(p, dialect.Meta{CallID: "call", Now: 1})
	said, err := Encode(e, stream.Events, stream.Fault())
	if err != nil {
		t.Fatal(err)
	}
	return []txtar.File{
		file(o.Name+"/request.golden", string(out.Body)+"\n"+named(losses)),
		file(o.Name+"/response.golden", string(said)+named(e.Losses())),
	}
}

func named(losses []dialect.Loss) string {
	var b strings.Builder
	for _, l := range losses {
		b.WriteString("lost: " + l.String() + "\n")
	}
	return b.String()
}

func rewrite(t *testing.T, name string, a *txtar.Archive, derived []txtar.File) {
	t.Helper()
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if !strings.HasSuffix(f.Name, ".golden") {
			out.Files = append(out.Files, f)
		}
	}
	out.Files = append(out.Files, derived...)
	if err := os.WriteFile(name, txtar.Format(out), 0o644); err != nil {
		t.Fatal(err)
	}
}
