package signin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// A command line has no browser that it could trust with a secret. It asks for a code, shows it, and asks again until the
// person has allowed it in a browser, wherever that is: RFC 8628, with Plenum as the authorization server, so that it works
// with any identity provider.
const (
	deviceFor    = 10 * time.Minute
	deviceEvery  = 2 * time.Second
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	devicePrefix = "plenum_dc_"
	codeLetters  = "BCDFGHJKLMNPQRSTVWXZ" // no vowels, so that no words come of it
	codeLength   = 8
)

// device is a command line that asks to act for somebody.
type device struct {
	From    string   `json:"from"`
	Agent   string   `json:"agent"`
	Session *Session `json:"session,omitempty"` // whose it is to be, once that was allowed
}

// userCode returns a code that people can type.
func userCode() string {
	b := make([]byte, 0, codeLength)
	one := make([]byte, 1)
	for len(b) < codeLength {
		_, _ = rand.Read(one) // it never fails
		if n := len(codeLetters); int(one[0]) < 256/n*n {
			b = append(b, codeLetters[int(one[0])%n])
		}
	}
	return string(b[:4]) + "-" + string(b[4:])
}

// plainCode is a code as people may have typed it.
func plainCode(typed string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		if strings.ContainsRune(codeLetters, r) {
			b.WriteRune(r)
		}
	}
	if b.Len() != codeLength {
		return ""
	}
	return b.String()[:4] + "-" + b.String()[4:]
}

// askDevice begins the sign-in of a command line.
func (s *Server) askDevice(w http.ResponseWriter, r *http.Request) {
	code, typed := secret(devicePrefix), userCode()
	body, err := json.Marshal(device{From: host(r.RemoteAddr), Agent: clip(r.UserAgent())})
	if err != nil {
		s.broken(w, r, err)
		return
	}
	now := s.clock.Now()
	o := store.Object{
		ID: s.sessions.id(deviceKind, code), Kind: deviceKind, Label: typed, Status: "waiting",
		Created: now.UnixMilli(), Expires: now.Add(deviceFor).UnixMilli(), Body: body,
	}
	if err := s.sessions.store.CreateObject(r.Context(), o); err != nil {
		s.broken(w, r, err)
		return
	}
	page := origin(r) + Path + "/device"
	say(w, http.StatusOK, map[string]any{
		"device_code": code.Reveal(), "user_code": typed, "verification_uri": page, "verification_uri_complete": page + "?user_code=" + typed,
		"expires_in": int(deviceFor.Seconds()), "interval": int(deviceEvery.Seconds()),
	})
}

// waiting returns the command line that shows a code.
func (s *Server) waiting(ctx context.Context, typed string) (*store.Object, *device, error) {
	code := plainCode(typed)
	if code == "" {
		return nil, nil, store.ErrNotFound
	}
	found, err := s.sessions.store.Objects(ctx, store.ObjectFilter{Kind: deviceKind, Label: code, Status: "waiting"})
	if err != nil {
		return nil, nil, err
	}
	if len(found) != 1 || found[0].Expires <= s.clock.Now().UnixMilli() {
		return nil, nil, store.ErrNotFound
	}
	var d device
	return &found[0], &d, json.Unmarshal(found[0].Body, &d)
}

