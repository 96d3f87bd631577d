package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/config"
)

func TestTheReferenceSaysWhatHolds(t *testing.T) {
	page := filepath.Join("..", "docs", "configuration.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(page, []byte(config.Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Reference(), string(got)); diff != "" {
		t.Errorf("docs/configuration.md is old; run go test ./config -update: %s", diff)
	}
}

func TestTheSchemaKnowsEveryField(t *testing.T) {
	var schema struct {
		AdditionalProperties bool
		Properties           map[string]struct {
			Items struct {
				Required             []string
				AdditionalProperties bool
			}
		}
	}
	if err := json.Unmarshal(config.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.AdditionalProperties || len(schema.Properties) < 15 {
		t.Errorf("schema is %+v", schema)
	}
	if diff := cmp.Diff([]string{"name", "provider"}, schema.Properties["connections"].Items.Required); diff != "" {
		t.Error(diff)
	}
	if !schema.Properties["connections"].Items.AdditionalProperties {
		t.Error("a connection takes no settings of its provider")
	}
}
