package app

import (
	"time"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/audit"
	"github.com/plenum-foundry/plenum/stage/auth"
	"github.com/plenum-foundry/plenum/stage/budget"
	"github.com/plenum-foundry/plenum/stage/cache"
	"github.com/plenum-foundry/plenum/stage/claim"
	"github.com/plenum-foundry/plenum/stage/guardrail"
	"github.com/plenum-foundry/plenum/stage/keep"
	"github.com/plenum-foundry/plenum/stage/limit"
	"github.com/plenum-foundry/plenum/stage/meter"
	"github.com/plenum-foundry/plenum/stage/own"
	"github.com/plenum-foundry/plenum/stage/policy"
	"github.com/plenum-foundry/plenum/stage/recall"
	"github.com/plenum-foundry/plenum/stage/resolve"
	"github.com/plenum-foundry/plenum/stage/route"
)

// Mechanisms are what the stages work with. Those that are nil are trivial: they let everything pass. Budgets and limits that
// are nil are kept in memory.
type Mechanisms struct {
	Ledger    audit.Ledger
	Observers []audit.Observer
	Pepper    *identity.Pepper
	Tokens    *identity.Tokens
	Uses      *identity.Uses
	Policy    policy.Decider
	Keeper    keep.Keeper
	Guard     guardrail.Guard
	Cache     cache.Store
	History   recall.History
	Budgets   budget.Budgets
	Limits    limit.Limits
	Clock     clock.Clock
	// Owners knows who owns what upstreams keep.
	Owners Owners
	// Own answers the operations on what callers own.
	Own map[llm.Op]gateway.Handler
	// Route replaces the stage that tries targets.
	Route *gateway.Stage
}

// Owners knows who owns what upstreams keep, for the stages that ask.
type Owners interface {
	resolve.Owners
	claim.Owners
}

// resolves and claims are the owners as the two stages see them: none is none.
func (m *Mechanisms) resolves() resolve.Owners {
	if m.Owners == nil {
		return nil
	}
	return m.Owners
}

// uploadFor is how long a caller may take to send a file in pieces.
const uploadFor = 24 * time.Hour

// uploads makes what stands in the addresses of uploads.
func (m *Mechanisms) uploads() resolve.Sealer {
	if m.Pepper == nil {
		return nil
	}
	return func(who plenum.Principal, upload string) (plenum.Secret, error) {
		return m.Pepper.Seal(identity.Ephemeral{KeyID: who.KeyID, Upload: upload, Expires: time.Now().Add(uploadFor).Unix()})
	}
}

func (m *Mechanisms) claims() claim.Owners {
	if m.Owners == nil {
		return nil
	}
	return m.Owners
}

// Pipeline is the way of every call, whatever surface it came in by. The first stage is the outermost:
// it sees what all others do, refusals too. What stands after route runs once for each attempt.
func Pipeline(m Mechanisms) gateway.Handler {
	if m.Clock == nil {
		m.Clock = clock.Real
	}
	if m.Budgets == nil && m.Limits == nil {
		a := budget.NewAccounts(books.NewMemory(), m.Clock)
		m.Budgets, m.Limits = a, a
	}
	attempts := route.New(m.Clock)
	if m.Route != nil {
		attempts = *m.Route
	}
	return gateway.Chain(gateway.Dispatch,
		audit.New(m.Ledger, m.Observers...),
		auth.New(m.Pepper, m.Tokens, m.Uses),
		keep.New(m.Keeper),
		recall.New(m.Clock, m.History),
		resolve.New(m.resolves(), m.uploads(), policy.Lists(m.Policy)),
		policy.New(m.Policy),
		own.New(joined(map[llm.Op]gateway.Handler{llm.OpSession: gateway.ServeLanes}, m.Own)),
		claim.New(m.claims()),
		limit.New(m.Limits),
		guardrail.New(m.Guard),
		cache.New(m.Cache),
		attempts,
		// once per attempt:
		budget.New(m.Budgets),
		meter.New(),
	)
}
