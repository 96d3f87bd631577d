// Package auth is the stage that says who is calling. Without a good key nothing further happens: the
// body has not been read, and no stage behind it runs.
package auth

import (
	"context"
	"net/url"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/llm"
)

// New returns the stage, which looks keys up in the configuration snapshot that the call began under, and lets t judge
// tokens of the issuers that are declared there; nil takes none. It tells used, if not nil, which keys are used.
func New(p *identity.Pepper, t *identity.Tokens, used *identity.Uses) gateway.Stage {
	return gateway.Stage{Name: "auth", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if c.Parent == "" {
				if c.CredErr != nil {
					return c.CredErr
				}
				if err := authenticate(ctx, p, t, c); err != nil {
					return err
				}
			} else if err := stillGood(c); err != nil {
				return err
			}
			r := &c.Trail.Record
			r.KeyID, r.Project, r.Member = c.Caller.KeyID, c.Caller.Project, c.Caller.Member
			if used != nil {
				used.Touch(r.KeyID, r.Start/1000)
			}
			if err := tag(c); err != nil {
				return err
			}
			if err := barred(c); err != nil {
				return err
			}
			return next(ctx, c, out)
		}
	}}
}

// tag writes down what the caller says that the call is for.
func tag(c *gateway.Call) error {
	said := c.In.Header.Get("Plenum-Tags")
	if said == "" {
		return nil
	}
	tags, err := plenum.ParseTags(said)
	if err != nil {
		return &llm.Error{Kind: llm.Invalid, Op: "auth", Code: "bad_tags", Message: "plenum-tags: " + err.Error()}
	}
	c.Trail.Record.Tags = tags
	return nil
}

// barred refuses whom a good key does not help.
func barred(c *gateway.Call) error {
	if c.Caller.Admin {
		return &llm.Error{Kind: llm.Forbidden, Op: "auth", Code: "management_key", Message: "this key opens the management API and no models; make another for calls"}
	}
	if c.Parent == "" {
		if err := identity.From(c.Caller.Scope, c.Trail.Record.Remote); err != nil {
			return err
		}
	}
	if c.Caller.Member == "" {
		return nil
	}
	if m, ok := c.Config.Member(c.Caller.Member); ok && m.Disabled {
		return &llm.Error{Kind: llm.Unauthorized, Op: "auth", Code: "disabled_member", Message: "the member whom this key belongs to is shut out"}
	}
	return nil
}

// authenticate says who calls. A client secret opens a realtime session with the model that it was made for, and
// nothing else.
func authenticate(ctx context.Context, p *identity.Pepper, t *identity.Tokens, c *gateway.Call) (err error) {
	if c.Signed != nil {
		return verify(p, c)
	}
	if c.Cred.Kind == identity.UploadCred {
		return goesOn(p, c)
	}
	if c.Cred.Kind == identity.TokenCred && t != nil {
		c.Caller, err = t.Authenticate(ctx, c.Config.Issuer, c.Cred)
		return err
	}
	if c.Op != llm.OpRealtime || !identity.IsEphemeral(c.Cred) {
		if identity.IsEphemeral(c.Cred) {
			return &llm.Error{Kind: llm.Unauthorized, Op: "auth", Code: "invalid_api_key", Message: "a client secret opens a realtime session and nothing else"}
		}
		c.Caller, err = identity.Authenticate(p, c.Config.Key, c.Cred, time.Now())
		return err
	}
	e, who, err := p.OpenEphemeral(c.Cred, c.Config.KeyByID, time.Now())
	if err != nil {
		return err
	}
	if e.Upload != "" {
		return &llm.Error{Kind: llm.Unauthorized, Op: "auth", Code: "invalid_api_key", Message: "this secret is for an upload and nothing else"}
	}
	c.Caller, c.Opening = who, e.Opening
	q := url.Values{"model": {e.Model}}
	if _, only := dialect.SettingsTranscriber(e.Opening); only {
		q.Set("intent", dialect.Transcription)
	}
	c.In.RawQuery = q.Encode()
	return nil
}

// goesOn says who goes on with an upload, by what stands in its address. It is good for that one alone.
func goesOn(p *identity.Pepper, c *gateway.Call) error {
	e, who, err := p.OpenEphemeral(c.Cred, c.Config.KeyByID, time.Now())
	if err != nil {
		return err
	}
	l, ok := c.Codec.(dialect.Lifecycle)
	query, bad := url.ParseQuery(c.In.RawQuery)
	if !ok || bad != nil || l.Upload == nil || e.Upload == "" || l.Upload.Session(query) != e.Upload {
		return &llm.Error{Kind: llm.Unauthorized, Op: "auth", Code: "invalid_api_key", Message: "this address is of another upload; begin a new one, with your key"}
	}
	c.Caller = who
	return nil
}

// verify says who has signed the call. The signature covers the body, which is read for that, and not understood:
// only for a key that is there, and a signature of this moment.
func verify(p *identity.Pepper, c *gateway.Call) error {
	now := time.Now()
	if _, ok := c.Config.KeyByID(c.Signed.KeyID); ok {
		if err := c.Signed.Fresh(now); err != nil {
			return err
		}
		if _, err := c.Body(); err != nil {
			return err
		}
	}
	who, err := p.Verify(c.Signed, c.Config.KeyByID, c.In.Body, now)
	c.Caller = who
	return err
}

// stillGood judges a call that another call or a job makes. It acts for the caller of that one, whom the Runner
// names; work that goes on for hours ends when the key does.
func stillGood(c *gateway.Call) error {
	k, ok := c.Config.KeyByID(c.Caller.KeyID)
	if !ok {
		return &llm.Error{Kind: llm.Unauthorized, Op: "auth", Code: "invalid_api_key", Message: "the key that this is done for is not there any more"}
	}
	c.Caller.Scope = k.Scope // it may be narrower by now
	return identity.Usable(k, time.Now())
}
