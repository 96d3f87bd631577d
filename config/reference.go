package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Reference returns the documentation of every field, in Markdown. It is made from the tags that the
// parser reads, so that it cannot say anything else than what holds.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Everything that can be written in ` + "`plenum.yaml`" + `. An unknown field is an error that names its line and the
nearest known field; every mistake of a file is told at once. A running Plenum follows the file: a good
change is taken over whole within seconds, or at once on SIGHUP, and a bad one changes nothing and says
why. Calls in flight finish under the configuration that they began with. Fields marked *restart* are
read only at the start.

Every value may take something from the environment or from a file, also as part of a longer text:
` + "`${env:NAME}`, `${file:PATH}`" + ` (a path relative to the configuration's; one line break at the end is left
out). ` + "`$${`" + ` stands for the characters themselves. Files named so are followed too: a secret that is rotated
takes effect without a restart. Inside ` + "`{ }` and `[ ]`" + ` YAML wants such values in quotes.

A duration is written as ` + "`500ms`, `5s`, `2m`" + `, a size as ` + "`512KiB`, `64MiB`, `10MB`" + `, an amount of money as
` + "`3`" + ` or ` + "`0.15`" + ` US dollars, exactly. YAML's anchors (` + "`&name`, `*name`, `<<`" + `) work.

This page is made from the program by ` + "`go test ./config -update`" + `.
`)
	section(&b, reflect.TypeFor[File](), "")
	return b.String()
}

// section writes the table of a struct's fields, and then the sections of the structs in it.
func section(b *strings.Builder, t reflect.Type, path string) {
	title := "The file"
	if path != "" {
		title = "`" + path + "`"
	}
	fmt.Fprintf(b, "\n## %s\n\n| field | type | default | meaning |\n|---|---|---|---|\n", title)
	fs := fieldsOf(t)
	for _, f := range fs {
		name := "`" + f.name + "`"
		if f.rest {
			name = "*any other*"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, typeName(f), defaultName(f), meaning(f))
	}
	for _, f := range fs {
		if inner, suffix := within(f.typ); inner != nil {
			section(b, inner, strings.TrimPrefix(path+"."+f.name+suffix, "."))
		}
	}
}

// within returns the struct that a field holds one or several of, and what its path ends in.
func within(t reflect.Type) (reflect.Type, string) {
	suffix := ""
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		if t.Kind() == reflect.Slice {
			suffix = "[]"
		}
		t = t.Elem()
	}
	if !isStruct(t) {
		return nil, ""
	}
	return t, suffix
}

func meaning(f field) string {
	doc := f.doc
	if f.restart {
		doc += " *Restart.*"
	}
	return strings.ReplaceAll(doc, "|", "\\|")
}

func defaultName(f field) string {
	switch {
	case f.required:
		return "*required*"
	case f.fallback != "":
		return "`" + f.fallback + "`"
	}
	return ""
}

// typeName says in words what is written for a field.
func typeName(f field) string {
	if len(f.enum) > 0 {
		return "`" + strings.Join(f.enum, "`, `") + "`"
	}
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch reflect.Zero(t).Interface().(type) {
	case plenum.Secret:
		return "secret text"
	case time.Duration:
		return "duration"
	case time.Time:
		return "time"
	case plenum.Window:
		return "window"
	case Size:
		return "size"
	case plenum.Rate, plenum.Micros:
		return "US dollars"
	case plenum.Tri:
		return "true or false"
	}
	return kindName(t)
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return "mapping"
	case reflect.Map:
		return "mapping of " + typeName(field{typ: t.Elem()}) + "s"
	case reflect.Slice:
		return "list of " + strings.TrimSuffix(typeName(field{typ: t.Elem()}), "s") + "s"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	return "text"
}

// JSONSchema returns a JSON Schema of the file, for editors. It knows the names, the types and the
// choices; what the parts say of each other only Plenum checks.
func JSONSchema() []byte {
	root := schemaOf(reflect.TypeFor[File](), field{})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "plenum.yaml"
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error())
	}
	return append(out, '\n')
}

// reference is what a number or a truth value may be written as besides itself.
const reference = `\$\{(env|file):`

func schemaOf(t reflect.Type, f field) map[string]any {
	if t.Kind() == reflect.Pointer {
		return schemaOf(t.Elem(), f)
	}
	out := map[string]any{}
	if f.doc != "" {
		out["description"] = f.doc
	}
	switch {
	case isStruct(t):
		return objectSchema(t, out)
	case t.Kind() == reflect.Slice:
		out["type"] = []string{"array", "null"}
		out["items"] = schemaOf(t.Elem(), field{})
	case t.Kind() == reflect.Map:
		out["type"] = []string{"object", "null"}
		out["additionalProperties"] = schemaOf(t.Elem(), field{})
	default:
		scalarSchema(t, f, out)
	}
	return out
}

func objectSchema(t reflect.Type, out map[string]any) map[string]any {
	properties, required, rest := map[string]any{}, []string{}, false
	for _, f := range fieldsOf(t) {
		if f.rest {
			rest = true
			continue
		}
		properties[f.name] = schemaOf(f.typ, f)
		if f.required {
			required = append(required, f.name)
		}
	}
	out["type"] = "object"
	out["properties"] = properties
	out["additionalProperties"] = rest
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func scalarSchema(t reflect.Type, f field, out map[string]any) {
	v := reflect.New(t).Elem()
	var plain map[string]any
	switch {
	case len(f.enum) > 0:
		plain = map[string]any{"enum": f.enum}
	case plainName(v) == "true or false":
		plain = map[string]any{"type": "boolean"}
	case plainName(v) != "":
		plain = map[string]any{"type": "integer"}
	default:
		out["type"] = []string{"string", "number", "boolean"}
		return
	}
	out["anyOf"] = []any{plain, map[string]any{"type": "string", "pattern": reference}}
}
