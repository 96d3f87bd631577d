package h1

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// appendHead writes the request line and the headers of RFC 9112. What would break out of its line is
// refused, as net/http does.
func appendHead(dst []byte, r *http.Request, size int64) ([]byte, error) {
	uri, host := r.URL.RequestURI(), r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !token(r.Method) || !clean(uri) || !clean(host) {
		return dst, fmt.Errorf("a request with method %q cannot be sent to %q", r.Method, host)
	}
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, uri...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\n"...)
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection":
			continue // the connection's affair, not the request's
		}
		if !token(name) {
			return dst, fmt.Errorf("%q cannot be the name of a header", name)
		}
		for _, v := range values {
			if !clean(v) {
				return dst, fmt.Errorf("the value of header %s has a character that is not allowed", name)
			}
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, v...)
			dst = append(dst, "\r\n"...)
		}
	}
	if size > 0 || r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, size, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// clean reports whether a value stays within its line.
func clean(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// token reports whether a name is a token of RFC 9110.
func token(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && c != '-' && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}
