package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check reads JSON as strictly as a vendor does, and remembers the first thing that is wrong. After that
// every reading gives zero values, so that whoever reads need not look at each.
type check struct{ wrong *refusal }

func (c *check) fail(form string, args ...any) {
	if c.wrong == nil {
		c.wrong = &refusal{400, fmt.Sprintf(form, args...)}
	}
}

// object is a JSON object whose members are taken one by one; what is left over was not known.
type object struct {
	c    *check
	path string
	m    map[string]json.RawMessage
}

func (c *check) object(path string, raw json.RawMessage) *object {
	o := &object{c: c, path: path}
	if err := json.Unmarshal(raw, &o.m); err != nil || o.m == nil {
		c.fail("%s: Input should be an object", path)
		o.m = map[string]json.RawMessage{}
	}
	return o
}

func (o *object) at(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// take returns a member and takes it out. A null counts as absent.
func (o *object) take(key string) (json.RawMessage, bool) {
	raw, ok := o.m[key]
	delete(o.m, key)
	return raw, ok && string(raw) != "null"
}

func (o *object) has(key string) bool {
	raw, ok := o.m[key]
	return ok && string(raw) != "null"
}

func (o *object) str(key string) string {
	raw, ok := o.take(key)
	if !ok {
		return ""
	}
	return o.c.text(o.at(key), raw)
}

func (c *check) text(path string, raw json.RawMessage) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		c.fail("%s: Input should be a valid string", path)
	}
	return s
}

// need is a string that must be there and not be empty.
func (o *object) need(key string) string {
	s := o.str(key)
	if s == "" {
		o.c.fail("%s: Field required", o.at(key))
	}
	return s
}

func (o *object) flag(key string) *bool {
	raw, ok := o.take(key)
	if !ok {
		return nil
	}
	b, err := strconv.ParseBool(string(raw))
	if err != nil || raw[0] == '"' {
		o.c.fail("%s: Input should be a valid boolean", o.at(key))
	}
	return &b
}

func (o *object) is(key string) bool {
	b := o.flag(key)
	return b != nil && *b
}

// number returns a number between two bounds, or "" where there is none.
func (o *object) number(key string, low, high float64) json.Number {
	raw, ok := o.take(key)
	if !ok {
		return ""
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case err != nil:
		o.c.fail("%s: Input should be a valid number", o.at(key))
	case f < low || f > high:
		o.c.fail("%s: Input should be between %g and %g", o.at(key), low, high)
	}
	return json.Number(raw)
}

func (o *object) integer(key string, low int) int {
	raw, ok := o.take(key)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		o.c.fail("%s: Input should be a valid integer", o.at(key))
	} else if n < low {
		o.c.fail("%s: Input should be greater than or equal to %d", o.at(key), low)
	}
	return n
}

func (o *object) strings(key string) []string {
	var out []string
	for i, raw := range o.list(key) {
		out = append(out, o.c.text(fmt.Sprintf("%s.%d", o.at(key), i), raw))
	}
	return out
}

func (o *object) list(key string) []json.RawMessage {
	raw, ok := o.take(key)
	if !ok {
		return nil
	}
	var l []json.RawMessage
	if err := json.Unmarshal(raw, &l); err != nil {
		o.c.fail("%s: Input should be a valid list", o.at(key))
	}
	return l
}

func (o *object) object(key string) *object {
	raw, ok := o.take(key)
	if !ok {
		o.c.fail("%s: Field required", o.at(key))
		raw = json.RawMessage("{}")
	}
	return o.c.object(o.at(key), raw)
}

// oneOf is a string of a fixed set; "" where there is none.
func (o *object) oneOf(key string, words ...string) string {
	s := o.str(key)
	if s != "" && !slices.Contains(words, s) {
		o.c.fail("%s: Input should be %s", o.at(key), strings.Join(words, ", "))
	}
	return s
}

// done refuses what was not known.
func (o *object) done(form string) {
	for k := range o.m {
		o.c.fail(form, o.at(k))
	}
}

// extras takes out what tests send to see whether unknown fields survive.
func (o *object) extras() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for k, v := range o.m {
		if strings.HasPrefix(k, "x_") {
			out[k] = v
			delete(o.m, k)
		}
	}
	return out
}

func (c *check) name(path, s string, re *regexp.Regexp) {
	if !re.MatchString(s) {
		c.fail("%s: String should match pattern '%s', got %q", path, re, s)
	}
}

// schema checks a JSON Schema of an object. A strict one must close every object.
func (c *check) schema(path string, raw json.RawMessage, strict, allRequired bool) {
	var s map[string]any
	if err := json.Unmarshal(raw, &s); err != nil || s["type"] != "object" {
		c.fail("%s.type: Field required: schema must be a JSON Schema of 'type: \"object\"'", path)
		return
	}
	if strict {
		c.closed(path, s, allRequired)
	}
}

func (c *check) closed(path string, node any, allRequired bool) {
	switch n := node.(type) {
	case map[string]any:
		if n["type"] == "object" {
			c.closedObject(path, n, allRequired)
		}
		for k, v := range n {
			c.closed(path+"."+k, v, allRequired)
		}
	case []any:
		for _, v := range n {
			c.closed(path, v, allRequired)
		}
	}
}

func (c *check) closedObject(path string, n map[string]any, allRequired bool) {
	if n["additionalProperties"] != false {
		c.fail("%s: 'additionalProperties' is required to be supplied and to be false", path)
	}
	props, _ := n["properties"].(map[string]any)
	required, _ := n["required"].([]any)
	for p := range props {
		if allRequired && !slices.Contains(required, any(p)) {
			c.fail("%s: 'required' is required to be supplied and to include every key in properties: missing %s", path, p)
		}
	}
}

// compact returns JSON without white space, keys in the order in which they stood.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw)
	}
	return b.String()
}
