package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// tables are the three sources as they were read.
type tables struct {
	sources []record.Source
	// dev is models.dev: provider, then id.
	dev map[string]map[string]devModel
	// devModels are the models that the offers of dev are based on, by publisher/name.
	devModels map[string]devModel
	genai     map[string][]genaiModel
	litellm   map[string]table.Litellm
	// settled are the prices of the providers that were merged so far.
	settled map[string]map[string]quote
	told    map[string]map[string]record.Offer
}

// The numbers of the sources in every file.
const (
	fromDev = iota
	fromGenai
	fromLitellm
	fromPages
	fromNames
	fromNotices
	fromCards
)

// sources says what was read, and as of when.
func sources() []record.Source {
	return []record.Source{
		{Name: "models.dev", Date: "2026-07-02", License: "MIT", URL: "https://models.dev"},
		{Name: "genai-prices", Date: "2026-08-21", License: "MIT", URL: "https://github.com/pydantic/genai-prices"},
		{Name: "litellm", Date: "2026-08-06", License: "MIT", URL: "https://github.com/BerriAI/litellm"},
		{Name: "the hosts' own pages", Date: "2026-10-31", License: "facts"},
		{Name: "the name that the publisher gave it", Date: "2026-07-02", License: "facts"},
		{Name: "reports of the publishers' notices, not checked with these", Date: "2026-06-30", License: "facts"},
		{Name: "written by hand, not checked with a card", Date: "2026-11-23", License: "facts"},
	}
}

func read(dir, date string) (*tables, error) {
	t := &tables{sources: sources(), dev: map[string]map[string]devModel{}, settled: map[string]map[string]quote{}, told: map[string]map[string]record.Offer{}}
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
	Family           string
	Knowledge        string
	License          string
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
	past  []dated
}

// dated is a price that held before, and until when.
type dated struct {
	since, until string
	price        map[string]genaiRate
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
			m.price, m.past = nil, nil
			return nil
		}
		if e.Constraint.From > date {
			continue
		}
		if m.price != nil {
			m.past = append([]dated{{m.since, e.Constraint.From, m.price}}, m.past...)
		}
		m.price, m.since = e.Prices, e.Constraint.From
	}
	return nil
}

func readLitellm(path string) (map[string]table.Litellm, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]table.Litellm{}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}
