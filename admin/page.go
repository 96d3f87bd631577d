package admin

import (
	"encoding/base64"
	"net/http"
	"strconv"
)

// list is a page of things.
type list[T any] struct {
	Data []T    `json:"data"`
	More bool   `json:"has_more"`
	Next string `json:"next,omitempty"` // what to send as after for the next page
}

// The sizes of a page.
const (
	usualPage   = 100
	largestPage = 1000
)

// pages are the parameters of a list.
func pages(more ...param) []param {
	return append([]param{
		{"limit", "The most items of a page, up to 1000; 100 if left out.", map[string]any{"type": "integer", "minimum": 1, "maximum": largestPage}},
		{"after", "The next of the page before.", map[string]any{"type": "string"}},
	}, more...)
}

// pageOf returns what a request asks of a list: how many, and after which.
func pageOf(q *request) (limit int, after string, err error) {
	limit = usualPage
	if v := query(q.Request, "limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > largestPage {
			return 0, "", fail(http.StatusBadRequest, "bad_parameter", "limit is a number from 1 to 1000")
		}
	}
	if v := query(q.Request, "after"); v != "" {
		b, err := base64.RawURLEncoding.DecodeString(v)
		if err != nil {
			return 0, "", fail(http.StatusBadRequest, "bad_parameter", "after is not what next of a page said")
		}
		after = string(b)
	}
	return limit, after, nil
}

// cursor returns what a page gives as next.
func cursor(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }

// page answers with a page of what is in order by a key.
func page[T any](q *request, all []T, key func(*T) string) (reply, error) {
	limit, after, err := pageOf(q)
	if err != nil {
		return reply{}, err
	}
	from := 0
	for after != "" && from < len(all) && key(&all[from]) <= after {
		from++
	}
	all = all[from:]
	out := list[T]{Data: all, More: len(all) > limit}
	if out.More {
		out.Data = all[:limit]
		out.Next = cursor(key(&out.Data[limit-1]))
	}
	if out.Data == nil {
		out.Data = []T{}
	}
	return reply{status: http.StatusOK, body: out}, nil
}
