package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// layer is a row of the diagram: packages, and which others of the project they may import.
type layer struct {
	level    string
	packages []string
	imports  []string
}

// The packages that several rows may import.
var (
	// meaning is L0: the nouns and the vocabulary, and the plumbing that knows nothing of them.
	meaning = []string{".", "llm", "internal/..."}
	// seams are the packages of L1 that the layers above know. Which dialects, providers and engines
	// there are only all/ knows.
	seams = []string{"dialect", "provider", "identity", "policy", "budget", "router", "guard", "answer", "engine", "catalog", "ledger", "config", "metric", "structured", "stray", "redact"}
)

// diagram is the house: imports point down only, and siblings do not know each other. A package that
// is on no row is a violation, so that whoever adds one says where it stands.
var diagram = []layer{
	{"L0", []string{"llm"}, nil},
	{"L0", []string{"."}, []string{"llm"}},
	{"L0", []string{"internal/..."}, []string{"internal/..."}},
	// Reading a member and saying what is wrong with it needs the vocabulary: the one plumbing that knows it.
	{"L0", []string{"internal/wire"}, []string{"llm", "internal/..."}},

	{"L1", []string{"dialect"}, meaning},
	{"L1", []string{"dialect/..."}, with(meaning, "dialect")},
	// Two APIs of one vendor.
	{"L1", []string{"dialect/openai", "dialect/responses"}, with(meaning, "dialect", "dialect/openai/platform")},
	// A shell around the languages of others: what it carries is said by them.
	{"L1", []string{"dialect/invoke"}, with(meaning, "dialect", "dialect/anthropic", "dialect/cohere", "dialect/converse", "dialect/openai")},
	{"L1", []string{"provider"}, with(meaning, "dialect")},
	{"L1", []string{"provider/..."}, with(meaning, "dialect/...", "provider")},
	{"L1", []string{"identity", "policy", "budget", "router", "answer", "ledger", "config", "metric", "structured", "stray", "vault", "redact"}, meaning},
	{"L1", []string{"budget/..."}, with(meaning, "budget")},
	{"L1", []string{"ledger/..."}, with(meaning, "ledger/...")},
	{"L1", []string{"vault/..."}, with(meaning, "vault")},
	{"L1", []string{"guard"}, meaning},
	{"L1", []string{"guard/..."}, with(meaning, "guard")},
	{"L1", []string{"engine"}, meaning},
	{"L1", []string{"engine/process"}, meaning},
	{"L1", []string{"engine/wheel"}, with(meaning, "engine/process")},
	{"L1", []string{"engine/..."}, with(meaning, "engine", "engine/process", "engine/wheel")},
	{"L1", []string{"catalog/..."}, with(meaning, "catalog/internal/...")},

	{"L2", []string{"gateway"}, with(meaning, seams...)},
	{"L2", []string{"store"}, with(meaning, "ledger", "identity", "config", "catalog")},
	{"L2", []string{"store/..."}, with(meaning, "ledger", "identity", "config", "catalog", "store", "vault")},

	{"L3", []string{"stage/..."}, with(with(meaning, seams...), "gateway")},

	{"L4", []string{"file", "history", "transcript", "alert"}, with(with(meaning, seams...), "gateway", "store")},
	// What makes calls of its own may keep what comes of them as files.
	{"L4", []string{"eval", "batch", "probe"}, with(with(meaning, seams...), "gateway", "store", "file")},
	// Published models are tried as any model is probed; the management API is how publishers reach the desk.
	{"L4", []string{"desk"}, with(with(meaning, seams...), "gateway", "store", "probe")},
	{"L4", []string{"admin"}, with(with(meaning, seams...), "gateway", "store", "file", "desk", "probe", "report", "transcript")},
	// What was used is told from what the store keeps; a vendor's file needs nothing but its own words.
	{"L4", []string{"report"}, with(with(meaning, seams...), "store")},
	{"L4", []string{"reconcile"}, meaning},
	{"L4", []string{"migrate"}, with(meaning, "config")},
	{"L4", []string{"scim"}, with(meaning, "store")},
	{"L4", []string{"signin"}, with(meaning, "config", "store")},
	{"L4", []string{"console"}, meaning},

	{"L5", []string{"app/..."}, meaning},
	{"L5", []string{"app"}, with(with(meaning, seams...), "gateway", "store/...", "stage/...", "admin", "console", "eval", "batch", "probe", "desk", "file", "history", "transcript", "alert", "report", "reconcile", "migrate", "signin", "scim", "app/...", "engine/wheel", "budget/valkey", "ledger/...", "vault")},
	{"L5", []string{"all"}, with(meaning, "dialect/...", "provider/...", "engine/...", "guard/...", "vault/...")},

	{"L6", []string{"cmd/..."}, []string{"all", "app"}},

	// Programs and helpers that try the product. Nothing of it imports them.
	{"beside", []string{"bench/...", "test/...", "llm/trial"}, with(with(meaning, seams...), "test/sides", "gateway", "report", "store/...", "stage/...", "app", "all", "dialect/...", "provider/...")},
}

func with(base []string, more ...string) []string { return append(slices.Clone(base), more...) }

// place returns the row of a directory: the one that names it most closely.
func place(dir string) *layer {
	var best *layer
	longest := -1
	for i := range diagram {
		for _, p := range diagram[i].packages {
			if within(dir, p) && len(p) > longest && (p != "." || dir == ".") {
				best, longest = &diagram[i], len(p)
			}
			if dir == p {
				return &diagram[i]
			}
		}
	}
	return best
}

