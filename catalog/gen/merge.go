package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

var (
	notForChat = regexp.MustCompile(`instruct-|-tts|-live|-audio|-image|embedding`)
	dateAtEnd  = regexp.MustCompile(`-(20\d\d-\d\d-\d\d|20\d{6})$`)
	pointAsP   = regexp.MustCompile(`(\d)p(\d)`)
)

// facts are what the sources say of one id.
type facts struct {
	dev     *devModel
	genai   *genaiModel
	litellm table.Litellm
	clash   bool // that table has the id twice, at different prices
}

// merge makes a provider's file.
func merge(t *tables, p table.Place, date string) *record.File {
	f := &record.File{Provider: p.Name, Made: date, Sources: t.sources, Data: handling(p.Name), Terms: terms()[p.Name]}
	all := gather(t, p)
	t.settled[p.Name], t.told[p.Name] = map[string]quote{}, map[string]record.Offer{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		o, ok := offer(t, p, id, all[id], date)
		if ok {
			o.Model = modelOf(t, p, id, all)
			f.Offers = append(f.Offers, o)
		}
	}
	share(f.Offers, all)
	complete(p, f)
	pictures(t, p, f.Offers)
	f.Offers = fold(f.Offers)
	return f
}

// share gives the rates of long prompts to the other ids of the same model: one that is left out of a
// table under one name is meant under the others too.
func share(offers []record.Offer, all map[string]*facts) {
	over := map[*genaiModel]*record.Price{}
	for _, o := range offers {
		if m := all[o.ID].genai; m != nil && o.Price != nil && o.Price.Over != nil {
			over[m] = o.Price
		}
	}
	for _, o := range offers {
		m := all[o.ID].genai
		if long := over[m]; m != nil && m.since == "" && long != nil && o.Price != nil && plain(long) == plain(o.Price) {
			o.Price.Over = long.Over
		}
	}
}

// gather collects what is said of each id of a provider.
func gather(t *tables, p table.Place) map[string]*facts {
	all := map[string]*facts{}
	of := func(id string) *facts {
		if all[id] == nil {
			all[id] = &facts{}
		}
		return all[id]
	}
	for id, m := range t.dev[p.Dev] {
		if p.Name == "huggingface" {
			m.Cost = nil // the bare id is sent on to whichever host, at its price
		}
		of(id).dev = &m
	}
	for _, key := range slices.Sorted(maps.Keys(t.litellm)) {
		if id, ok := table.ID(p, key, t.litellm[key]); ok {
			of(id).enter(t.litellm[key])
		}
	}
	if p.Vendor || p.Name == "groq" || p.Name == "cerebras" || p.Name == "together" || p.Name == "fireworks" {
		for _, m := range t.genai[p.Genai] {
			for _, id := range m.Match.ids() {
				of(id).genai = &m
			}
		}
	}
	for id, f := range all {
		if f.genai == nil {
			f.genai = find(t.genai[p.Genai], p.Name, id)
		}
	}
	if p.Name == "huggingface" {
		hosts(t, of)
	}
	return all
}

// enter takes an entry of LiteLLM's table.
func (f *facts) enter(m table.Litellm) {
	if f.litellm == nil {
		f.litellm = m
		return
	}
	a, b := table.LitellmPrice(f.litellm), table.LitellmPrice(m)
	f.clash = f.clash || a == nil || b == nil || plain(a) != plain(b)
}

// hosts adds the ids that name the host which Hugging Face sends them to.
func hosts(t *tables, of func(string) *facts) {
	for provider, list := range t.genai {
		host, ok := strings.CutPrefix(provider, "huggingface_")
		if !ok {
			continue
		}
		for _, m := range list {
			for _, id := range m.Match.ids() {
				if id, named, _ := strings.Cut(id, ":"); named == "" || named == host {
					of(id + ":" + host).genai = &m
				}
			}
		}
	}
}

func find(list []genaiModel, place, id string) *genaiModel {
	for i := range list {
		if list[i].Match.fits(id) || place == "bedrock" && list[i].Match.begins(id) {
			return &list[i]
		}
	}
	return nil
}

