// Package desk is the vendor desk: publishers submit model cards, each model is tried against what its card claims, and
// one that holds becomes a connection and a deployment that callers use like any other.
//
// A card is what a publisher says of one version of a model: where it is, what it can do, what it costs, on which
// terms. It is kept with every report of a conformance run. What is listed is declared in the store, as everything
// that is declared through the management API, so that every node has it within a second.
package desk

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/router"
)

// Card is what a publisher says of a version of a model.
type Card struct {
	Publisher   string `json:"publisher"`
	Model       string `json:"model"`
	Version     string `json:"version"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`

	Address       string `json:"address,omitempty"`        // where it is, as an SDK of the dialect wants it
	Dialect       string `json:"dialect,omitempty"`        // what is spoken there: see Dialects
	Connection    string `json:"connection,omitempty"`     // in the place of both: a connection that the publisher may publish at
	UpstreamModel string `json:"upstream_model,omitempty"` // the model's id there; Model if left out
	Region        string `json:"region,omitempty"`

	Price        json.RawMessage `json:"price"` // in the words of a target of the configuration
	Context      int             `json:"context"`
	MaxOutput    int             `json:"max_output"`
	Capabilities []string        `json:"capabilities,omitempty"` // what it claims to be able to do
	Traits       json.RawMessage `json:"traits,omitempty"`       // how its dialect differs, in the words of a target of the configuration

	Licence string `json:"licence,omitempty"`
	Terms   Terms  `json:"terms"`
	Data    Data   `json:"data"`
}

