package provider

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// place is a provider made from a Spec.
type place struct {
	title    string
	plans    map[call]*Plan
	beside   map[string]map[call]*Plan // by the caller's dialect, where that is spoken besides
	header   func(http.Header)         // puts in the credential, which is nowhere else
	warnings []string
}

var (
	_ Provider = (*place)(nil)
	_ Polyglot = (*place)(nil)
	_ Warner   = (*place)(nil)
)

// call is what a plan is made for.
type call struct {
	op     llm.Op
	stream bool
}

// modelVar stands for the model's id in a path.
const modelVar = "{model}"

// Plan implements Provider. Plans are shared by all calls, but for those whose address names the model.
func (p *place) Plan(model string, op llm.Op, stream bool) (*Plan, error) {
	plan, ok := p.plans[call{op, stream}]
	if !ok {
		return nil, &llm.Error{Kind: llm.NotFound, Op: "provider.Plan", Code: "no_such_operation", Message: fmt.Sprintf("%s has no %s; name a deployment whose host does", p.title, op.Words()), Elsewhere: true}
	}
	return p.named(plan, model)
}

// PlanIn implements Polyglot.
func (p *place) PlanIn(dialect, model string, op llm.Op, stream bool) (*Plan, error) {
	if plan, ok := p.beside[dialect][call{op, stream}]; ok {
		return p.named(plan, model)
	}
	return p.Plan(model, op, stream)
}

// named puts the model's id into an address that names it.
func (p *place) named(plan *Plan, model string) (*Plan, error) {
	if !strings.Contains(plan.URL, modelVar) {
		return plan, nil
	}
	if model == "" || model == "." || model == ".." {
		return nil, &llm.Error{Kind: llm.NotFound, Op: "provider.Plan", Message: fmt.Sprintf("%s has no model %q", p.title, model)}
	}
	named := *plan
	named.URL = strings.Replace(plan.URL, modelVar, url.PathEscape(model), 1)
	return &named, nil
}

// Sign implements Provider.
func (p *place) Sign(_ context.Context, r *http.Request, _ []byte) error {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	p.header(r.Header)
	return nil
}

// Warnings implements Warner.
func (p *place) Warnings() []string { return p.warnings }
