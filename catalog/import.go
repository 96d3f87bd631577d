package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// Import is what was read of somebody's table of models and prices.
type Import struct {
	Source Source  // what table it is, and as of when
	Offers []Offer // of the hosts that Plenum knows, sorted by host and id
	// Skipped counts the entries that are about hosts that Plenum does not know, or about nothing that it calls.
	Skipped int
	// Notes tell of entries that are one offer under two names, at different prices: neither price is taken.
	Notes Faults
}

// The shapes of tables that can be read.
const (
	ModelsDev = "models.dev"
	LiteLLM   = "litellm"
	Plenum    = "plenum"
)

// ReadTable reads a table as of a day. Which table it is shows in its shape: models.dev's api.json, LiteLLM's
// model_prices_and_context_window.json, or offers in Plenum's own form. The error is Faults where entries are wrong;
// the rest of the table is returned beside them.
func ReadTable(text []byte, day string) (*Import, error) {
	top, err := membersOf(text)
	if err != nil {
		return nil, err
	}
	r := &reader{day: day}
	switch shape(top) {
	case ModelsDev:
		r.devTable(top)
	case LiteLLM:
		r.litellmTable(top)
	case Plenum:
		r.ownTable(text)
	default:
		return nil, errors.New("this is no table that can be read: neither models.dev's api.json, nor LiteLLM's table of prices, nor a list of offers")
	}
	return r.done()
}

// member is a member of a JSON object, in the order of the text.
type member struct {
	name  string
	value json.RawMessage
}

// membersOf reads an object whose members each have a name of their own.
func membersOf(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("this is no JSON object")
	}
	var out []member
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("this is not JSON: %w", err)
		}
		m := member{name: t.(string)} // the names of members are
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("this is not JSON: %q: %w", clip(m.name), err)
		}
		if seen[m.name] {
			return nil, fmt.Errorf("%q is there twice", clip(m.name))
		}
		seen[m.name] = true
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("this is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the end of the table")
	}
	return out, nil
}

// shape tells which table it is by its first entry that says so.
func shape(top []member) string {
	for _, m := range top {
		var has struct {
			Models   map[string]json.RawMessage
			Provider *string `json:"litellm_provider"`
			Mode     *string
		}
		if m.name == "offers" && len(m.value) > 0 && m.value[0] == '[' {
			return Plenum
		}
		if json.Unmarshal(m.value, &has) != nil {
			continue
		}
		switch {
		case has.Provider != nil && m.name != "sample_spec":
			return LiteLLM
		case has.Models != nil:
			return ModelsDev
		}
	}
	return ""
}

// reader collects offers and faults.
type reader struct {
	day    string
	source Source
	offers []Offer
	faults Faults
	notes  Faults
	skips  int
	seen   map[[2]string]string // host and id, and the entry that had them
}

// add takes an offer that an entry of the table is about.
func (r *reader) add(entry string, o Offer) {
	if wrong := Check(&o); len(wrong) > 0 {
		for _, f := range wrong {
			f.Item = entry
			r.faults = append(r.faults, f)
		}
		return
	}
	if r.seen == nil {
		r.seen = map[[2]string]string{}
	}
	key := [2]string{o.Host, strings.ToLower(o.ID)}
	if first, ok := r.seen[key]; ok {
		at := slices.IndexFunc(r.offers, func(x Offer) bool { return x.Host == o.Host && strings.EqualFold(x.ID, o.ID) })
		if !sameRates(r.offers[at].Price, o.Price) {
			r.notes = append(r.notes, Fault{entry, "", fmt.Sprintf("is the same offer as %s (%s %s), at another price: neither is taken", first, o.Host, o.ID)})
			r.offers[at].Price = nil
		}
		return
	}
	r.seen[key] = entry
	r.offers = append(r.offers, o)
}

