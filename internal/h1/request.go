package h1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// plainLines is how many headers a plain request has at most.
const plainLines = 128

// headEnd returns the length of the head at the start of b, its empty line included; -1 if its end has not
// come yet. What was searched before need not be again.
func headEnd(b []byte, searched int) int {
	from := max(0, searched-3)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return -1
}

// bareEnd reports whether a line ends in a newline alone: such a head may end without an end that
// [headEnd] sees.
func bareEnd(b []byte, searched int) bool {
	for i := searched; i < len(b); i++ {
		if b[i] == '\n' && (i == 0 || b[i-1] != '\r') {
			return true
		}
	}
	return false
}

// asked is a plain request: what its head says.
type asked struct {
	method, target, host string
	url                  *url.URL
	header               http.Header
	length               int64
	last                 bool // the caller closes the connection after the answer
}

// plainMethod reports whether a method is one of those that are answered here. An answer to HEAD has rules of
// its own.
func plainMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodOptions:
		return true
	}
	return false
}

// parseHead reads the head of a request, its empty line included. It is as strict as can be and says no to
// whatever is not plain, be it wrong or only rare: net/http is asked then.
func parseHead(head string) (a asked, plain bool) {
	line, rest, _ := strings.Cut(head, "\r\n")
	method, line, ok1 := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(line, " ")
	if !ok1 || !ok2 || version != "HTTP/1.1" || !plainMethod(method) || target[:min(1, len(target))] != "/" || !printable(target) {
		return a, false
	}
	a.method, a.target = method, target
	u, err := reference(target)
	if err != nil {
		return a, false
	}
	a.url = u
	h, ok := parseHeaders(strings.TrimSuffix(rest, "\r\n"))
	if !ok {
		return a, false
	}
	a.header = h
	return a, a.framing()
}

// framing reads the headers that say where the request ends and what the connection is for. Whatever could be
// read in two ways is not plain.
func (a *asked) framing() bool {
	h := a.header
	host := h["Host"]
	if len(host) != 1 || !hostname(host[0]) {
		return false
	}
	a.host = host[0]
	delete(h, "Host")
	for _, name := range [...]string{"Transfer-Encoding", "Trailer", "Upgrade", "Expect", "Http2-Settings"} {
		if h[name] != nil {
			return false
		}
	}
	switch length := h["Content-Length"]; len(length) {
	case 0:
	case 1:
		n, err := strconv.ParseUint(length[0], 10, 62)
		if err != nil {
			return false
		}
		a.length = int64(n)
	default:
		return false
	}
	switch conn := h["Connection"]; {
	case len(conn) == 0:
	case len(conn) > 1:
		return false
	case strings.EqualFold(conn[0], "close"):
		a.last = true
	case !strings.EqualFold(conn[0], "keep-alive"):
		return false
	}
	return true
}

// parseHeaders reads lines of headers, each with its end.
func parseHeaders(lines string) (http.Header, bool) {
	n := strings.Count(lines, "\r\n")
	if n > plainLines {
		return nil, false
	}
	h, values := make(http.Header, n), make([]string, n)
	for lines != "" {
		line, rest, ok := strings.Cut(lines, "\r\n")
		name, value, colon := strings.Cut(line, ":")
		if !ok || !colon || !token(name) {
			return nil, false
		}
		value = strings.Trim(value, " \t")
		if !clean(value) {
			return nil, false
		}
		lines = rest
		name = textproto.CanonicalMIMEHeaderKey(name)
		if had := h[name]; had != nil {
			h[name] = append(had, value)
			continue
		}
		values[0] = value
		h[name], values = values[:1:1], values[1:]
	}
	return h, true
}

// printable reports whether a text is of visible ASCII alone.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// hostname reports whether a text can be the value of Host.
func hostname(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("-._:[]%~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// reference returns the target as a URL.
func reference(target string) (*url.URL, error) {
	path, query, _ := strings.Cut(target, "?")
	if !simple(path) || strings.HasSuffix(target, "?") || strings.Contains(query, "#") {
		return url.ParseRequestURI(target)
	}
	return &url.URL{Path: path, RawQuery: query}, nil
}

// simple reports whether a path means what it says: nothing is escaped in it.
func simple(path string) bool {
	for i := range len(path) {
		c := path[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '-' || c > ':') && c != '_' {
			return false
		}
	}
	return true
}
