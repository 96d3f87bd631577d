package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// tables are the three sources as they were read.
type tables struct {
	sources []record.Source
	// dev is models.dev: provider, then id.
	dev map[string]map[string]devModel
	// devModels are the models that the offers of dev are based on, by publisher/name.
	devModels map[string]devModel
	genai     map[string][]genaiModel
	litellm   map[string]litellmModel
	// settled are the prices of the providers that were merged so far.
	settled map[string]map[string]quote
}

// The numbers of the sources in every file.
const (
	fromDev = iota
	fromGenai
	fromLitellm
	fromPages
)

// sources says what was read, and as of when.
func sources() []record.Source {
	return []record.Source{
		{Name: "models.dev", Date: "2026-07-02", License: "MIT"},
		{Name: "genai-prices", Date: "2026-08-21", License: "MIT"},
		{Name: "litellm", Date: "2026-08-06", License: "MIT"},
		{Name: "the hosts' own pages", Date: "2026-10-31", License: "facts"},
	}
}

func read(dir, date string) (*tables, error) {
	t := &tables{sources: sources(), dev: map[string]map[string]devModel{}, settled: map[string]map[string]quote{}}
	var err error
	if t.devModels, err = readDev(filepath.Join(dir, "models.dev", "models"), nil); err != nil {
		return nil, err
	}
	providers, err := os.ReadDir(filepath.Join(dir, "models.dev", "providers"))
	if err != nil {
		return nil, err
	}
	for _, p := range providers {
		under := filepath.Join(dir, "models.dev", "providers", p.Name(), "models")
		if t.dev[p.Name()], err = readDev(under, t.devModels); err != nil {
			return nil, err
		}
	}
	if t.genai, err = readGenai(filepath.Join(dir, "prices", "genai-prices-data.json"), date); err != nil {
		return nil, err
	}
	t.litellm, err = readLitellm(filepath.Join(dir, "prices", "litellm_model_prices_and_context_window.json"))
	return t, err
}

// devModel is what models.dev says of a model or of an offer.
type devModel struct {
	Name             string
	Base             string `toml:"base_model"`
	Status           string
	Reasoning        *bool
	ReasoningOptions *[]map[string]any `toml:"reasoning_options"`
	Temperature      *bool
	ToolCall         *bool  `toml:"tool_call"`
	Structured       *bool  `toml:"structured_output"`
	OpenWeights      bool   `toml:"open_weights"`
	Released         string `toml:"release_date"`
	Limit            struct{ Context, Output int }
	Modalities       struct{ Input, Output []string }
	Cost             map[string]any
}

// readDev reads a tree of TOML files, of which each is named after its id. What a file leaves out it
// has from the model that it is based on.
func readDev(dir string, bases map[string]devModel) (map[string]devModel, error) {
	out := map[string]devModel{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".toml") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(text, []byte("../")) { // a link that became a file of its own
			return nil
		}
		var head struct {
			Base string `toml:"base_model"`
		}
		if _, err := toml.Decode(string(text), &head); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		m := bases[head.Base]
		m.Cost = maps.Clone(m.Cost)
		if _, err := toml.Decode(string(text), &m); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		rel, err := filepath.Rel(dir, path)
		out[strings.TrimSuffix(filepath.ToSlash(rel), ".toml")] = m
		return err
	})
	if os.IsNotExist(err) {
		return nil, nil
	}
	return out, err
}

// genaiModel is what genai-prices says, with the prices that hold on the day asked for.
type genaiModel struct {
	ID         string `json:"id"`
	Match      match  `json:"match"`
	Context    int    `json:"context_window"`
	Deprecated bool   `json:"deprecated"`
	Prices     json.RawMessage

	price map[string]genaiRate
	since string // the day from which the price holds, where that is said
}

// genaiRate is a rate with what it becomes for longer prompts.
type genaiRate struct {
	Base  json.Number
	Tiers []struct {
		Start int64
		Price json.Number
	}
}

// UnmarshalJSON reads a bare number too.
func (r *genaiRate) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '{' {
		r.Base = json.Number(b)
		return nil
	}
	type plain genaiRate
	return json.Unmarshal(b, (*plain)(r))
}

