package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/plenum-foundry/plenum/internal/near"
	"github.com/plenum-foundry/plenum/llm"
)

// plainly says what the validator says in other words, and which word of the text it is about.
func plainly(message string) (said, word string) {
	word = ""
	if m := regexp.MustCompile("`([^`]*)`").FindStringSubmatch(message); m != nil {
		word = m[1]
	}
	switch {
	case strings.HasPrefix(message, "unable to find an applicable action"):
		return nothingApplies, ""
	case strings.HasPrefix(message, "unable to guarantee safety of access to optional attribute"):
		of := "resource"
		if strings.Contains(message, " in context ") {
			of = "context"
		}
		return of + "." + word + " is not always there: ask before, as in " + of + " has " + word + " && " + of + "." + word + " ...", word
	case strings.HasPrefix(message, "attribute ") && strings.Contains(message, "not found"):
		return unknownAttribute(message, word), word
	case strings.HasPrefix(message, "unrecognized entity type"):
		return "there is no " + word + " here" + near.Suggest(word, kinds()) + " (" + strings.Join(kinds(), ", ") + ")", word
	case strings.HasPrefix(message, "unrecognized action"):
		id := strings.TrimSuffix(strings.TrimPrefix(word, `Action::"`), `"`)
		return "there is no action " + id + near.Suggest(id, actions()) + " (" + strings.Join(actions(), ", ") + ")", `"` + id + `"`
	}
	return message, word
}

// unknownAttribute says of which thing an attribute is none.
func unknownAttribute(message, name string) string {
	at := regexp.MustCompile("on entity type `(\\w+)`").FindStringSubmatch(message)
	switch {
	case at == nil:
		return "context has no " + name + near.Suggest(name, attributes("type Circumstances"))
	case at[1] == "Kept" && slices.Contains(attributes("entity Offer"), name):
		return "what callers keep (action own) has no " + name + ": ask for an offer, as in (principal, action, resource is Offer)"
	}
	return at[1] + " has no " + name + near.Suggest(name, attributes("entity "+at[1]))
}

// attributes returns the names in a block of the schema.
func attributes(head string) []string {
	_, block, _ := strings.Cut(schemaText, head+" ")
	block, _, _ = strings.Cut(block, "};")
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+)\??:`).FindAllStringSubmatch(block, -1) {
		out = append(out, m[1])
	}
	return out
}

// kinds returns the names of the entities.
func kinds() []string { return named(`(?m)^entity (\w+)`) }

// actions returns the names of the actions.
func actions() []string { return named(`(?m)^action (\w+)`) }

func named(expression string) []string {
	var out []string
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(schemaText, -1) {
		out = append(out, m[1])
	}
	return out
}

// closed returns the values that an attribute may have, where they are a few; nil where anything may stand there.
func closed(at place) []string {
	switch at {
	case place{"context", "operation"}:
		return Operations()
	case place{"context", "weekday"}:
		return []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	case place{"resource", "lifecycle"}:
		return []string{"preview", "ga", "legacy", "deprecated", "retired", "unknown"}
	case place{"resource", "capabilities"}:
		return []string{"tools", "images", "documents", "audio", "schema", "thinking", "streaming", "logprobs"}
	case place{"resource", "kind"}:
		return []string{"file", "batch", "answer", "session", "secret", "key"}
	}
	return nil
}

// Operations are the operations that are decided on.
func Operations() []string {
	ops := llm.Operations()
	out := make([]string, len(ops))
	for i, op := range ops {
		out[i] = string(op)
	}
	return out
}

// unquoted is a value as people say it.
func unquoted(v types.Value) string {
	if s, ok := v.(types.String); ok {
		return string(s)
	}
	return v.String()
}
