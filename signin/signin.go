// Package signin signs people in: by an OpenID Connect provider in a browser, and from there command lines. A session is
// kept in the store, so that every node knows it and none does once it was ended; it opens the management API as a member,
// with the member's roles and those that the provider's groups have.
package signin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
)

// Path is where people sign in, and Out where they sign out.
const (
	Path = "/sign-in"
	Out  = "/sign-out"
)

// Foundry is the node that people sign in to.
type Foundry interface {
	// Snapshot returns the configuration in force.
	Snapshot() *config.Snapshot
	// Seal and Open keep what a browser carries for the time of a sign-in.
	Seal(plain string) (string, error)
	Open(sealed string) (string, error)
	// Enrol makes somebody a member as their provider has them now; one that the file declares stays as it is.
	Enrol(ctx context.Context, m Member) error
	// Intend writes down what is about to be done, and gives it its ID; where that fails it must not be done.
	Intend(e *Event) error
	// Audit writes down what somebody did.
	Audit(e Event)
}

// Member is somebody as their provider has them.
type Member struct {
	Name, Title, Provider string
	Groups                []string
	Grants                []plenum.Grant
}

// Event is what the audit is told.
type Event struct {
	ID           string // that Intend gave
	Actor, From  string
	Action, Name string
	Status       int
	Reason       string
	After        map[string]any
}

// Server answers under Path and Out.
type Server struct {
	foundry   Foundry
	sessions  *Sessions
	providers *providers
	clock     clock.Clock
	log       *slog.Logger
	mux       *http.ServeMux
	cross     *http.CrossOriginProtection
}

// New returns the sign-in of a node.
func New(f Foundry, s *Sessions, c clock.Clock, log *slog.Logger) *Server {
	v := &Server{foundry: f, sessions: s, clock: c, log: log, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection()}
	v.providers = &providers{clock: c, known: map[[2]string]*known{}}
	for pattern, serve := range map[string]http.HandlerFunc{
		"GET " + Path: v.choose, "GET " + Path + "/device": v.showDevice, "POST " + Path + "/device": v.deviceAsked,
		"POST " + Path + "/token": v.token, "GET " + Path + "/{provider}": v.begin, "GET " + Path + "/{provider}/callback": v.finish,
		"POST " + Out: v.end,
	} {
		v.mux.HandleFunc(pattern, serve)
	}
	return v
}

// Mine reports whether a path is answered here.
func Mine(path string) bool {
	return path == Path || path == Out || strings.HasPrefix(path, Path+"/")
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Sessions returns who is signed in.
func (s *Server) Sessions() *Sessions { return s.sessions }

// deviceAsked tells a form that allows a command line from one that begins: the second has no code.
func (s *Server) deviceAsked(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && r.ContentLength != 0 {
		s.allowDevice(w, r)
		return
	}
	s.askDevice(w, r)
}

// names of the cookies. With the prefix a browser takes them only over TLS, and no other host can set them.
func cookieName(r *http.Request, name string) string {
	if strings.HasPrefix(origin(r), "https://") {
		return "__Host-plenum-" + name
	}
	return "plenum-" + name
}

func cookie(r *http.Request, name, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r, name), Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true,
		Secure: strings.HasPrefix(origin(r), "https://"), SameSite: http.SameSiteLaxMode,
	}
}

// origin is the address that a request was made to.
func origin(r *http.Request) string {
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

func clip(s string) string { return s[:min(len(s), 200)] }

func escape(s string) string { return url.QueryEscape(s) }

// local returns a path of this Plenum, whatever was asked for.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return Path
	}
	return next
}

// Who returns who sends a request: by the bearer token of a session, or by a browser's cookie, which counts for what
// changes something only if the request comes from a page of this Plenum. The second result reports whether it showed
// either.
func (s *Server) Who(r *http.Request) (Session, bool, error) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "+TokenPrefix)
	if bearer {
		token = TokenPrefix + token
	} else {
		c, err := r.Cookie(cookieName(r, "session"))
		if err != nil {
			return Session{}, false, ErrEnded
		}
		token = c.Value
	}
	snap := s.foundry.Snapshot()
	v, err := s.sessions.Find(r.Context(), plenum.NewSecret(token), snap.Declared.Sessions.Idle)
	if err != nil {
		return v, true, err
	}
	if !bearer {
		if err := s.sameSite(r); err != nil {
			return v, true, refusal("this was sent by another site than this Plenum's")
		}
	}
	return v, true, s.stillMay(&v, snap)
}

// Grants returns what somebody who is signed in may do: what their member may, and what their groups may now.
func Grants(v *Session, snap *config.Snapshot) []plenum.Grant {
	var out []plenum.Grant
	if m, ok := snap.Member(v.Member); ok {
		out = append(out, m.Grants...)
	}
	if p, ok := snap.IdentityProvider(v.Provider); ok {
		out = append(out, p.Grants(v.Groups)...)
	}
	return out
}