// offer merges what is said of one id; false if it is nothing that is called with tokens.
func offer(t *tables, p table.Place, id string, f *facts, date string) (record.Offer, bool) {
	o := record.Offer{ID: id, Mode: modeOf(f)}
	if skipped(p, id, f, o.Mode) {
		return o, false
	}
	o.Context, o.Output = limits(f)
	quotes := quotesOf(t, p, id, f)
	if o.Mode == "embedding" || o.Mode == "rerank" {
		o.Output = 0 // the tables have the size of the vector there, or nothing that counts
	}
	price, from, disputed := settle(quotes)
	if price != nil && free(price) && len(from) < 2 && !strings.HasSuffix(id, ":free") && o.Mode != "moderation" {
		price = nil // one table's zero is more often a gap than a gift
	}
	o.Price, o.Disputed = price, disputed
	t.settled[p.Name][id] = quote{-1, sinceOf(quotes, price), price}
	o.From = witnesses(f)
	if o.Price != nil {
		o.Price.Since = sinceOf(quotes, price)
		o.Past = past(f, o.Price)
		if other := lender(t, p, &o); other != nil && len(from) == 0 {
			from, o.Past = said(other), other.Past
		}
		if !slices.Equal(from, o.From) {
			o.Price.From = from
		}
	}
	t.told[p.Name][id] = o
	o.Quotes = differing(quotes)
	o.Life = life(p, id, f)
	o.Listed = listed(p, f, &o, date)
	traits(p, f, &o)
	hostTraits(p, &o)
	switch o.Mode {
	case "image", "speech", "transcription", "moderation", "rerank":
		o.Output, o.Can, o.Cannot = 0, nil, nil
		if o.Mode != "rerank" {
			o.Context = 0 // the tables mean different things by it
		}
	}
	return o, o.Price != nil || o.Context != 0
}

// lender returns the offer of another provider whose price an offer has; nil where there is none.
func lender(t *tables, p table.Place, o *record.Offer) *record.Offer {
	for _, name := range p.Follows {
		if other := t.told[name][homeID(p, o.ID)]; other.Price != nil && plain(other.Price) == plain(o.Price) {
			return &other
		}
	}
	return nil
}

// said returns the numbers of the sources of an offer's price.
func said(o *record.Offer) []int {
	if o.Price.From != nil {
		return o.Price.From
	}
	return o.From
}

// quotesOf collects what the sources say that an id costs.
func quotesOf(t *tables, p table.Place, id string, f *facts) []quote {
	var quotes []quote
	add := func(from int, since string, price *record.Price) {
		if price != nil && !table.Absurd(price) {
			quotes = append(quotes, quote{from, since, price})
		}
	}
	if f.dev != nil {
		add(fromDev, "", table.DevPrice(f.dev.Cost))
	}
	if f.genai != nil {
		add(fromGenai, f.genai.since, genaiQuote(*f.genai))
	}
	if !f.clash {
		add(fromLitellm, "", table.LitellmPrice(f.litellm))
	}
	for _, other := range p.Follows {
		if q := t.settled[other][homeID(p, id)]; len(quotes) > 0 {
			add(q.from, q.since, q.price)
		}
	}
	return quotes
}

// sinceOf returns the day from which a settled price holds, where a source says it.
func sinceOf(quotes []quote, price *record.Price) string {
	for _, q := range quotes {
		if price != nil && q.since != "" && plain(q.price) == plain(price) {
			return q.since
		}
	}
	return ""
}

func free(p *record.Price) bool {
	return plain(p) == "0 0" && p.Over == nil && p.Image == nil && p.Search == nil && p.Character == nil && p.Second == nil
}

func witnesses(f *facts) []int {
	var out []int
	if f.dev != nil {
		out = append(out, fromDev)
	}
	if f.genai != nil {
		out = append(out, fromGenai)
	}
	if f.litellm != nil {
		out = append(out, fromLitellm)
	}
	return out
}

// skipped reports whether an id is not to be in the catalog: what is paid by the picture, second or
// page, ids that only one table made up, and, of the many at the market places, those not on offer.
func skipped(p table.Place, id string, f *facts, mode string) bool {
	if strings.HasPrefix(id, "~") || strings.ContainsAny(id, " \t") || len(id) > 200 {
		return true
	}
	if f.dev == nil && (p.Name == "openrouter" || f.litellm == nil && doubtful(p, id, f)) {
		return true
	}
	return mode == "other" || mode == "image" && (f.litellm == nil || strings.Contains(id, "/"))
}

