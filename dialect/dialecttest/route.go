package dialecttest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Route finds the codec of a dialect that answers at an escaped path, and what the path says; nil where none
// does. Of codecs that tell their callers apart by headers it is the one for those who send none.
func Route(d *dialect.Dialect, path string) (dialect.Codec, map[string]string) {
	plain := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}, Header: http.Header{}}
	if d.Streams == dialect.GRPC {
		plain.Header.Set("Content-Type", dialect.GRPC)
	}
	for _, r := range d.Routes {
		if r.Op != llm.OpGenerate || r.Method != http.MethodPost {
			continue
		}
		if vars, ok := fits(r.Pattern, path); ok && (r.Match == nil || r.Match(plain)) {
			return r.Codec, vars
		}
	}
	return nil, nil
}

// fits reports whether an escaped path is of a pattern: literal segments, and {name} for any one.
func fits(pattern, path string) (map[string]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		name, rest, ok := strings.Cut(strings.TrimPrefix(w, "{"), "}")
		if !strings.HasPrefix(w, "{") || !ok {
			if w != got[i] {
				return nil, false
			}
			continue
		}
		value, ends := strings.CutSuffix(got[i], rest)
		if !ends {
			return nil, false
		}
		vars[strings.TrimSuffix(name, "...")], _ = url.PathUnescape(value)
	}
	return vars, true
}