func (r *reader) done() (*Import, error) {
	slices.SortFunc(r.offers, func(a, b Offer) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID)) })
	out := &Import{Source: r.source, Offers: r.offers, Skipped: r.skips, Notes: r.notes}
	if len(r.faults) > 0 {
		return out, r.faults
	}
	if len(out.Offers) == 0 {
		return out, errors.New("there is no offer in it of a host that Plenum knows")
	}
	return out, nil
}

// devTable reads models.dev: providers, and in each its models.
func (r *reader) devTable(top []member) {
	r.source = Source{Name: ModelsDev, Date: r.day, URL: "https://models.dev/api.json"}
	for _, provider := range top {
		at := slices.IndexFunc(table.Places(), func(p table.Place) bool { return p.Dev == provider.name })
		var has struct{ Models json.RawMessage }
		if err := json.Unmarshal(provider.value, &has); err != nil || has.Models == nil {
			r.faults = append(r.faults, Fault{clip(provider.name), "", "has no models"})
			continue
		}
		models, err := membersOf(has.Models)
		if err != nil {
			r.faults = append(r.faults, Fault{clip(provider.name), "models", err.Error()})
			continue
		}
		if at < 0 {
			r.skips += len(models)
			continue
		}
		for _, m := range models {
			r.devModel(table.Places()[at], provider.name+"/"+m.name, m)
		}
	}
}

// devModel reads one model of models.dev.
func (r *reader) devModel(p table.Place, entry string, m member) {
	var d struct {
		Status string
		Limit  struct{ Context, Output int }
		Cost   map[string]any
	}
	dec := json.NewDecoder(bytes.NewReader(m.value))
	dec.UseNumber()
	if err := dec.Decode(&d); err != nil {
		r.faults = append(r.faults, Fault{clip(entry), "", "cannot be read: " + err.Error()})
		return
	}
	if !r.numbers(entry, "cost", d.Cost) {
		return
	}
	o := Offer{Host: p.Name, ID: m.name, Context: d.Limit.Context, Output: d.Limit.Output, Sources: []Source{r.source}}
	o.Price = priced(table.DevPrice(d.Cost), o.ID)
	switch d.Status {
	case "deprecated":
		o.Life = &Lifecycle{Stage: Deprecated, Sources: []Source{r.source}}
	case "alpha", "beta":
		o.Life = &Lifecycle{Stage: Preview, Sources: []Source{r.source}}
	}
	r.add(entry, o)
}

// numbers reports whether the rates of models.dev are numbers that are none too small or large.
func (r *reader) numbers(entry, at string, cost map[string]any) bool {
	good := true
	for name, v := range cost {
		if n, ok := v.(json.Number); ok {
			good = r.number(entry, at+"."+name, n.String(), 1) && good
		} else if v != nil && !strings.HasPrefix(name, "tiers") && !strings.HasPrefix(name, "context_") {
			r.faults = append(r.faults, Fault{clip(entry), at + "." + name, "is not a number"})
			good = false
		}
	}
	return good
}

// number reports whether the text of a rate can be one: in dollars for a million when multiplied.
func (r *reader) number(entry, field, text string, times int64) bool {
	detail := ""
	switch n := table.Exact(text, times); {
	case strings.HasPrefix(strings.TrimSpace(text), "-"):
		detail = "is less than nothing"
	case n == nil:
		detail = "is " + clip(text) + ", which is no price"
	case times > 1 && *n > dearest:
		detail = fmt.Sprintf("is %s dollars for one token: this table has prices for one token, and that is one for a million", clip(text))
	case times == 1 && *n > dearest:
		detail = fmt.Sprintf("is %s dollars for a million tokens, which nobody charges", clip(text))
	case times == 1 && *n < cheapest && strings.Trim(text, "0.eE-+") != "":
		detail = fmt.Sprintf("is %s dollars for a million tokens: this table has prices for a million, and that is one for a token", clip(text))
	}
	if detail != "" {
		r.faults = append(r.faults, Fault{clip(entry), field, detail})
	}
	return detail == ""
}

