package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/config"
	"github.com/rogpeppe/go-internal/txtar"
)

// update makes the tests write their expectations anew.
var update = flag.Bool("update", false, "write the expected texts and the reference anew")

func TestEveryMistakeIsToldWithItsPlace(t *testing.T) {
	const path = "testdata/bad.txtar"
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		name, isInput := strings.CutSuffix(f.Name, ".yaml")
		if !isInput {
			continue
		}
		got := complaints(f.Name, f.Data)
		out.Files = append(out.Files, f, txtar.File{Name: name + ".want", Data: []byte(got)})
		if *update {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want[name+".want"], got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("an error repeats a secret")
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// complaints returns everything that is said of a text.
func complaints(name string, data []byte) string {
	f, parseErr := config.Parse(name, data, environment())
	_, err := config.Compile(f, options())
	if err == nil {
		return fmt.Sprintf("nothing, and Parse says %v\n", parseErr)
	}
	return err.Error() + "\n"
}

func FuzzParse(f *testing.F) {
	a, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		f.Add(file.Data)
	}
	f.Add([]byte(whole))
	f.Add([]byte("a: &a [*a, *a]\nb: &b {<<: [*b, *b]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, parseErr := config.Parse("fuzz.yaml", data, environment())
		s, err := config.Compile(file, options())
		if parseErr != nil && (err == nil || err.Error() == "") {
			t.Errorf("Parse says %v and Compile %v", parseErr, err)
		}
		if err == nil {
			for _, d := range s.Callable() {
				if got, ok := s.Deployment(d.Name); !ok || got != d {
					t.Errorf("%q does not lead to its deployment", d.Name)
				}
			}
		}
	})
}