// showDevice asks the person whether a command line may act for them.
func (s *Server) showDevice(w http.ResponseWriter, r *http.Request) {
	who, _, err := s.Who(r)
	if err != nil {
		http.Redirect(w, r, Path+"?next="+escape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	typed := r.URL.Query().Get("user_code")
	if typed == "" {
		show(w, http.StatusOK, view{Title: "Allow a command line", Text: "Type the code that it shows.", AskCode: true})
		return
	}
	o, d, err := s.waiting(r.Context(), typed)
	if errors.Is(err, store.ErrNotFound) {
		show(w, http.StatusNotFound, view{Title: "No such code", Text: "Nothing waits for that code: it is mistyped, or too old. Codes are good for ten minutes.", AskCode: true})
		return
	}
	if err != nil {
		s.broken(w, r, err)
		return
	}
	show(w, http.StatusOK, view{
		Title: "Allow a command line?", Code: o.Label,
		Text: fmt.Sprintf("A command line at %s asks to manage this Plenum as %s. Allow it only if you started it yourself and it shows this code.", d.From, who.Member),
	})
}

// allowDevice lets it.
func (s *Server) allowDevice(w http.ResponseWriter, r *http.Request) {
	who, _, err := s.Who(r)
	if err != nil {
		show(w, http.StatusUnauthorized, view{Title: "Not signed in", Text: "You are not signed in any more; begin again.", Again: true})
		return
	}
	if err := s.sameSite(r); err != nil {
		show(w, http.StatusForbidden, view{Title: "Not from here", Text: "This was sent by another site. Nothing was allowed."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	o, d, err := s.waiting(r.Context(), r.PostFormValue("user_code"))
	if err != nil {
		show(w, http.StatusNotFound, view{Title: "No such code", Text: "Nothing waits for that code any more. Nothing was allowed."})
		return
	}
	e := Event{Actor: "member:" + who.Member, From: r.RemoteAddr, Action: "allow_command_line", Name: who.ID}
	if err := s.foundry.Intend(&e); err != nil {
		s.unrecorded(w, r, err)
		return
	}
	d.Session = &Session{Member: who.Member, Provider: who.Provider, Groups: who.Groups, Way: "command line", From: d.From, Agent: d.Agent}
	_, err = s.sessions.store.UpdateObject(r.Context(), o.ID, func(o *store.Object) error {
		if o.Status != "waiting" {
			return store.ErrNotFound
		}
		o.Status = "allowed"
		o.Body, err = json.Marshal(d)
		return err
	})
	if err != nil {
		s.failed(&e, err)
		s.broken(w, r, err)
		return
	}
	e.Status, e.After = http.StatusOK, map[string]any{"at": d.From}
	s.foundry.Audit(e)
	show(w, http.StatusOK, view{Title: "Allowed", Text: "The command line goes on by itself. You can close this page."})
}

// token gives a command line its session once that was allowed.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	refuse := func(code, why string) {
		say(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": why})
	}
	if r.PostFormValue("grant_type") != deviceGrant {
		refuse("unsupported_grant_type", "grant_type is "+deviceGrant)
		return
	}
	code := plenum.NewSecret(r.PostFormValue("device_code"))
	o, err := s.sessions.store.Object(r.Context(), s.sessions.id(deviceKind, code))
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && o.Expires <= s.clock.Now().UnixMilli():
		refuse("expired_token", "the code is too old, or not known; begin again")
		return
	case err != nil:
		s.broken(w, r, err)
		return
	case o.Status == "waiting":
		refuse("authorization_pending", "nobody has allowed it yet")
		return
	}
	var d device
	if err := json.Unmarshal(o.Body, &d); err != nil || d.Session == nil {
		refuse("access_denied", "it was not allowed")
		return
	}
	e := Event{Actor: "member:" + d.Session.Member, From: r.RemoteAddr, Action: "sign_in"}
	if err := s.foundry.Intend(&e); err != nil {
		s.log.Error("writing down who signs in", "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "5")
		say(w, http.StatusServiceUnavailable, map[string]any{"error": "unrecorded", "error_description": "that somebody signs in cannot be written down at the moment, and so nobody does; try again"})
		return
	}
	if err := s.sessions.store.DeleteObject(r.Context(), o.ID); err != nil { // so that it is given once
		s.failed(&e, err)
		refuse("expired_token", "the code was used already")
		return
	}
	limits := s.foundry.Snapshot().Declared.Sessions
	token, v, err := s.sessions.Begin(r.Context(), *d.Session, limits.Idle, limits.Max)
	if err != nil {
		s.failed(&e, err)
		s.broken(w, r, err)
		return
	}
	e.Name, e.Status, e.After = v.ID, http.StatusOK, map[string]any{"way": v.Way, "provider": v.Provider}
	s.foundry.Audit(e)
	say(w, http.StatusOK, map[string]any{"access_token": token.Reveal(), "token_type": "Bearer", "expires_in": int(limits.Max.Seconds()), "member": v.Member})
}
