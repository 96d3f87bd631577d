package admin

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// Problem is what is wrong with a request, as RFC 9457 says it.
type Problem struct {
	Type   string  `json:"type"` // about:blank, or the code after problemBase
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Code   string  `json:"code,omitempty"`
	Faults []Fault `json:"errors,omitempty"`

	cause error // for the operator's log alone
}

// Fault is one of several things that are wrong.
type Fault struct {
	Item   string `json:"item,omitempty"` // which resource it is about, such as deployment "grok"
	Path   string `json:"path,omitempty"` // where in it, such as targets[0].connection
	Detail string `json:"detail"`
}

// Error returns the detail.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// Unwrap returns what the problem came from.
func (p *Problem) Unwrap() error { return p.cause }

func fail(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// problemOf returns the problem that an error is told as. What nobody foresaw is told without its words.
func problemOf(err error) *Problem {
	var p *Problem
	var ps config.Problems
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &ps):
		return faulty(ps)
	case errors.Is(err, store.ErrNotFound):
		return fail(http.StatusNotFound, "not_found", "there is none of that name or id")
	case errors.Is(err, store.ErrExists):
		return fail(http.StatusConflict, "exists", "there is one of that name already")
	case errors.Is(err, store.ErrMoved):
		return fail(http.StatusConflict, "busy", "others are changing things at the same time; send the request again")
	}
	p = fail(http.StatusServiceUnavailable, "unavailable", "what Plenum keeps cannot be reached at the moment; send the request again")
	p.cause = err
	return p
}

// mostFaults bounds how many faults are told.
const mostFaults = 100

// faulty tells what is wrong with declarations.
func faulty(ps config.Problems) *Problem {
	p := fail(http.StatusUnprocessableEntity, "invalid", "what is declared does not hold; errors says where")
	for i, one := range ps {
		if i == mostFaults {
			break
		}
		p.Faults = append(p.Faults, Fault{Item: one.File, Path: one.Path, Detail: one.Message})
	}
	return p
}

func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
