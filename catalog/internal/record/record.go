// Package record is the form in which the catalog's facts are kept in its data files: what the
// generator writes and the catalog reads.
package record

import (
	"fmt"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// File holds what one provider offers.
type File struct {
	Provider string   `json:"provider"`
	Made     string   `json:"made"` // the day for which the prices hold
	Sources  []Source `json:"sources"`
	Offers   []Offer  `json:"offers"`
}

// Source is where facts were taken from.
type Source struct {
	Name    string `json:"name"`
	Date    string `json:"date"` // as of when it was read
	License string `json:"license"`
}

// Offer is one model at the provider.
type Offer struct {
	ID        string   `json:"id"`
	Also      []string `json:"also,omitempty"`  // other ids of the same
	Model     string   `json:"model,omitempty"` // publisher/name
	Context   int      `json:"context,omitempty"`
	Output    int      `json:"output,omitempty"`
	Price     *Price   `json:"price,omitempty"`
	MaxField  string   `json:"max_tokens_field,omitempty"`
	DefaultTo int      `json:"default_output,omitempty"`
	Refuses   []string `json:"refuses,omitempty"`
	// SchemaRefuses are words of JSON Schema; Effort says that how hard to think is said as a word.
	SchemaRefuses []string `json:"schema_refuses,omitempty"`
	Effort        bool     `json:"effort,omitempty"`
	Can           []string `json:"can,omitempty"`
	Cannot        []string `json:"cannot,omitempty"`
	Mode          string   `json:"mode,omitempty"`   // "" is chat; else "responses", "embedding", ...
	Status        string   `json:"status,omitempty"` // "" is current; else "deprecated"
	Listed        bool     `json:"listed,omitempty"` // it can be called by everyone under this id today
	Disputed      bool     `json:"disputed,omitempty"`
	From          []int    `json:"from"` // numbers of the sources
}

// Price holds the rates of an offer in dollars, exactly. What is nil costs what the plain class of its
// side does.
type Price struct {
	Above        int64  `json:"above,omitempty"` // within Over: for prompts of more tokens
	Input        *Rate  `json:"input,omitempty"`
	CacheRead    *Rate  `json:"cache_read,omitempty"`
	CacheWrite5m *Rate  `json:"cache_write_5m,omitempty"`
	CacheWrite1h *Rate  `json:"cache_write_1h,omitempty"`
	InputAudio   *Rate  `json:"input_audio,omitempty"`
	InputImage   *Rate  `json:"input_image,omitempty"`
	Output       *Rate  `json:"output,omitempty"`
	Reasoning    *Rate  `json:"reasoning,omitempty"`
	OutputAudio  *Rate  `json:"output_audio,omitempty"`
	OutputImage  *Rate  `json:"output_image,omitempty"`
	Search       *Rate  `json:"search_thousand,omitempty"` // for a thousand
	Image        *Rate  `json:"image_thousand,omitempty"`  // for a thousand
	Character    *Rate  `json:"character,omitempty"`       // for a million
	Second       *Rate  `json:"second_thousand,omitempty"` // for a thousand
	Over         *Price `json:"over,omitempty"`
	// The rates of service tiers, and those of images by what they are like.
	Priority *Price    `json:"priority,omitempty"`
	Flex     *Price    `json:"flex,omitempty"`
	Batch    *Price    `json:"batch,omitempty"`
	Pictures []Picture `json:"pictures,omitempty"`
	Hours    *Hours    `json:"hours,omitempty"`
}

// Picture is the rate of a thousand images of a quality and a size.
type Picture struct {
	Quality string `json:"quality,omitempty"`
	Size    string `json:"size,omitempty"`
	Rate    Rate   `json:"thousand"`
}

// Hours are the rates of some hours of the day, in minutes from midnight, UTC.
type Hours struct {
	From  int    `json:"from"`
	To    int    `json:"to"`
	Price *Price `json:"price"`
}

// Rate is an amount of dollars, in millionths. It is written as a decimal number and read without
// passing through a float.
type Rate plenum.Micros

// MarshalJSON writes the amount without needless zeros.
func (r Rate) MarshalJSON() ([]byte, error) {
	s := strings.TrimRight(plenum.Micros(r).String(), "0")
	return []byte(strings.TrimSuffix(s, ".")), nil
}

// UnmarshalJSON reads the amount exactly.
func (r *Rate) UnmarshalJSON(b []byte) error {
	m, err := plenum.ParseMicros(string(b))
	if err != nil {
		return fmt.Errorf("a rate: %w", err)
	}
	*r = Rate(m)
	return nil
}

// Models holds the models that are known, whoever serves them.
type Models struct {
	Sources    []Source    `json:"sources"`
	Publishers []Publisher `json:"publishers"`
	Models     []Model     `json:"models"`
}

// Publisher is a lab that makes models.
type Publisher struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

// Model is one model.
type Model struct {
	ID       string   `json:"id"` // publisher/name
	Title    string   `json:"title"`
	Released string   `json:"released,omitempty"`
	Open     bool     `json:"open,omitempty"` // its weights can be had
	Context  int      `json:"context,omitempty"`
	Output   int      `json:"output,omitempty"`
	Can      []string `json:"can,omitempty"`
	Cannot   []string `json:"cannot,omitempty"`
}