// layers finds imports that the diagram does not have. Tests may import anything.
func layers(t *tree) (violations []string) {
	for _, p := range t.packages {
		if len(p.code()) == 0 {
			continue
		}
		row := place(p.dir)
		if row == nil {
			violations = append(violations, fmt.Sprintf("%s is not in the diagram (internal/archtest/layers_test.go): say on which layer it stands", p.dir))
			continue
		}
		for _, s := range p.code() {
			for _, imp := range s.imports {
				if dir, ok := own(imp); ok && dir != p.dir && !withinAny(dir, row.imports) {
					violations = append(violations, fmt.Sprintf("%s imports %s: %s (%s) may import %s", s.path, dir, p.dir, row.level, strings.Join(row.imports, ", ")))
				}
			}
		}
	}
	return violations
}

// foreign says which packages from outside only some may import.
var foreign = []struct {
	prefix string
	only   []string
	why    string
}{
	{"database/sql", []string{"store/..."}, "nothing on a call's path touches a database"},
	{"modernc.org/sqlite", []string{"store/sqlite"}, "the store hides which database it is"},
	{"github.com/jackc/pgx", []string{"store/postgres", "migrate"}, "the store hides which database it is"},
	{"github.com/pressly/goose", []string{"store/..."}, "migrations are the store's"},
	{"github.com/spf13/cobra", []string{"app/..."}, "the command line is in app"},
	{"github.com/cedar-policy", []string{"policy"}, "package policy hides the language that policies are written in"},
	{"github.com/prometheus", []string{"metric"}, "metric hides who counts"},
	{"go.yaml.in/yaml", []string{"config"}, "only the configuration is YAML"},
}

// outside finds imports of foreign packages by those that have no business with them, and any at all in
// L0, which is the standard library's alone.
func outside(t *tree) (violations []string) {
	for _, p := range t.packages {
		if row := place(p.dir); row == nil || row.level == "beside" {
			continue
		}
		for _, s := range p.code() {
			for name, imp := range s.imports {
				if _, ok := own(imp); ok {
					if name == "_" {
						violations = append(violations, fmt.Sprintf("%s imports %s for its side effects: there is nothing that registers itself", s.path, imp))
					}
					continue
				}
				if dotted := strings.Contains(strings.Split(imp, "/")[0], "."); dotted && (p.dir == "." || p.dir == "llm") {
					violations = append(violations, fmt.Sprintf("%s imports %s: %s is for the standard library alone", s.path, imp, p.dir))
				}
				for _, f := range foreign {
					if strings.HasPrefix(imp, f.prefix) && !withinAny(p.dir, f.only) {
						violations = append(violations, fmt.Sprintf("%s imports %s: %s (only %s)", s.path, imp, f.why, strings.Join(f.only, ", ")))
					}
				}
			}
		}
	}
	return violations
}

func TestImportsPointDown(t *testing.T) { holds(t, layers(house(t))) }

func TestLayersCatch(t *testing.T) {
	imports := func(name string, dirs ...string) string {
		text := "package " + name + "\n"
		for _, d := range dirs {
			text += "import _ \"" + module + "/" + d + "\"\n"
		}
		return text
	}
	catches(t, layers(planted(t, map[string]string{
		"llm/a.go":                imports("llm", "dialect"),
		"config/a.go":             imports("config", "llm", "ledger"),
		"config/a_test.go":        imports("config", "app"),
		"provider/groq/a.go":      imports("groq", "provider", "dialect/openai"),
		"provider/xai/a.go":       imports("xai", "provider/groq"),
		"gateway/a.go":            imports("gateway", "dialect", "dialect/openai"),
		"stage/limit/a.go":        imports("limit", "gateway", "store"),
		"stage/meter/a.go":        imports("meter", "stage/limit"),
		"internal/clock/a.go":     imports("clock", "llm"),
		"engine/wheel/a.go":       imports("wheel", "engine/process"),
		"engine/ollama/a.go":      imports("ollama", "engine", "engine/wheel"),
		"cmd/plenum/main.go":      imports("main", "app", "all"),
		"app/a.go":                imports("app", "all", "stage/limit", "store/sqlite"),
		"thing/a.go":              imports("thing"),
		"catalog/gen/main.go":     imports("main", "catalog/internal/record", "catalog/internal/table"),
		"dialect/anthropic/a.go":  imports("anthropic", "dialect/openai", "internal/frame"),
		"store/storetest/test.go": imports("storetest", "store", "ledger"),
		"test/kill/kill.go":       imports("kill", "app"),
	})),
		"llm/a.go imports dialect", "config/a.go imports ledger", "provider/xai/a.go imports provider/groq",
		"gateway/a.go imports dialect/openai", "stage/limit/a.go imports store", "stage/meter/a.go imports stage/limit",
		"internal/clock/a.go imports llm", "app/a.go imports all", "thing is not in the diagram",
		"dialect/anthropic/a.go imports dialect/openai",
	)
}

func TestForeignImportsStayWhereTheyBelong(t *testing.T) { holds(t, outside(house(t))) }

func TestOutsideCatches(t *testing.T) {
	catches(t, outside(planted(t, map[string]string{
		"llm/a.go":            "package llm\nimport _ \"github.com/google/uuid\"\nimport _ \"net/http\"\n",
		"gateway/a.go":        "package gateway\nimport \"database/sql\"\n",
		"store/sqlite/a.go":   "package sqlite\nimport _ \"modernc.org/sqlite\"\nimport \"database/sql\"\n",
		"store/postgres/a.go": "package postgres\nimport _ \"modernc.org/sqlite\"\n",
		"all/a.go":            "package all\nimport _ \"" + module + "/provider/groq\"\n",
	})), "llm is for the standard library alone", "nothing on a call's path", "store/postgres/a.go imports modernc.org/sqlite", "all/a.go imports "+module+"/provider/groq for its side effects")
}