// litellmTable reads LiteLLM's table: one object of all models.
func (r *reader) litellmTable(top []member) {
	r.source = Source{Name: LiteLLM, Date: r.day, URL: "https://github.com/BerriAI/litellm"}
	all := table.Places()
	for _, m := range top {
		var l table.Litellm
		if m.name == "sample_spec" {
			continue
		}
		if err := json.Unmarshal(m.value, &l); err != nil {
			r.faults = append(r.faults, Fault{clip(m.name), "", "is no object"})
			continue
		}
		taken := false
		for _, p := range all {
			if id, ok := table.ID(p, m.name, l); ok {
				taken = r.litellmModel(p, m.name, id, l) || taken
			}
		}
		if !taken {
			r.skips++
		}
	}
}

// litellmModel reads one entry of LiteLLM's table, and reports whether it is something that Plenum calls.
func (r *reader) litellmModel(p table.Place, entry, id string, l table.Litellm) bool {
	mode := table.Mode(cmp.Or(l.Text("mode"), "chat"))
	if mode == "" || mode == "image" && strings.Contains(id, "/") {
		return false
	}
	if mode == "chat" {
		mode = ""
	}
	good := true
	for name, v := range l {
		if strings.Contains(name, "cost_per_token") || strings.Contains(name, "token_cost") {
			good = string(v) == "null" || r.number(entry, name, strings.Trim(string(v), `"`), 1_000_000) && good
		}
	}
	if !good {
		return true
	}
	o := Offer{Host: p.Name, ID: id, Mode: mode, Sources: []Source{r.source}}
	o.Context, o.Output = l.Number("max_input_tokens"), l.Number("max_output_tokens")
	switch mode {
	case "embedding", "image", "rerank", "speech", "transcription", "moderation":
		o.Output = 0 // the size of the vector, or nothing that counts
	}
	o.Price = table.LitellmPrice(l)
	if mode != "moderation" { // which is free
		o.Price = priced(o.Price, id)
	}
	if day := l.Text("deprecation_date"); len(day) == len("2026-01-01") {
		o.Life = &Lifecycle{Stage: GA, Deprecated: day, Sources: []Source{r.source}}
	}
	r.add(entry, o)
	return true
}

// priced leaves a price of nothing out: one table's zero is more often a gap than a gift.
func priced(p *Price, id string) *Price {
	if p == nil || strings.HasSuffix(id, ":free") {
		return p
	}
	for _, r := range rates(p) {
		if r.rate != nil && *r.rate > 0 {
			return p
		}
	}
	return nil
}

// own is Plenum's own form of a table.
type own struct {
	Source Source         `json:"source"`
	Offers []record.Offer `json:"offers"`
}

// ownTable reads offers in Plenum's own form.
func (r *reader) ownTable(text []byte) {
	var f own
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		r.faults = append(r.faults, Fault{"offers", "", "cannot be read: " + err.Error()})
		return
	}
	r.source = Source{Name: cmp.Or(f.Source.Name, Plenum), Date: cmp.Or(f.Source.Date, r.day), URL: f.Source.URL, License: f.Source.License}
	if !slices.Contains([]string{ModelsDev, LiteLLM}, r.source.Name) && len(r.source.Name) > 64 {
		r.faults = append(r.faults, Fault{"source", "name", "is longer than 64 characters"})
	}
	for i := range f.Offers {
		o := f.Offers[i]
		entry := fmt.Sprintf("offers[%d]", i)
		if !slices.ContainsFunc(table.Places(), func(p table.Place) bool { return p.Name == o.Host }) {
			r.faults = append(r.faults, Fault{entry, "host", fmt.Sprintf("is %q, which is no host that the catalog knows", clip(o.Host))})
			continue
		}
		o.From, o.Sources = nil, []Source{r.source}
		r.add(entry, o)
	}
}
