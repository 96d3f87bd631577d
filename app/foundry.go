package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/probe"
)

// foundry is a node as the management API sees it.
type foundry struct{ *Node }

var _ admin.Foundry = foundry{}

// Snapshot returns the configuration in force.
func (n foundry) Snapshot() *config.Snapshot { return n.current.Load() }

// Check reports what is wrong with a set of items beside what the file declares. Nothing is taken over.
func (n foundry) Check(items []config.Item) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	merged, left := n.shelf.Try(n.extended(), items, n.itemsAt+1)
	if len(left) > 0 {
		return left
	}
	_, err := n.compiler.check(merged, n.keys)
	return err
}

// MayDeploy says why somebody may not make deployments, by the policies in force. A member is known by his name, and in
// the project that he has a role in.
func (n foundry) MayDeploy(a admin.Actor, items []config.Item, names []string) error {
	set, ok := n.current.Load().Policies.(*policy.Set)
	if !ok {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	merged, _ := n.shelf.Try(n.extended(), items, n.itemsAt+1)
	s, err := n.compiler.check(merged, n.keys)
	if err != nil {
		return err
	}
	who := plenum.Principal{KeyID: a.Name, KeyName: a.Name}
	if m, ok := strings.CutPrefix(a.Name, "member:"); ok {
		who.Member = m
	}
	who = s.Caller(who)
	for _, g := range a.Grants {
		who.Project = cmp.Or(who.Project, g.Project)
	}
	who.Organization = s.OrganizationOf(who.Project)
	set = set.Fresh() // which remembers nothing of deployments that are not these
	for _, d := range s.Deployments {
		if !slices.Contains(names, d.Name) {
			continue
		}
		for _, r := range toEach(policy.Request{Action: policy.Deploy, Who: &who, Source: host(a.From), Time: clock.Real.Now()}, d) {
			if decision := set.Decide(&r); !decision.Allowed {
				return notDeployed(d.Name, r.Offer.ID, decision)
			}
		}
	}
	return nil
}

// host is an address without its port.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

func notDeployed(name, target string, d *policy.Decision) error {
	detail := fmt.Sprintf("no policy lets you make the deployment %q with the target %s", name, target)
	if r := d.Rule(); r != nil {
		detail = fmt.Sprintf("the policy %q does not let you make the deployment %q with the target %s", r.Name, name, target)
		if r.Message != "" {
			detail += ": " + r.Message
		}
	}
	return &admin.Problem{Type: "about:blank", Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden, Code: "policy_denied", Detail: detail}
}

// Take takes over what the store has now.
func (n foundry) Take(ctx context.Context) error {
	if err := n.loadKeys(ctx); err != nil {
		return err
	}
	if _, err := n.loadItems(ctx); err != nil {
		return err
	}
	if _, err := n.loadTables(ctx); err != nil {
		return err
	}
	return n.rebuild()
}

// Catalog returns what is known of models: what the program brings, and what was imported.
func (n foundry) Catalog() *catalog.Catalog { return n.compiler.facts() }

// Left tells of items that are kept and not in force.
func (n foundry) Left() config.Problems {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.left
}

// Seal makes a secret what is kept of it.
func (n foundry) Seal(plain string) (string, error) { return n.safe.vault.SealText(plain) }

// Open makes it the secret again.
func (n foundry) Open(sealed string) (string, error) { return n.safe.open(sealed) }

// NewKey makes the secret of a key.
func (n foundry) NewKey(want plenum.Key) (plenum.Secret, plenum.Key, error) {
	secret, key, err := identity.New(rand.Reader, n.pepper, time.Now())
	key.Name, key.Project, key.Member, key.Expires, key.Admin, key.Scope = want.Name, want.Project, want.Member, want.Expires, want.Admin, want.Scope
	return secret, key, err
}

// ImportKey makes a key of the hash of a secret that another gateway made.
func (n foundry) ImportKey(want plenum.Key, sum [32]byte) plenum.Key {
	key := identity.Import(n.pepper, sum, clock.Real.Now())
	want.ID, want.MAC, want.Created = key.ID, key.MAC, key.Created
	return want
}

// Rotate makes another secret of a key.
func (n foundry) Rotate(k plenum.Key, overlap time.Duration) (plenum.Secret, plenum.Key, error) {
	return identity.Rotate(rand.Reader, n.pepper, k, clock.Real.Now(), overlap)
}

// AWSSecret returns what the SDKs of AWS sign with.
func (n foundry) AWSSecret(k *plenum.Key) plenum.Secret { return n.pepper.AWSSecret(k) }

// Uses returns when keys were last used: what the store knows, and what this node has not told it yet.
func (n foundry) Uses(ctx context.Context) (map[string]int64, error) {
	if err := n.keepUses(ctx); err != nil {
		return nil, err
	}
	return n.store.KeyUses(ctx)
}

// Intend writes down what somebody is about to do.
func (n foundry) Intend(e *admin.Entry) error {
	e.ID = ledger.NewAuditID()
	a := ledger.Audit{
		ID: e.ID, Actor: cmp.Or(e.Actor.Name, "nobody"), From: e.Actor.From, Certificate: e.Actor.Certificate,
		Action: e.Action, Noun: e.Noun, Name: e.Name, Config: e.Config, After: e.After,
	}
	a.Organization, a.Project = n.whose(e)
	return n.ledger.Intend(a)
}

// Audit writes down what somebody did, in the ledger and the log.
func (n foundry) Audit(e admin.Entry) error {
	a := ledger.Audit{
		ID: e.ID, Actor: cmp.Or(e.Actor.Name, "nobody"), From: e.Actor.From, Certificate: e.Actor.Certificate, Action: e.Action, Noun: e.Noun, Name: e.Name,
		Decision: decision(e.Status), Reason: e.Reason, Status: e.Status, Config: e.Config, Charges: e.Charges, Before: e.Before, After: e.After,
	}
	a.Organization, a.Project = n.whose(&e)
	if set, ok := n.current.Load().Policies.(*policy.Set); ok {
		a.Policy = set.Version()
	}
	err := n.ledger.Audit(a)
	if err != nil {
		n.log.Error("what somebody did could not be written down", "actor", a.Actor, "action", a.Action, "err", err)
	}
	n.log.Info("managed", "actor", e.Actor.Name, "from", e.Actor.From, "action", e.Action, "noun", e.Noun, "name", e.Name,
		"status", e.Status, "reason", e.Reason, "config", e.Config)
	return err
}

// whose says whose business an entry of the audit is: that of the project and the organization of what it was done to, or
// else of who did it.
func (n foundry) whose(e *admin.Entry) (organization, project string) {
	type of struct {
		Organization, Project string
		Scope                 struct{ Organization, Project string }
	}
	s := n.current.Load()
	for _, doc := range [...][]byte{e.After, e.Before} {
		var x of
		if json.Unmarshal(doc, &x) != nil {
			continue
		}
		organization, project = cmp.Or(organization, x.Organization, x.Scope.Organization), cmp.Or(project, x.Project, x.Scope.Project)
	}
	switch done := decision(e.Status) == ledger.Allowed; {
	case !done: // a name that somebody has tried is nobody's business but theirs
	case e.Noun == "projects":
		project = cmp.Or(project, e.Name)
	case e.Noun == "organizations":
		organization = cmp.Or(organization, e.Name)
	}
	project = cmp.Or(e.Project, project)
	organization = cmp.Or(organization, s.OrganizationOf(project))
	m, known := s.Member(strings.TrimPrefix(e.Actor.Name, "member:"))
	switch {
	case !known || m.Organization == "":
	case organization == "" && project == "":
		organization = m.Organization
	case decision(e.Status) != ledger.Allowed && organization != m.Organization: // nobody else learns who has tried what
		organization, project = m.Organization, ""
	}
	return organization, project
}

// decision says by a status what became of a request.
func decision(status int) ledger.Decision {
	switch {
	case status >= http.StatusInternalServerError:
		return ledger.Failed
	case status >= http.StatusBadRequest:
		return ledger.Refused
	}
	return ledger.Allowed
}

// Who returns who sends a request to the management API: whoever has the admin key, or a key of this API.
func (n foundry) Who(r *http.Request) (admin.Actor, error) {
	actor, scope, err := n.who(r)
	if err == nil && scope != nil && scope.SCIM {
		return actor, forbidden("this key is for a directory, at /scim/v2, and not for the rest of the management API")
	}
	return actor, err
}

// who returns who sends a request, and the scope of their key.
func (n foundry) who(r *http.Request) (admin.Actor, *plenum.Scope, error) {
	actor := admin.Actor{From: r.RemoteAddr, Certificate: certified(r)}
	if actor, ok := localActor(r, actor); ok {
		return actor, nil, nil
	}
	s := n.current.Load()
	if actor, ok, err := n.signedIn(r, actor); ok {
		return actor, nil, err
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || given == "" {
		return actor, nil, unauthorized("send the admin key, or a key of the management API, as Authorization: Bearer")
	}
	if key := s.Declared.AdminKey; !key.Empty() && subtle.ConstantTimeCompare([]byte(given), []byte(key.Reveal())) == 1 {
		actor.Name, actor.Grants = "admin_key", []plenum.Grant{{Role: plenum.RoleOwner}}
		return actor, nil, nil
	}
	k, ok, err := identity.Find(n.pepper, s.Key, plenum.NewSecret(given), clock.Real.Now())
	if !ok {
		if s.Declared.AdminKey.Empty() {
			return actor, nil, unauthorized("this key is not known; set admin_key in the configuration (or PLENUM_ADMIN_KEY for `plenum up`) to have one that opens the management API")
		}
		return actor, nil, unauthorized("this key is not known here")
	}
	if err != nil {
		return actor, nil, unauthorized(err.Error())
	}
	n.uses.Touch(k.ID, clock.Real.Now().UnixMilli())
	actor.Name = "key:" + k.ID
	if err := identity.From(k.Scope, r.RemoteAddr); err != nil {
		return actor, nil, forbidden(err.Error())
	}
	if !k.Admin {
		return actor, nil, forbidden("this key calls models; the management API wants the admin key, or a key that was made for it")
	}
	m, ok := s.Member(k.Member)
	if !ok || m.Disabled {
		return actor, nil, forbidden("the member whom this key belongs to is not there any more, or shut out")
	}
	actor.Name, actor.Grants, actor.ReadOnly = "member:"+m.Name, m.Grants, k.Scope != nil && k.Scope.ReadOnly
	return actor, k.Scope, nil
}

func unauthorized(detail string) *admin.Problem {
	return &admin.Problem{Type: "about:blank", Title: http.StatusText(http.StatusUnauthorized), Status: http.StatusUnauthorized, Code: "unauthorized", Detail: detail}
}

func forbidden(detail string) *admin.Problem {
	return &admin.Problem{Type: "about:blank", Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden, Code: "forbidden", Detail: detail}
}

// loadItems takes over what is declared through the management API, and reports whether that has changed.
func (n *Node) loadItems(ctx context.Context) (bool, error) {
	at, err := n.store.Revision(ctx)
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	same := at == n.itemsAt
	n.mu.Unlock()
	if same {
		return false, nil
	}
	rs, at, err := n.store.Resources(ctx)
	if err != nil {
		return false, err
	}
	items := make([]config.Item, 0, len(rs))
	for i := range rs {
		if rs[i].Item() {
			items = append(items, admin.ItemOf(&rs[i]))
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at > n.itemsAt {
		n.items, n.itemsAt = items, at
	}
	return true, nil
}

// extended returns the file in force with what engines add to it.
func (n *Node) extended() *config.File {
	if n.add == nil {
		return n.file
	}
	c := *n.file
	n.add(&c)
	return &c
}

// compileItems compiles a file with what is declared through the management API. What of that does not hold is left
// out, and the rest counts: a deployment whose connection is gone must not keep all others from being served. But for
// policies: to leave one out could open what it closes.
func (n *Node) compileItems(f *config.File, compile func(*config.File) (*config.Snapshot, error)) (*config.Snapshot, error) {
	items := n.items
	var left config.Problems
	for {
		merged, unread := n.shelf.Put(f, items, n.itemsAt)
		if closing := slices.DeleteFunc(slices.Clone(unread), mayGo); len(closing) > 0 {
			return nil, closing
		}
		s, err := compile(merged)
		var faults config.Problems
		if err == nil || !errors.As(err, &faults) {
			n.left = append(left, unread...)
			return s, err
		}
		out := map[[2]string]bool{}
		for _, p := range faults {
			if p.Kept() {
				list, name := p.Of()
				out[[2]string{list, name}] = true
				left = append(left, p)
			}
		}
		if len(out) == 0 || slices.ContainsFunc(faults, func(p config.Problem) bool { return p.Kept() && !mayGo(p) }) {
			return nil, err
		}
		kept := make([]config.Item, 0, len(items))
		for _, it := range items {
			if !out[[2]string{it.List, it.Name}] {
				kept = append(kept, it)
			}
		}
		items = kept
	}
}

// mayGo reports whether what a problem is about may be left out: it is no policy, or one that the
// file has as well.
func mayGo(p config.Problem) bool {
	list, _ := p.Of()
	return list != "policies" || p.Shadowed()
}

// compileLocked makes a snapshot of a file with the keys, items, engines and findings of this moment.
func (n *Node) compileLocked(f *config.File) (*config.Snapshot, error) {
	if n.add != nil {
		c := *f
		n.add(&c)
		f = &c
	}
	probed, end := probe.Of(n.findings, time.Now(), f.ProbeAge)
	s, err := n.compileItems(f, func(f *config.File) (*config.Snapshot, error) { return n.compiler.compile(f, n.keys, probed) })
	if err == nil {
		n.probesEnd = end
	}
	return s, err
}
