package storetest

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Halfway is a folder of migrations, the last of which ends in the middle.
type Halfway struct {
	Name  string // of the last one, and where it ends
	Whole fs.FS  // those before it; nil where there are none
	Cut   fs.FS  // and with it
}

// CutOff returns every way in which doing migrations ends in the middle of one: after the first of its statements, and after the last,
// where all is done but nothing kept. End is the statement at which it ends.
func CutOff(t *testing.T, migrations fs.FS, end string) []Halfway {
	t.Helper()
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) < 5 {
		t.Fatalf("there are %d migrations, %v", len(names), err)
	}
	slices.Sort(names)
	var out []Halfway
	before := fstest.MapFS{}
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		var whole fs.FS
		if len(before) > 0 {
			whole = maps.Clone(before)
		}
		up, down, _ := strings.Cut(string(text), "-- +goose Down")
		ends := ";\n"
		if i := strings.Index(up, "StatementBegin"); i >= 0 && i < strings.Index(up, ends) {
			ends = "-- +goose StatementEnd\n"
		}
		first := strings.Index(up, ends) + len(ends)
		if first < len(ends) {
			t.Fatalf("%s has no first statement", name)
		}
		for at, cut := range map[string]string{"after its first statement": up[:first] + end + ";\n" + up[first:], "at its end": up + end + ";\n"} {
			part := fstest.MapFS{name: {Data: []byte(cut + "\n-- +goose Down" + down)}}
			maps.Copy(part, before)
			out = append(out, Halfway{Name: strings.TrimPrefix(name, "migrations/") + " " + at, Whole: whole, Cut: part})
		}
		before[name] = &fstest.MapFile{Data: text}
	}
	return out
}
