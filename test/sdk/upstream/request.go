package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// request is what a request means, whichever vendor it was said to: tests compare this, and so read the
// same for both.
type request struct {
	Vendor   string   `json:"vendor"`
	Model    string   `json:"model"`
	Scenario string   `json:"scenario"`
	Count    bool     `json:"count"`
	Stream   bool     `json:"stream"`
	Usage    bool     `json:"stream_usage"`
	System   []string `json:"system"`
	Turns    []turn   `json:"turns"`
	Tools    []tool   `json:"tools"`
	Choice   string   `json:"choice"` // "", auto, none, any, tool:NAME
	Parallel *bool    `json:"parallel"`
	Format   *format  `json:"format"`
	Thinking string   `json:"thinking"` // "", off, adaptive, budget:N
	Effort   string   `json:"effort"`
	Max      int      `json:"max"`
	N        int      `json:"n"`
	Logprobs int      `json:"logprobs"` // -1 is none, else how many alternatives

	Temperature json.Number `json:"temperature"`
	TopP        json.Number `json:"top_p"`
	TopK        json.Number `json:"top_k"`
	Seed        json.Number `json:"seed"`
	Stop        []string    `json:"stop"`
	Tier        string      `json:"tier"`
	User        string      `json:"user"`
	Marks       []string    `json:"marks"` // where prompt-cache marks stand
	Betas       string      `json:"betas"`

	Extra map[string]json.RawMessage `json:"extra"`

	nth int // how many of the same model came before
}

// tail makes the ids of answers to an agent different, as a vendor's are: agents join answers with one id.
func (r *request) tail() string {
	if r.Scenario != "agent" {
		return ""
	}
	return strconv.Itoa(r.nth)
}

// turn is what one side said until the other spoke.
type turn struct {
	Role  string `json:"role"`
	Parts []part `json:"parts"`
}

// part is one piece of a turn. Bytes are named by their hash.
type part struct {
	Type  string `json:"type"` // text image document thought sealed call result refusal
	Text  string `json:"text,omitempty"`
	Media string `json:"media,omitempty"`
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Hash  string `json:"hash,omitempty"`
	ID    string `json:"id,omitempty"`
	Args  string `json:"args,omitempty"`
	Sig   string `json:"sig,omitempty"`
	Error bool   `json:"error,omitempty"`
	Parts []part `json:"parts,omitempty"`
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Strict      bool            `json:"strict"`
}

type format struct {
	Kind   string          `json:"kind"` // object, schema
	Schema json.RawMessage `json:"schema,omitempty"`
}

// say adds parts, to the last turn if the same side speaks on.
func (r *request) say(role string, parts ...part) {
	if n := len(r.Turns); n > 0 && r.Turns[n-1].Role == role {
		r.Turns[n-1].Parts = append(r.Turns[n-1].Parts, parts...)
		return
	}
	r.Turns = append(r.Turns, turn{role, parts})
}

// last returns the parts of the last turn.
func (r *request) last() []part {
	if len(r.Turns) == 0 {
		return nil
	}
	return r.Turns[len(r.Turns)-1].Parts
}

// result returns the text of the first tool result of the last turn, and whether there is one.
func (r *request) result() (string, bool) {
	for _, p := range r.last() {
		if p.Type == "result" {
			return p.Text, true
		}
	}
	return "", false
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// unbase64 decodes strictly, as vendors do.
func unbase64(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) > 0
}

// dataURL takes a data: URL apart.
func dataURL(s string) (media string, data []byte, ok bool) {
	rest, found := strings.CutPrefix(s, "data:")
	if !found {
		return "", nil, false
	}
	media, enc, found := strings.Cut(rest, ";base64,")
	if !found {
		return "", nil, false
	}
	data, ok = unbase64(enc)
	return media, data, ok
}

// scenarioOf takes the scenario out of a model's name.
func scenarioOf(model string) string {
	name, _, _ := strings.Cut(model, ":")
	return name
}
