package main

import (
	"regexp"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

var (
	versions = regexp.MustCompile(`-v\d+$|-v?\d+:\d+$`)
	regions  = regexp.MustCompile(`^(us|us-gov|eu|apac|au|jp|ca|global)\.`)
)

// homeID returns what the maker of a model calls it, where a cloud charges what the maker does.
func homeID(p table.Place, id string) string {
	switch p.Name {
	case "vertex":
		id, _, _ = strings.Cut(id, "@")
		return strings.TrimPrefix(id, "xai/")
	case "bedrock":
		id, global := strings.CutPrefix(id, "global.anthropic.")
		if !global {
			return ""
		}
		return versions.ReplaceAllString(id, "")
	}
	return id
}

// cloudModel names the model that an id at a cloud stands for, if it is known.
func cloudModel(t *tables, p table.Place, id string) string {
	if p.Name == "vertex" {
		id, _, _ = strings.Cut(id, "@")
		id = strings.TrimSuffix(id, "-maas")
	} else {
		id = regions.ReplaceAllString(id, "")
		id = strings.Replace(versions.ReplaceAllString(id, ""), ".", "/", 1)
	}
	publisher, name, ok := strings.Cut(id, "/")
	if !ok {
		return named(t, id)
	}
	if m := publisherName(publisher) + "/" + name; t.devModels[m].Name != "" {
		return m
	}
	if m := undated(t, publisherName(publisher)+"/"+name); t.devModels[m].Name != "" {
		return m
	}
	return named(t, name)
}
