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
	// Data is what the place does with what it is told, and Terms the address of what one agrees to there.
	Data   *Handling `json:"data,omitempty"`
	Terms  string    `json:"terms,omitempty"`
	Offers []Offer   `json:"offers"`
}

// Source is where facts were taken from.
type Source struct {
	Name    string `json:"name"`
	Date    string `json:"date"` // as of when it was read, as 2026-07-02
	License string `json:"license,omitempty"`
	URL     string `json:"url,omitempty"`
}

// Stage is a part of a model's life.
type Stage string

// The stages, from the first to the last.
const (
	Preview    Stage = "preview"    // not meant for production yet
	GA         Stage = "ga"         // generally available
	Legacy     Stage = "legacy"     // served, and improved no more
	Deprecated Stage = "deprecated" // it has been said that it will go
	Retired    Stage = "retired"    // calls are answered with an error
)

// Lifecycle is where a model stands in its life at one place, with the days that are known. Days are written as
// 2026-03-09; "" is one that nobody told.
type Lifecycle struct {
	Stage       Stage  `json:"stage,omitempty"`       // as it was told; At says what the days make of it
	Available   string `json:"available,omitempty"`   // since when everyone may call it
	Deprecated  string `json:"deprecated,omitempty"`  // since when it is said to go
	Retires     string `json:"retires,omitempty"`     // when it goes, or went
	Replacement string `json:"replacement,omitempty"` // what its maker says to use then: publisher/name
	From        []int  `json:"from,omitempty"`

	Sources []Source `json:"sources,omitempty"`
}

// At returns the stage on a day; "" where nobody told any.
func (l *Lifecycle) At(day string) Stage {
	switch {
	case l == nil:
		return ""
	case l.Retires != "" && l.Retires <= day:
		return Retired
	case l.Stage == Retired:
		return Retired
	case l.Deprecated != "" && l.Deprecated <= day:
		return Deprecated
	}
	return l.Stage
}

// Handling is what a place does with what it is told.
type Handling struct {
	Training  string   `json:"training,omitempty"`       // "no", "yes", "opt-in", "opt-out": whether models are trained on it
	Retention string   `json:"retention,omitempty"`      // for how long it is kept, in words
	Days      int      `json:"retention_days,omitempty"` // the most days; 0 is not told
	Regions   []string `json:"regions,omitempty"`        // where it is worked on, where that can be chosen or is told
	Notes     string   `json:"notes,omitempty"`
	From      []int    `json:"from,omitempty"`

	Sources []Source `json:"sources,omitempty"`
}

// Offer is one model at one place.
type Offer struct {
	Host      string   `json:"host,omitempty"`  // the kind of provider; in a file of one it is left out
	ID        string   `json:"id"`              // what the model is called there
	Also      []string `json:"also,omitempty"`  // other ids of the same
	Model     string   `json:"model,omitempty"` // publisher/name
	Context   int      `json:"context,omitempty"`
	Output    int      `json:"output,omitempty"` // the most tokens of an answer
	Price     *Price   `json:"price,omitempty"`  // the newest
	Past      []Price  `json:"past,omitempty"`   // those before it, the newest first
	Quotes    []Price  `json:"quotes,omitempty"` // what each source says, where they differ beyond rounding
	MaxField  string   `json:"max_tokens_field,omitempty"`
	DefaultTo int      `json:"default_output,omitempty"`
	Refuses   []string `json:"refuses,omitempty"`
	// SchemaRefuses are words of JSON Schema; Effort says that how hard to think is said as a word.
	SchemaRefuses []string   `json:"schema_refuses,omitempty"`
	Effort        bool       `json:"effort,omitempty"`
	Can           []string   `json:"can,omitempty"`
	Cannot        []string   `json:"cannot,omitempty"`
	Mode          string     `json:"mode,omitempty"` // what it is called for: "" is chat; else "responses", "embedding", ...
	Life          *Lifecycle `json:"lifecycle,omitempty"`
	Regions       []string   `json:"regions,omitempty"`
	Data          *Handling  `json:"data,omitempty"`
	Terms         string     `json:"terms,omitempty"`
	Listed        bool       `json:"listed,omitempty"` // it can be called by everyone under this id today
	Disputed      bool       `json:"disputed,omitempty"`
	From          []int      `json:"from,omitempty"` // numbers of the sources

	Sources []Source `json:"sources,omitempty"`
}

// Price holds the rates of an offer in dollars, exactly. What is nil costs what the plain class of its
// side does.
type Price struct {
	Since        string `json:"since,omitempty"` // the day from which it holds, where that was told
	Until        string `json:"until,omitempty"` // the day from which it holds no more
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
	From     []int     `json:"from,omitempty"` // numbers of the sources that say so

	Sources []Source `json:"sources,omitempty"`
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
	Name  string `json:"name"`            // as in publisher/name
	Title string `json:"title"`           // as people write it
	URL   string `json:"url,omitempty"`   // where its own API is described
	Terms string `json:"terms,omitempty"` // the address of the terms of its own API
	Host  string `json:"host,omitempty"`  // the kind of provider that is its own API
}

// Model is one model, whoever serves it.
type Model struct {
	ID        string   `json:"id"` // publisher/name
	Title     string   `json:"title"`
	Family    string   `json:"family,omitempty"`
	Released  string   `json:"released,omitempty"`
	Knowledge string   `json:"knowledge,omitempty"` // until when it knows of the world
	Open      bool     `json:"open,omitempty"`      // its weights can be had
	License   string   `json:"license,omitempty"`   // of the weights, by its SPDX name where it has one; "proprietary"
	Terms     string   `json:"terms,omitempty"`     // the address of the terms of use
	Reads     []string `json:"reads,omitempty"`     // modalities: "text", "image", "audio", "video", "pdf"
	Writes    []string `json:"writes,omitempty"`
	Context   int      `json:"context,omitempty"`
	Output    int      `json:"output,omitempty"`
	Can       []string `json:"can,omitempty"`
	Cannot    []string `json:"cannot,omitempty"`
	// Versions are the dated ones that are known, the newest first.
	Versions []Version  `json:"versions,omitempty"`
	Life     *Lifecycle `json:"lifecycle,omitempty"`
	From     []int      `json:"from,omitempty"`

	Sources []Source `json:"sources,omitempty"`
}

// Version is one state of a model, which does not change any more.
type Version struct {
	ID       string     `json:"id"` // publisher/name-2026-03-09
	Released string     `json:"released,omitempty"`
	Life     *Lifecycle `json:"lifecycle,omitempty"`
}

// PriceOn returns the price that held on a day: the newest for "", nil where none is known.
func (o *Offer) PriceOn(day string) *Price {
	p := o.Price
	if p == nil || day == "" {
		return p
	}
	for i := range o.Past {
		if day >= p.Since {
			break
		}
		p = &o.Past[i]
	}
	return p
}