// match is a rule for ids.
type match struct {
	Equals     string
	StartsWith string `json:"starts_with"`
	Contains   string
	Or         []match
}

// ids returns the ids that a rule names outright.
func (m match) ids() []string {
	var out []string
	if m.Equals != "" {
		out = append(out, m.Equals)
	}
	for _, o := range m.Or {
		out = append(out, o.ids()...)
	}
	return out
}

// fits reports whether a rule names an id, or the beginning of it with nothing but a date after.
func (m match) fits(id string) bool {
	if m.Equals == id {
		return true
	}
	if m.StartsWith != "" {
		if rest, ok := strings.CutPrefix(id, m.StartsWith); ok && strings.Trim(rest, "-0123456789") == "" {
			return true
		}
	}
	for _, o := range m.Or {
		if o.fits(id) {
			return true
		}
	}
	return false
}

// begins reports whether a rule of a host whose ids begin with a region and end with a version names an id.
func (m match) begins(id string) bool {
	if rest, ok := strings.CutPrefix(id, m.Contains); ok && m.Contains != "" && strings.Trim(rest, "-:0123456789v") == "" {
		return true
	}
	if rest, ok := strings.CutPrefix(id, m.StartsWith); ok && m.StartsWith != "" && strings.Trim(rest, "-:0123456789v") == "" {
		return true
	}
	for _, o := range m.Or {
		if o.begins(id) {
			return true
		}
	}
	return false
}

func readGenai(path, date string) (map[string][]genaiModel, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []struct {
		ID     string `json:"id"`
		Models []genaiModel
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string][]genaiModel{}
	for _, p := range all {
		for i := range p.Models {
			if err := p.Models[i].choose(date); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, p.Models[i].ID, err)
			}
		}
		out[p.ID] = p.Models
	}
	return out, nil
}

// choose picks the prices that hold on a day; none where they depend on the hour.
func (m *genaiModel) choose(date string) error {
	if len(m.Prices) > 0 && m.Prices[0] == '{' {
		return json.Unmarshal(m.Prices, &m.price)
	}
	var list []struct {
		Constraint struct {
			From  string `json:"start_date"`
			Hours string `json:"start_time"`
		}
		Prices map[string]genaiRate
	}
	if err := json.Unmarshal(m.Prices, &list); err != nil {
		return err
	}
	for _, e := range list {
		if e.Constraint.Hours != "" {
			m.price = nil
			return nil
		}
		if e.Constraint.From <= date {
			m.price, m.since = e.Prices, e.Constraint.From
		}
	}
	return nil
}

// litellmModel is one entry of LiteLLM's table; rates are in dollars a token.
type litellmModel map[string]json.RawMessage

func readLitellm(path string) (map[string]litellmModel, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]litellmModel{}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

func (m litellmModel) text(key string) string {
	var s string
	_ = json.Unmarshal(m[key], &s) // another type is no text
	return s
}

func (m litellmModel) number(key string) int {
	n, err := strconv.ParseFloat(strings.Trim(string(m[key]), `"`), 64)
	if err != nil {
		return 0
	}
	return int(n)
}

// says returns what a truth value says, nil where it is absent.
func (m litellmModel) says(key string) *bool {
	var b *bool
	_ = json.Unmarshal(m[key], &b) // another type says nothing
	return b
}

// rate reads a rate of dollars a token as dollars a million, exactly; nil where it is absent.
func (m litellmModel) rate(key string) *record.Rate {
	return exact(string(m[key]), 1_000_000)
}

// exact reads a decimal number times a factor as a rate; nil where it is no such number. Digits beyond
// a millionth of a dollar are rounding noise of the source and are rounded away.
func exact(text string, times int64) *record.Rate {
	r, ok := new(big.Rat).SetString(text)
	if !ok || r.Sign() < 0 {
		return nil
	}
	r.Mul(r, new(big.Rat).SetInt64(times*1_000_000))
	n := new(big.Int).Add(new(big.Int).Lsh(r.Num(), 1), r.Denom())
	n.Div(n, new(big.Int).Lsh(r.Denom(), 1))
	if !n.IsInt64() {
		return nil
	}
	rate := record.Rate(n.Int64())
	return &rate
}