// Terms are the terms of use of a version, which projects accept before they call it.
type Terms struct {
	Version string `json:"version"`
	URL     string `json:"url,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Data says what becomes of what callers send.
type Data struct {
	Retention string `json:"retention,omitempty"` // how long it is kept, in the publisher's words: "none", "30 days"
	Training  bool   `json:"training"`            // whether models are trained with it
	Regions   string `json:"regions,omitempty"`   // where it is processed
	Notes     string `json:"notes,omitempty"`
}

// Submission is a card as it is sent: with what is not part of what is signed.
type Submission struct {
	Card
	Credentials map[string]string `json:"credentials,omitempty"` // of the address; never shown again
	Signature   string            `json:"signature,omitempty"`   // in base64, by the publisher's key, over the card in the form of RFC 8785
}

// Dialect is a way in which a published model may be spoken to.
type Dialect struct {
	Name     string
	provider string // the kind of provider that reaches such a place
	setting  string // its dialect, where it has several
}

// Dialects returns those that cards may name.
func Dialects() []Dialect {
	return []Dialect{
		{"chat", "openai-compatible", ""},
		{"responses", "openai-compatible", "responses"},
		{"messages", "anthropic-compatible", ""},
		{"gemini", "gemini", ""},
		{"ollama", "ollama", ""},
	}
}

func dialectOf(name string) (Dialect, bool) {
	for _, d := range Dialects() {
		if d.Name == name {
			return d, true
		}
	}
	return Dialect{}, false
}

func dialectNames() string {
	var out []string
	for _, d := range Dialects() {
		out = append(out, d.Name)
	}
	return strings.Join(out, ", ")
}

// ID is what the card is known by: publisher/model:version.
func (c *Card) ID() string { return c.Name() + ":" + c.Version }

// Name is the model's: publisher/model.
func (c *Card) Name() string { return c.Publisher + "/" + c.Model }

// terms is the name of its terms of use.
func (c *Card) terms() string { return c.Publisher + "/" + c.Terms.Version }

// upstream is the model's id at its address.
func (c *Card) upstream() string {
	if c.UpstreamModel != "" {
		return c.UpstreamModel
	}
	return c.Model
}

// place is the name of the connection that the model is reached by.
func (c *Card) place() string {
	if c.Connection != "" {
		return c.Connection
	}
	return c.ID()
}

// Read reads what was submitted, strictly: what nobody asks for is mostly mistyped.
func Read(body []byte) (*Submission, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	s := new(Submission)
	if err := d.Decode(s); err != nil {
		return nil, fault("", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, nil
}

// fault is one mistake of a card.
func fault(path, message string) error { return config.Problems{{Path: path, Message: message}} }

// Canonical returns the bytes of a submitted card that are signed: all of it but credentials and signature, in the
// form of RFC 8785.
func Canonical(body []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("a card is a JSON object: %w", err)
	}
	delete(members, "credentials")
	delete(members, "signature")
	b, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	out, err := jcs.Transform(b)
	if err != nil {
		return nil, fmt.Errorf("bringing the card into the form of RFC 8785: %w", err)
	}
	return out, nil
}

// Sign returns the signature of a submitted card.
func Sign(body []byte, key ed25519.PrivateKey) (string, error) {
	b, err := Canonical(body)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(ed25519.Sign(key, b)), nil
}

// signed checks the signature of a submitted card against the key of its publisher; a nil key takes none.
func signed(body []byte, signature string, key ed25519.PublicKey) error {
	switch {
	case key == nil && signature == "":
		return nil
	case key == nil:
		return errors.New("is given, and the publisher has no signing_key here that it could be checked against")
	case signature == "":
		return errors.New("is missing: the publisher's cards are signed")
	}
	b, err := Canonical(body)
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !ed25519.Verify(key, b, raw) {
		return errors.New("is not that of this card by the publisher's key")
	}
	return nil
}

// longest bounds the texts of a card.
const (
	longestText  = 64 << 10
	longestWord  = 64
	mostContext  = 100_000_000
	dearestDollr = 1_000_000 // a million tokens; whoever asks more has mistaken the unit
)

// check looks at what can be seen of a card by itself.
func (s *Submission) check() error {
	var ps config.Problems
	add := func(path, format string, args ...any) {
		ps = append(ps, config.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	for _, f := range []struct{ path, v string }{{"publisher", s.Publisher}, {"model", s.Model}, {"version", s.Version}, {"terms.version", s.Terms.Version}} {
		if !word(f.v) {
			add(f.path, "has 1 to %d letters, digits and . _ -", longestWord)
		}
	}
	for _, f := range []struct{ path, v string }{{"title", s.Title}, {"description", s.Description}, {"licence", s.Licence}, {"terms.url", s.Terms.URL}, {"terms.text", s.Terms.Text}, {"data.notes", s.Data.Notes}} {
		if len(f.v) > longestText {
			add(f.path, "is longer than 64 KiB")
		}
	}
	if s.Terms.URL == "" && s.Terms.Text == "" {
		add("terms", "has neither url nor text: what are callers to accept?")
	}
	s.checkPlace(add)
	switch {
	case s.Context < 1 || s.Context > mostContext:
		add("context", "must be from 1 to %d tokens", mostContext)
	case s.MaxOutput < 1 || s.MaxOutput > s.Context:
		add("max_output", "must be from 1 to context, %d tokens", s.Context)
	}
	for i, c := range s.Capabilities {
		if !slices.Contains(router.All(), router.Capability(c)) {
			add(fmt.Sprintf("capabilities[%d]", i), "%q is none; there are %v", c, router.All())
		}
	}
	s.checkPrice(add)
	if len(ps) > 0 {
		return ps
	}
	return nil
}

func (s *Submission) checkPlace(add func(path, format string, args ...any)) {
	switch {
	case s.Connection != "" && (s.Address != "" || s.Dialect != "" || len(s.Credentials) > 0):
		add("connection", "is of this Plenum, and takes the place of address, dialect and credentials")
	case s.Connection != "":
	case s.Address == "":
		add("address", "is missing")
	default:
		if _, ok := dialectOf(s.Dialect); !ok {
			add("dialect", "%q is none; there are %s", s.Dialect, dialectNames())
		}
	}
}

// checkPrice refuses prices that nobody can mean. That they are no numbers, or less than nothing, the configuration
// says, which reads them.
func (s *Submission) checkPrice(add func(path, format string, args ...any)) {
	if len(s.Price) == 0 {
		add("price", "is missing: input_usd_per_million and output_usd_per_million")
		return
	}
	var v any
	if err := json.Unmarshal(s.Price, &v); err != nil {
		add("price", "is not JSON")
		return
	}
	dear("price", v, add)
}

func dear(path string, v any, add func(path, format string, args ...any)) {
	switch v := v.(type) {
	case float64:
		if strings.Contains(path, "_usd_") && v > dearestDollr {
			add(path, "is %v dollars, which cannot be meant: it is at most %d", v, dearestDollr)
		}
		if v < 0 {
			add(path, "is less than nothing")
		}
	case []any:
		for i := range v {
			dear(fmt.Sprintf("%s[%d]", path, i), v[i], add)
		}
	case map[string]any:
		for name, one := range v {
			dear(path+"."+name, one, add)
		}
	}
}

// word reports whether a text can be part of a name.
func word(s string) bool {
	return s != "" && len(s) <= longestWord && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}
