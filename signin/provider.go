package signin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/outbound"
)

const (
	patience     = 15 * time.Second
	rememberedIn = time.Hour // how long what a provider says of itself is believed
)

// person is who a provider says has signed in.
type person struct {
	member, title string
	groups        []string
}

// refusal is why somebody cannot sign in, in words that they may read.
type refusal string

// Error returns them.
func (r refusal) Error() string { return string(r) }

// providers remembers what providers say of themselves.
type providers struct {
	clock clock.Clock

	mu    sync.Mutex
	known map[[2]string]*known
}

type known struct {
	provider *oidc.Provider
	read     time.Time
}

// client returns what asks a provider.
func client(p *plenum.IdentityProvider) (*http.Client, error) {
	by := outbound.Private.Leave(patience)
	t := &http.Transport{Proxy: by.Proxy, DialContext: by.DialContext, ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if p.CA != "" {
		pem, err := os.ReadFile(p.CA)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates to trust: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", p.CA)
		}
	}
	return &http.Client{Transport: t, Timeout: patience, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || !plenum.SafeURL(r.URL.String()) {
			return errors.New("it leads elsewhere too often, or to an address without https://")
		}
		return nil
	}}, nil
}

// find returns a provider as it says it is.
func (ps *providers) find(ctx context.Context, p *plenum.IdentityProvider) (*oidc.Provider, error) {
	key, now := [2]string{p.Issuer, p.CA}, ps.clock.Now()
	ps.mu.Lock()
	k := ps.known[key]
	ps.mu.Unlock()
	if k != nil && now.Sub(k.read) < rememberedIn {
		return k.provider, nil
	}
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("asking %s who it is: %w", p.Issuer, err)
	}
	at := found.Endpoint()
	if !plenum.SafeURL(at.AuthURL) || !plenum.SafeURL(at.TokenURL) {
		return nil, fmt.Errorf("%s has addresses without https://", p.Issuer)
	}
	ps.mu.Lock()
	ps.known[key] = &known{found, now}
	ps.mu.Unlock()
	return found, nil
}

// flow is one provider, asked in one request.
type flow struct {
	p        *plenum.IdentityProvider
	provider *oidc.Provider
	ctx      context.Context // with the client
	config   oauth2.Config
}

// begin readies a provider.
func (ps *providers) begin(ctx context.Context, p *plenum.IdentityProvider, redirect string) (*flow, error) {
	c, err := client(p)
	if err != nil {
		return nil, err
	}
	// The keys are read with it later too, when this request is over.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), c)
	found, err := ps.find(ctx, p)
	if err != nil {
		return nil, err
	}
	return &flow{p, found, ctx, oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.Secret.Reveal(), Endpoint: found.Endpoint(), RedirectURL: redirect, Scopes: p.Scopes,
	}}, nil
}

// finish takes the code that the provider gave, and returns who has signed in.
func (f *flow) finish(code, nonce, verifier string) (person, error) {
	token, err := f.config.Exchange(f.ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return person{}, fmt.Errorf("exchanging the code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return person{}, errors.New("the provider gave no ID token")
	}
	id, err := f.provider.VerifierContext(f.ctx, &oidc.Config{ClientID: f.p.ClientID}).Verify(f.ctx, raw)
	if err != nil {
		return person{}, fmt.Errorf("verifying the ID token: %w", err)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return person{}, fmt.Errorf("reading the ID token: %w", err)
	}
	if id.Nonce == "" || id.Nonce != nonce {
		return person{}, errors.New("the ID token is of another sign-in: its nonce differs")
	}
	if azp, _ := claims["azp"].(string); len(id.Audience) > 1 && azp != f.p.ClientID || azp != "" && azp != f.p.ClientID {
		return person{}, errors.New("the ID token was made for another client")
	}
	if err := f.more(token, id.Subject, claims); err != nil {
		return person{}, err
	}
	return f.read(claims)
}

// more asks the provider for claims that the ID token does not have.
func (f *flow) more(token *oauth2.Token, subject string, claims map[string]any) error {
	if (claims[f.p.Member] != nil && claims[f.p.Groups] != nil) || f.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := f.provider.UserInfo(f.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("asking for more claims: %w", err)
	}
	if info.Subject != subject {
		return errors.New("the claims are of somebody else than the ID token")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("reading more claims: %w", err)
	}
	for name, v := range more {
		if _, there := claims[name]; !there {
			claims[name] = v
		}
	}
	return nil
}

// read makes a person of claims.
func (f *flow) read(claims map[string]any) (person, error) {
	v := person{}
	v.member, _ = claims[f.p.Member].(string)
	v.title, _ = claims["name"].(string)
	switch {
	case v.member == "" || len(v.member) > 256 || strings.ContainsFunc(v.member, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return v, refusal(fmt.Sprintf("%s does not say who you are: the claim %s is missing, or no text. Whoever runs this Plenum can name another (member_claim).", f.p.Title, f.p.Member))
	case f.p.Member == "email" && claims["email_verified"] != true && claims["email_verified"] != "true":
		return v, refusal(f.p.Title + " does not say that your address of mail is verified, so that it could be anybody's.")
	}
	if strings.Contains(v.member, "@") { // as directories have it too (SCIM)
		v.member = strings.ToLower(v.member)
	}
	_, domain, _ := strings.Cut(v.member, "@")
	if len(f.p.Domains) > 0 && !slices.ContainsFunc(f.p.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return v, refusal("Only people of " + strings.Join(f.p.Domains, ", ") + " sign in here.")
	}
	switch groups := claims[f.p.Groups].(type) {
	case string:
		v.groups = []string{groups}
	case []any:
		for _, g := range groups {
			if s, ok := g.(string); ok {
				v.groups = append(v.groups, s)
			}
		}
	}
	return v, nil
}

// endAt returns where the provider lets people sign out, or "".
func (f *flow) endAt(back string) string {
	var meta struct {
		End string `json:"end_session_endpoint"`
	}
	if err := f.provider.Claims(&meta); err != nil || !plenum.SafeURL(meta.End) {
		return ""
	}
	mark := "?"
	if strings.Contains(meta.End, "?") {
		mark = "&"
	}
	return meta.End + mark + "client_id=" + escape(f.p.ClientID) + "&post_logout_redirect_uri=" + escape(back)
}
