package scim

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// mostOperations bounds a patch.
const mostOperations = 10_000

// patched applies a patch (RFC 7644 section 3.5.2) to a resource. It takes what Entra ID and Okta send: operations with a
// capital letter, truth as a text, paths as names of members, and what is to be removed as a value.
func patched(resource, body map[string]any, all []attribute) error {
	list, ok := member(body, "Operations").([]any)
	if !ok || len(list) == 0 || len(list) > mostOperations {
		return fail(http.StatusBadRequest, "invalidSyntax", "a patch has Operations, a list of 1 to %d", mostOperations)
	}
	for _, one := range list {
		o, _ := one.(map[string]any)
		op, _ := member(o, "op").(string)
		at, _ := member(o, "path").(string)
		op = strings.ToLower(op)
		if op != "add" && op != "replace" && op != "remove" {
			return fail(http.StatusBadRequest, "invalidSyntax", "op is add, replace or remove")
		}
		if err := apply(resource, op, at, member(o, "value"), all); err != nil {
			return err
		}
	}
	return nil
}

// member returns a member of an object, whatever the case of its name.
func member(o map[string]any, name string) any {
	if v, ok := o[name]; ok {
		return v
	}
	for n, v := range o {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return nil
}

func apply(resource map[string]any, op, at string, value any, all []attribute) error {
	if at != "" {
		p, err := readPath(at, all)
		if err != nil {
			return err
		}
		return change(resource, op, &p, value, all)
	}
	if op == "remove" {
		return fail(http.StatusBadRequest, "noTarget", "what is removed needs a path")
	}
	o, ok := value.(map[string]any)
	if !ok {
		return fail(http.StatusBadRequest, "invalidValue", "without a path, value is an object")
	}
	for name, v := range o { // each name is a path
		p, err := readPath(name, all)
		if err != nil {
			continue // what nobody knows is passed over, as in a resource that is sent whole
		}
		if a := attributeOf(all, p.attr); a != nil && a.readOnly && p.extension == "" {
			continue
		}
		if err := change(resource, op, &p, v, all); err != nil {
			return err
		}
	}
	return nil
}

// change changes what stands at a path.
func change(o map[string]any, op string, p *path, value any, all []attribute) error {
	if p.extension != "" {
		a := attributeOf(all, p.extension)
		if p.attr == "" {
			return a.change(o, op, value)
		}
		part, _ := o[a.name].(map[string]any)
		if part == nil {
			part = map[string]any{}
		}
		rest := *p
		rest.extension = ""
		if err := change(part, op, &rest, value, a.sub); err != nil {
			return err
		}
		if o[a.name] = part; len(part) == 0 {
			delete(o, a.name)
		}
		return nil
	}
	a := attributeOf(all, p.attr)
	switch {
	case a.readOnly:
		return fail(http.StatusBadRequest, "mutability", "%s cannot be changed", a.name)
	case p.filter != nil:
		return a.changeSome(o, op, p, value)
	case p.sub != "" && a.multi:
		p.filter = anyOne{}
		return a.changeSome(o, op, p, value)
	case p.sub != "":
		part, _ := o[a.name].(map[string]any)
		if part == nil {
			part = map[string]any{}
		}
		if err := attributeOf(a.sub, p.sub).change(part, op, value); err != nil {
			return err
		}
		if o[a.name] = part; len(part) == 0 {
			delete(o, a.name)
		}
		return nil
	}
	return a.change(o, op, value)
}

// anyOne is a filter that all fit.
type anyOne struct{}

func (anyOne) fits(map[string]any, []attribute) bool { return true }

// change changes a whole attribute.
func (a *attribute) change(o map[string]any, op string, value any) error {
	fit, err := a.fit(value)
	if err != nil {
		return err
	}
	if op == "remove" && (!a.multi || fit == nil) || fit == nil && op == "replace" {
		delete(o, a.name)
		return nil
	}
	if fit == nil {
		return nil
	}
	had, _ := o[a.name].([]any)
	switch {
	case op == "remove":
		o[a.name] = slices.DeleteFunc(slices.Clone(had), func(v any) bool { return slices.ContainsFunc(fit.([]any), func(w any) bool { return same(v, w) }) })
		if len(o[a.name].([]any)) == 0 {
			delete(o, a.name)
		}
	case a.multi && op == "add":
		o[a.name] = joined(had, fit.([]any))
	case a.typ == "complex" && !a.multi: // what is not named stays
		into, _ := o[a.name].(map[string]any)
		if into == nil {
			into = map[string]any{}
		}
		for n, v := range fit.(map[string]any) {
			into[n] = v
		}
		o[a.name] = into
	default:
		o[a.name] = fit
	}
	return nil
}

// same reports whether two members of a list are one: whether they have the same value.
func same(v, w any) bool {
	a, ok := v.(map[string]any)
	b, too := w.(map[string]any)
	if !ok || !too || a["value"] == nil || b["value"] == nil {
		return reflect.DeepEqual(v, w)
	}
	return a["value"] == b["value"] && (b["type"] == nil || a["type"] == nil || a["type"] == b["type"])
}

// joined adds members to a list. One that is there already takes the place of itself, and at most one is the first.
func joined(had, more []any) []any {
	out := slices.Clone(had)
	at := make(map[any]int, len(had)) // by value: groups have thousands
	for i, v := range out {
		if m, ok := v.(map[string]any); ok && m["value"] != nil {
			at[m["value"]] = i
		}
	}
	for _, v := range more {
		m, ok := v.(map[string]any)
		if ok && m["primary"] == true {
			unset(out)
		}
		if ok && m["value"] != nil {
			if i, there := at[m["value"]]; there && same(out[i], v) {
				out[i] = v
				continue
			}
			at[m["value"]] = len(out)
		}
		out = append(out, v)
	}
	return out
}

// unset has none of a list be the first of it.
func unset(list []any) {
	for _, v := range list {
		if m, ok := v.(map[string]any); ok && m["primary"] == true {
			delete(m, "primary")
		}
	}
}

// changeSome changes those members of a list that a filter means.
func (a *attribute) changeSome(o map[string]any, op string, p *path, value any) error {
	had, _ := o[a.name].([]any)
	out, found := []any{}, false
	for _, v := range had {
		m, _ := v.(map[string]any)
		if m == nil || !p.filter.fits(m, a.sub) {
			out = append(out, v)
			continue
		}
		found = true
		if op == "remove" && p.sub == "" {
			continue
		}
		if err := a.changeMember(m, op, p.sub, value); err != nil {
			return err
		}
		out = append(out, m)
	}
	if !found && op != "remove" {
		m, err := a.meant(p, op, value)
		if err != nil {
			return err
		}
		out = append(out, m)
	}
	if o[a.name] = out; len(out) == 0 {
		delete(o, a.name)
	}
	return nil
}

// changeMember changes a member of a list, or a part of it.
func (a *attribute) changeMember(m map[string]any, op, sub string, value any) error {
	if sub != "" {
		return attributeOf(a.sub, sub).change(m, op, value)
	}
	fit, err := a.fitOne(value)
	more, _ := fit.(map[string]any)
	for n, v := range more {
		m[n] = v
	}
	return err
}

// meant makes the member of a list that a filter means and that is not there: directories set the value of
// emails[type eq "work"] of somebody who has none.
func (a *attribute) meant(p *path, op string, value any) (map[string]any, error) {
	m := map[string]any{}
	if !equals(p.filter, m, a.sub) {
		return nil, fail(http.StatusBadRequest, "noTarget", "nothing in %s fits the path", a.name)
	}
	return m, a.changeMember(m, op, p.sub, value)
}

// equals sets what a filter asks to be equal; false where it asks for anything else.
func equals(f filter, m map[string]any, all []attribute) bool {
	switch f := f.(type) {
	case anyOne:
		return true
	case both:
		return equals(f.a, m, all) && equals(f.b, m, all)
	case compare:
		a := attributeOf(all, f.at.attr)
		if f.op != "eq" || a == nil {
			return false
		}
		v, err := a.fitOne(f.value)
		m[a.name] = v
		return err == nil && v != nil
	}
	return false
}
