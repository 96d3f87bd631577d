package scim

import (
	"fmt"
	"net/http"
	"strings"
)

// The names of schemas and messages.
const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	errorURN      = "urn:ietf:params:scim:api:messages:2.0:Error"
	listURN       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	patchURN      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// attribute is one that is kept of users or groups. What a directory sends beside those is passed over.
type attribute struct {
	name     string
	typ      string // string, boolean, reference or complex
	multi    bool
	required bool
	exact    bool // whether case counts when it is compared
	readOnly bool
	unique   bool
	sub      []attribute
}

// kind is users or groups.
type kind struct {
	path, name, urn string
	stored          string // the kind of what is kept
	attributes      []attribute
}

func users() *kind {
	return &kind{path: "Users", name: "User", urn: userURN, stored: storedUsers, attributes: userAttributes()}
}

func groups() *kind {
	return &kind{path: "Groups", name: "Group", urn: groupURN, stored: storedGroups, attributes: []attribute{
		{name: "id", typ: "string", exact: true, readOnly: true, unique: true},
		{name: "externalId", typ: "string", exact: true},
		text("displayName", true),
		{name: "members", typ: "complex", multi: true, sub: []attribute{
			{name: "value", typ: "string", exact: true}, text("display", false), text("type", false), {name: "$ref", typ: "reference", exact: true},
		}},
		meta(),
	}}
}

func text(name string, required bool) attribute {
	return attribute{name: name, typ: "string", required: required}
}

func texts(names ...string) []attribute {
	var out []attribute
	for _, n := range names {
		out = append(out, text(n, false))
	}
	return out
}

// several is a list such as emails, each with a value, what it is for and whether it is the first of them.
func several(name string) attribute {
	return attribute{name: name, typ: "complex", multi: true, sub: append(texts("value", "display", "type"), attribute{name: "primary", typ: "boolean"})}
}

func meta() attribute {
	return attribute{name: "meta", typ: "complex", readOnly: true, sub: texts("resourceType", "created", "lastModified", "location", "version")}
}

// userAttributes are those of users. A password is none of them: people sign in elsewhere, so that one which is sent is
// forgotten.
func userAttributes() []attribute {
	return []attribute{
		{name: "id", typ: "string", exact: true, readOnly: true, unique: true},
		{name: "externalId", typ: "string", exact: true},
		{name: "userName", typ: "string", required: true, unique: true},
		{name: "name", typ: "complex", sub: texts("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")},
		text("displayName", false), text("nickName", false), text("title", false), text("userType", false),
		text("preferredLanguage", false), text("locale", false), text("timezone", false),
		{name: "active", typ: "boolean"},
		several("emails"), several("phoneNumbers"), several("roles"),
		{name: "addresses", typ: "complex", multi: true, sub: append(
			texts("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type"), attribute{name: "primary", typ: "boolean"})},
		{name: "groups", typ: "complex", multi: true, readOnly: true, sub: texts("value", "$ref", "display", "type")},
		{name: enterpriseURN, typ: "complex", sub: append(
			texts("employeeNumber", "costCenter", "organization", "division", "department"),
			attribute{name: "manager", typ: "complex", sub: texts("value", "$ref", "displayName")})},
		meta(),
	}
}

// attributeOf returns the attribute of a name, whose case does not count.
func attributeOf(all []attribute, name string) *attribute {
	for i := range all {
		if strings.EqualFold(all[i].name, name) {
			return &all[i]
		}
	}
	return nil
}

// known returns what is kept of an object that was sent: what nobody knows and what is read only is passed over, and
// names and values are made as the schema has them.
func known(sent map[string]any, all []attribute) (map[string]any, error) {
	out := map[string]any{}
	for name, v := range sent {
		a := attributeOf(all, name)
		if a == nil || a.readOnly || v == nil {
			continue
		}
		fit, err := a.fit(v)
		if err != nil {
			return nil, err
		}
		if fit != nil {
			out[a.name] = fit
		}
	}
	return out, nil
}

// fit makes a value as the attribute has it; nil where nothing is left of it.
func (a *attribute) fit(v any) (any, error) {
	if !a.multi {
		return a.fitOne(v)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []any
	for _, one := range list {
		fit, err := a.fitOne(one)
		if err != nil {
			return nil, err
		}
		if fit != nil {
			out = append(out, fit)
		}
	}
	if out == nil {
		return nil, nil
	}
	return out, nil
}

// fitOne makes one value so. Directories send true as a text, and a manager or a role as a text as well.
func (a *attribute) fitOne(v any) (any, error) {
	switch one := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if a.typ != "complex" {
			break
		}
		fit, err := known(one, a.sub)
		if len(fit) == 0 {
			return nil, err
		}
		return fit, err
	case bool:
		if a.typ == "boolean" {
			return one, nil
		}
	case float64:
		if a.typ == "string" {
			return fmt.Sprint(one), nil
		}
	case string:
		switch {
		case a.typ == "complex" && attributeOf(a.sub, "value") != nil:
			return map[string]any{"value": one}, nil
		case a.typ == "boolean" && strings.EqualFold(one, "true"):
			return true, nil
		case a.typ == "boolean" && strings.EqualFold(one, "false"):
			return false, nil
		case a.typ == "string" || a.typ == "reference":
			return one, nil
		}
	}
	return nil, fail(http.StatusBadRequest, "invalidValue", "%s is not what the schema says it is: %s", a.name, a.typ)
}

// document describes an attribute, as RFC 7643 section 7 has it.
func (a *attribute) document() map[string]any {
	mutability, uniqueness := "readWrite", "none"
	if a.readOnly {
		mutability = "readOnly"
	}
	if a.unique {
		uniqueness = "server"
	}
	out := map[string]any{
		"name": a.name, "type": a.typ, "multiValued": a.multi, "description": a.name, "required": a.required, "caseExact": a.exact,
		"mutability": mutability, "returned": "default", "uniqueness": uniqueness,
	}
	if a.typ == "reference" {
		out["referenceTypes"] = []string{"User", "Group"}
	}
	if len(a.sub) > 0 {
		out["subAttributes"] = documents(a.sub)
	}
	return out
}

func documents(all []attribute) []any {
	out := []any{}
	for i := range all {
		if a := &all[i]; a.name != "id" && a.name != "externalId" && a.name != "meta" && !strings.HasPrefix(a.name, "urn:") {
			out = append(out, a.document())
		}
	}
	return out
}