// doubtful reports whether an id that only genai-prices has may not be one at this provider: that table
// has prices of market places among those of the vendors, without the size of the context.
func doubtful(p table.Place, id string, f *facts) bool {
	elsewhere := p.Publisher != "" && strings.ContainsAny(id, "/:")
	return elsewhere || f.genai.Context == 0 && p.Name != "huggingface"
}

// modeOf says what an offer is called for: "" is chat, "other" nothing that tokens pay for.
func modeOf(f *facts) string {
	mode := f.litellm.Text("mode")
	switch ours := table.Mode(mode); {
	case ours == "chat":
		return ""
	case ours == "image" && f.dev != nil && slices.Contains(f.dev.Modalities.Output, "text"):
		return "" // it answers with words as well
	case ours != "":
		return ours
	case mode != "":
		return "other"
	}
	if f.dev != nil && len(f.dev.Modalities.Output) > 0 && !slices.Contains(f.dev.Modalities.Output, "text") {
		return "other"
	}
	if f.dev != nil && strings.Contains(f.dev.Name, "mbedding") {
		return "embedding"
	}
	return ""
}

func limits(f *facts) (context, output int) {
	if f.dev != nil {
		context, output = f.dev.Limit.Context, f.dev.Limit.Output
	}
	if context == 0 {
		context = f.litellm.Number("max_input_tokens")
	}
	if output == 0 {
		output = f.litellm.Number("max_output_tokens")
	}
	if context == 0 && f.genai != nil {
		context = f.genai.Context
	}
	return context, output
}

// listed reports whether a start without configuration may name an offer: everyone can call it under
// this id, today, for chat.
func listed(p table.Place, f *facts, o *record.Offer, date string) bool {
	if p.Unnamed || o.Mode != "" || ends(o.Life.At(date)) || notForChat.MatchString(o.ID) {
		return false
	}
	return f.dev != nil || slices.Contains(p.Newer, o.ID)
}

// fold makes one record of ids that differ in nothing but their name.
func fold(offers []record.Offer) []record.Offer {
	var out []record.Offer
	at := map[string]int{}
	for _, o := range offers {
		same := o
		same.ID = ""
		key, err := json.Marshal(same)
		i, ok := at[string(key)]
		if ok && err == nil && o.Model != "" && !o.Listed {
			out[i].Also = append(out[i].Also, o.ID)
			continue
		}
		at[string(key)] = len(out)
		out = append(out, o)
	}
	return out
}

// modelOf names the model that an id stands for.
func modelOf(t *tables, p table.Place, id string, all map[string]*facts) string {
	if f := all[id]; f.dev != nil && f.dev.Base != "" {
		return f.dev.Base
	}
	if p.Name == "vertex" || p.Name == "bedrock" {
		return cloudModel(t, p, id)
	}
	bare, _, _ := strings.Cut(id, ":")
	publisher, name, ok := strings.Cut(bare, "/")
	switch {
	case ok && p.Name == "openrouter":
		return undated(t, publisherName(publisher)+"/"+name)
	case !ok && p.Publisher != "":
		if short := strings.TrimSuffix(bare, "-latest"); all[short] != nil {
			bare = short
		}
		return undated(t, p.Publisher+"/"+bare)
	}
	return named(t, bare)
}

// publisherName gives a lab the one name that it has in the catalog.
func publisherName(s string) string {
	other := map[string]string{
		"x-ai": "xai", "mistralai": "mistral", "meta-llama": "meta", "qwen": "alibaba", "z-ai": "zhipuai",
	}
	s = strings.ToLower(s)
	if n, ok := other[s]; ok {
		return n
	}
	return s
}

// undated drops the date from a model's name, unless that is how the model is known.
func undated(t *tables, id string) string {
	if _, ok := t.devModels[id]; ok {
		return id
	}
	return dateAtEnd.ReplaceAllString(id, "")
}

// named finds the model whose name, written in any of the usual ways, ends an id; "" if there is none.
func named(t *tables, id string) string {
	want := spelled(id)
	found := ""
	for m := range t.devModels {
		if spelled(m) == want {
			if found != "" {
				return ""
			}
			found = m
		}
	}
	return found
}

// spelled reduces the ways of writing a model's name to one.
func spelled(id string) string {
	id = strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])
	id = pointAsP.ReplaceAllString(id, "$1-$2")
	return strings.NewReplacer(".", "-", "_", "-").Replace(id)
}