// stillMay refuses a session whose member or provider is not there any more.
func (s *Server) stillMay(v *Session, snap *config.Snapshot) error {
	m, ok := snap.Member(v.Member)
	_, known := snap.IdentityProvider(v.Provider)
	if !ok || m.Disabled || m.Service || !known || m.Provider != "" && m.Provider != v.Provider {
		return ErrEnded
	}
	return nil
}

// sameSite refuses what another site had a browser send.
func (s *Server) sameSite(r *http.Request) error { return s.cross.Check(r) }

// choose shows the providers, goes to the only one, or says who is signed in.
func (s *Server) choose(w http.ResponseWriter, r *http.Request) {
	all := s.foundry.Snapshot().IdentityProviders()
	next := r.URL.Query().Get("next")
	if v, shown, err := s.Who(r); err == nil {
		if to := local(next); to != Path {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		show(w, http.StatusOK, view{Title: "Signed in", Text: "You are signed in as " + v.Member + ".", SignOut: true})
		return
	} else if shown && !errors.Is(err, ErrEnded) {
		s.broken(w, r, err)
		return
	}
	switch len(all) {
	case 0:
		show(w, http.StatusNotFound, view{Title: "No sign-in", Text: "Nobody signs people in to this Plenum. Whoever runs it can declare an identity provider (identity_providers)."})
		return
	case 1:
		http.Redirect(w, r, Path+"/"+all[0].Name+"?next="+escape(next), http.StatusSeeOther)
		return
	}
	v := view{Title: "Sign in to Plenum"}
	for _, p := range all {
		v.Buttons = append(v.Buttons, button{"Sign in with " + p.Title, Path + "/" + p.Name + "?next=" + escape(next)})
	}
	show(w, http.StatusOK, v)
}

// carried is what a browser carries from the beginning of a sign-in to its end, sealed.
type carried struct {
	Provider, State, Nonce, Verifier, Next string
	Until                                  int64 // Unix seconds
}

// carriedFor is how long people have to sign in.
const carriedFor = 15 * time.Minute

func callback(r *http.Request, p *plenum.IdentityProvider) string {
	return origin(r) + Path + "/" + p.Name + "/callback"
}

// begin sends a browser to a provider.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) {
	p, ok := s.foundry.Snapshot().IdentityProvider(r.PathValue("provider"))
	if !ok {
		show(w, http.StatusNotFound, view{Title: "Not known", Text: "No identity provider of that name signs people in here.", Again: true})
		return
	}
	f, err := s.providers.begin(r.Context(), p, callback(r, p))
	if err != nil {
		s.away(w, r, p, err)
		return
	}
	c := carried{
		Provider: p.Name, State: secret("").Reveal(), Nonce: secret("").Reveal(), Verifier: oauth2.GenerateVerifier(),
		Next: local(r.URL.Query().Get("next")), Until: s.clock.Now().Add(carriedFor).Unix(),
	}
	text, err := json.Marshal(c)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	sealed, err := s.foundry.Seal(string(text))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	http.SetCookie(w, cookie(r, "sign-in", sealed, carriedFor))
	secure(w.Header())
	to := f.config.AuthCodeURL(c.State, oauth2.SetAuthURLParam("nonce", c.Nonce), oauth2.S256ChallengeOption(c.Verifier))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// open returns what the browser carries, if it is of this sign-in.
func (s *Server) open(r *http.Request) (c carried, ok bool) {
	k, err := r.Cookie(cookieName(r, "sign-in"))
	if err != nil {
		return c, false
	}
	text, err := s.foundry.Open(k.Value)
	if err != nil || json.Unmarshal([]byte(text), &c) != nil {
		return c, false
	}
	state := r.URL.Query().Get("state")
	return c, c.Until > s.clock.Now().Unix() && c.Provider == r.PathValue("provider") && c.State != "" &&
		subtle.ConstantTimeCompare([]byte(state), []byte(c.State)) == 1
}

// finish takes somebody from a provider.
func (s *Server) finish(w http.ResponseWriter, r *http.Request) {
	c, ok := s.open(r)
	http.SetCookie(w, cookie(r, "sign-in", "", -time.Second))
	p, known := s.foundry.Snapshot().IdentityProvider(r.PathValue("provider"))
	if !ok || !known {
		s.refuse(w, r, "nobody", "This sign-in was not begun in this browser, or took too long. Begin again.")
		return
	}
	if code := r.URL.Query().Get("error"); code != "" {
		s.refuse(w, r, "nobody", p.Title+" did not sign you in: "+clip(code)+" "+clip(r.URL.Query().Get("error_description")))
		return
	}
	f, err := s.providers.begin(r.Context(), p, callback(r, p))
	if err != nil {
		s.away(w, r, p, err)
		return
	}
	who, err := f.finish(r.URL.Query().Get("code"), c.Nonce, c.Verifier)
	var no refusal
	if errors.As(err, &no) {
		s.refuse(w, r, who.member, no.Error())
		return
	}
	if err != nil {
		s.away(w, r, p, err)
		return
	}
	s.take(w, r, p, who, c.Next)
}

// take begins the session of somebody.
func (s *Server) take(w http.ResponseWriter, r *http.Request, p *plenum.IdentityProvider, who person, next string) {
	snap := s.foundry.Snapshot()
	m, there := snap.Member(who.member)
	grants := p.Grants(who.groups)
	switch {
	case there && m.Disabled:
		s.refuse(w, r, who.member, "You are shut out here. Whoever runs this Plenum can say why.")
		return
	case there && m.Service:
		s.refuse(w, r, who.member, "This is the name of a service account here, and no person's.")
		return
	case there && m.Provider != "" && m.Provider != p.Name:
		s.refuse(w, r, who.member, "You sign in here by another identity provider.")
		return
	case !there && len(grants) == 0:
		s.refuse(w, r, who.member, "You are "+who.member+", and nobody has given you a role here: none of your groups at "+p.Title+" has one, and you are no member.")
		return
	}
	v := Session{Member: who.member, Provider: p.Name, Groups: who.groups, Way: "browser", From: host(r.RemoteAddr), Agent: clip(r.UserAgent())}
	e := Event{Actor: "member:" + v.Member, From: r.RemoteAddr, Action: "sign_in"}
	if err := s.foundry.Intend(&e); err != nil {
		s.unrecorded(w, r, err)
		return
	}
	if err := s.foundry.Enrol(r.Context(), Member{Name: who.member, Title: who.title, Provider: p.Name, Groups: who.groups, Grants: grants}); err != nil {
		s.failed(&e, err)
		s.broken(w, r, err)
		return
	}
	limits := snap.Declared.Sessions
	token, v, err := s.sessions.Begin(r.Context(), v, limits.Idle, limits.Max)
	if err != nil {
		s.failed(&e, err)
		s.broken(w, r, err)
		return
	}
	e.Name, e.Status, e.After = v.ID, http.StatusOK, map[string]any{"way": v.Way, "provider": v.Provider, "groups": v.Groups}
	s.foundry.Audit(e)
	http.SetCookie(w, cookie(r, "session", token.Reveal(), limits.Max))
	secure(w.Header())
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// end signs somebody out.
func (s *Server) end(w http.ResponseWriter, r *http.Request) {
	v, _, err := s.Who(r)
	http.SetCookie(w, cookie(r, "session", "", -time.Second))
	if err != nil {
		show(w, http.StatusOK, view{Title: "Signed out", Text: "You were not signed in any more.", Again: true})
		return
	}
	if err := s.sessions.End(r.Context(), v.ID); err != nil {
		s.broken(w, r, err)
		return
	}
	s.foundry.Audit(Event{Actor: "member:" + v.Member, From: r.RemoteAddr, Action: "sign_out", Name: v.ID, Status: http.StatusOK})
	out := view{Title: "Signed out", Text: "You are signed out of this Plenum.", Again: true}
	if p, ok := s.foundry.Snapshot().IdentityProvider(v.Provider); ok {
		if f, err := s.providers.begin(r.Context(), p, callback(r, p)); err == nil {
			if to := f.endAt(origin(r) + Path); to != "" {
				out.Buttons = []button{{"Sign out of " + p.Title + " as well", to}}
			}
		}
	}
	show(w, http.StatusOK, out)
}

// refuse says why somebody is not signed in.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, who, why string) {
	if who == "" {
		who = "nobody"
	}
	s.foundry.Audit(Event{Actor: who, From: r.RemoteAddr, Action: "sign_in", Status: http.StatusForbidden, Reason: why})
	show(w, http.StatusForbidden, view{Title: "Not signed in", Text: why, Again: true})
}

// away says that a provider cannot be asked, or makes no sense. What it said is for the operator.
func (s *Server) away(w http.ResponseWriter, r *http.Request, p *plenum.IdentityProvider, err error) {
	s.log.Error("signing somebody in", "provider", p.Name, "err", err)
	s.foundry.Audit(Event{Actor: "nobody", From: r.RemoteAddr, Action: "sign_in", Status: http.StatusBadGateway, Reason: err.Error()})
	show(w, http.StatusBadGateway, view{Title: "Not signed in", Text: p.Title + " could not say who you are. Whoever runs this Plenum finds why in its log.", Again: true})
}

// failed writes down that nothing came of what was begun.
func (s *Server) failed(e *Event, err error) {
	e.Status, e.Reason = http.StatusInternalServerError, err.Error()
	s.foundry.Audit(*e)
}

// unrecorded says that nothing was done, since it could not be written down.
func (s *Server) unrecorded(w http.ResponseWriter, r *http.Request, err error) {
	s.log.Error("writing down who signs in", "path", r.URL.Path, "err", err)
	w.Header().Set("Retry-After", "5")
	show(w, http.StatusServiceUnavailable, view{Title: "Not now", Text: "What is done here cannot be written down at the moment (unrecorded), and so nothing was done. Try again; whoever runs this Plenum finds why in its log.", Again: true})
}

// broken says that something failed here.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.log.Error("signing in", "path", r.URL.Path, "err", err)
	show(w, http.StatusInternalServerError, view{Title: "Not now", Text: "Something failed here. Try again; whoever runs this Plenum finds why in its log.", Again: true})
}
