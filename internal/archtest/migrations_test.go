package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// contracting finds what the release before does not survive.
var contracting = regexp.MustCompile(`(?i)\bDROP\b|\bRENAME\b|\bTRUNCATE\b|\bALTER\s+COLUMN\s+\S+\s+(SET\s+(NOT\s+NULL|DATA)|TYPE)\b`)

// narrows returns the statements of a migration's way up that the release before does not survive.
func narrows(sql string) []string {
	up, _, _ := strings.Cut(sql, "-- +goose Down")
	up = regexp.MustCompile(`--[^\n]*`).ReplaceAllString(up, "")
	var out []string
	for statement := range strings.SplitSeq(up, ";") {
		s := strings.Join(strings.Fields(statement), " ")
		upper := strings.ToUpper(s)
		needs := strings.Contains(upper, "ADD COLUMN") && strings.Contains(upper, "NOT NULL") && !strings.Contains(upper, "DEFAULT")
		if contracting.MatchString(s) || needs {
			out = append(out, s)
		}
	}
	return out
}

func TestMigrationsOnlyExpand(t *testing.T) {
	files, err := filepath.Glob("../../store/*/migrations/*.sql")
	if err != nil || len(files) < 10 {
		t.Fatalf("there are %d migrations, %v", len(files), err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_contract.sql") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range narrows(string(b)) {
			t.Errorf("%s: the release before does not run after %q: expand now, and contract a release later in a file that ends in _contract.sql", path, s)
		}
	}
}

func TestMigrationRuleCatches(t *testing.T) {
	for sql, want := range map[string]int{
		"-- +goose Up\nDROP TABLE a;":                                                            1,
		"-- +goose Up\nALTER TABLE a RENAME COLUMN b TO c;":                                      1,
		"-- +goose Up\nALTER TABLE a ADD COLUMN b TEXT NOT NULL;":                                1,
		"-- +goose Up\nALTER TABLE a\n\tALTER COLUMN b TYPE BIGINT;":                             1,
		"-- +goose Up\nALTER TABLE a ALTER COLUMN b SET NOT NULL;":                               1,
		"-- +goose Up\nALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT '';":                     0,
		"-- +goose Up\nCREATE TABLE a (b TEXT NOT NULL);":                                        0,
		"-- +goose Up\nCREATE TABLE a (b TEXT); -- drop it later\n-- +goose Down\nDROP TABLE a;": 0,
	} {
		if got := narrows(sql); len(got) != want {
			t.Errorf("%q: %v, want %d", sql, got, want)
		}
	}
}
