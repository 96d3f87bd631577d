package gateway

import (
	"net/url"
	"slices"
	"strings"
)

// withQuery returns an upstream's address with the caller's query, whose parts stay as they came. What the
// address says itself wins, and what may be a credential stays here wherever a client has put it: it is for
// Plenum, not for those behind it.
func withQuery(address, query string) string {
	if query == "" {
		return address
	}
	base, own, _ := strings.Cut(address, "?")
	var taken []string
	for part := range parts(own) {
		if name, ok := paramName(part); ok {
			taken = append(taken, name)
		}
	}
	kept := own
	for part := range parts(query) {
		name, ok := paramName(part)
		if !ok || slices.Contains(taken, name) || secretParam(name) {
			continue
		}
		if kept != "" {
			kept += "&"
		}
		kept += part
	}
	if kept == "" {
		return base
	}
	return base + "?" + kept
}

// parts are the parameters of a query. Some read ; as they do &, so it ends one here as well.
func parts(query string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' })
}

// paramName returns the name of a parameter, however it is written. One that is not fit for a query has none.
func paramName(part string) (string, bool) {
	if strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", false
	}
	name, _, _ := strings.Cut(part, "=")
	plain, err := url.QueryUnescape(name)
	return strings.ToLower(plain), err == nil
}

// secretParam reports whether a parameter carries a credential in one API or another.
func secretParam(name string) bool {
	switch strings.ReplaceAll(name, "_", "-") {
	case "key", "api-key", "apikey", "x-api-key", "x-goog-api-key", "authorization", "auth", "token", "access-token",
		"id-token", "subscription-key", "ocp-apim-subscription-key", "secret", "password", "signature", "sig":
		return true
	}
	return strings.HasPrefix(name, "x-amz-")
}
