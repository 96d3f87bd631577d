package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// rawNumber is a number as it was written.
type rawNumber string

// UnmarshalJSON keeps the text.
func (n *rawNumber) UnmarshalJSON(b []byte) error { //nolint:unparam // as json.Unmarshaler wants it
	*n = rawNumber(b)
	return nil
}

func decodes(b json.RawMessage, into any) bool { return len(b) > 0 && json.Unmarshal(b, into) == nil }

// place is a provider and what the sources call it.
type place struct {
	name      string
	publisher string // of models whose ids name no publisher
	dev       string
	genai     string
	follows   []string // providers whose prices this one mostly has; they stand before it
	litellm   []string // LiteLLM's names, each the prefix of its keys as well
	vendor    bool     // its models are its own, so that every source's ids are ids there
	unnamed   bool     // callers reach models under names of their own, so that none is listed
	newer     []string // models that came after models.dev was read, to be listed all the same
}

func places() []place {
	return []place{
		{name: "xai", publisher: "xai", dev: "xai", genai: "x-ai", litellm: []string{"xai"}, vendor: true, newer: []string{"grok-4.5"}},
		{name: "openai", publisher: "openai", dev: "openai", genai: "openai", litellm: []string{"openai"}, vendor: true, newer: []string{"gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra"}},
		{name: "anthropic", publisher: "anthropic", dev: "anthropic", genai: "anthropic", litellm: []string{"anthropic"}, vendor: true, newer: []string{"claude-opus-5"}},
		{name: "azure", dev: "azure", genai: "azure", follows: []string{"openai", "anthropic", "xai"}, litellm: []string{"azure", "azure_ai"}, vendor: true, unnamed: true},
		{name: "gemini", publisher: "google", dev: "google", genai: "google", litellm: []string{"gemini"}, newer: []string{"gemini-3.6-flash"}},
		{name: "vertex", dev: "google-vertex", genai: "google", follows: []string{"anthropic", "gemini", "xai"}, litellm: vertexNames(), unnamed: true},
		{name: "bedrock", dev: "amazon-bedrock", genai: "aws", follows: []string{"anthropic"}, litellm: []string{"bedrock", "bedrock_converse", "bedrock_mantle"}, unnamed: true},
		{name: "cohere", publisher: "cohere", dev: "cohere", genai: "cohere", litellm: []string{"cohere", "cohere_chat"}},
		{name: "groq", dev: "groq", genai: "groq", litellm: []string{"groq"}},
		{name: "mistral", publisher: "mistral", dev: "mistral", genai: "mistral", litellm: []string{"mistral"}, vendor: true},
		{name: "deepseek", publisher: "deepseek", dev: "deepseek", genai: "deepseek", litellm: []string{"deepseek"}, vendor: true},
		{name: "together", dev: "togetherai", genai: "together", litellm: []string{"together_ai"}},
		{name: "fireworks", dev: "fireworks-ai", genai: "fireworks", litellm: []string{"fireworks_ai"}},
		{name: "openrouter", dev: "openrouter", genai: "openrouter", litellm: []string{"openrouter"}},
		{name: "perplexity", publisher: "perplexity", dev: "perplexity", genai: "perplexity", litellm: []string{"perplexity"}, vendor: true},
		{name: "cerebras", dev: "cerebras", genai: "cerebras", litellm: []string{"cerebras"}},
		{name: "nvidia", dev: "nvidia", litellm: []string{"nvidia_nim"}},
		{name: "huggingface", dev: "huggingface", litellm: []string{"huggingface"}},
		{name: "moonshot", publisher: "moonshotai", dev: "moonshotai", genai: "moonshotai", litellm: []string{"moonshot"}, vendor: true, newer: []string{"kimi-k3"}},
		// The other prices of this publisher are those of its place in China, in another currency.
		{name: "zai", publisher: "zhipuai", litellm: []string{"zai"}, vendor: true, newer: []string{"glm-4.5", "glm-4.5-air", "glm-4.6", "glm-4.7", "glm-5", "glm-5.1"}},
	}
}

// facts are what the sources say of one id.
type facts struct {
	dev     *devModel
	genai   *genaiModel
	litellm litellmModel
	clash   bool // that table has the id twice, at different prices
}

// merge makes a provider's file.
func merge(t *tables, p place, date string) *record.File {
	f := &record.File{Provider: p.name, Made: date, Sources: t.sources}
	all := gather(t, p)
	t.settled[p.name] = map[string]quote{}
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
func gather(t *tables, p place) map[string]*facts {
	all := map[string]*facts{}
	of := func(id string) *facts {
		if all[id] == nil {
			all[id] = &facts{}
		}
		return all[id]
	}
	for id, m := range t.dev[p.dev] {
		if p.name == "huggingface" {
			m.Cost = nil // the bare id is sent on to whichever host, at its price
		}
		of(id).dev = &m
	}
	for _, key := range slices.Sorted(maps.Keys(t.litellm)) {
		if id, ok := litellmID(p, key, t.litellm[key]); ok {
			of(id).enter(t.litellm[key])
		}
	}
	if p.vendor || p.name == "groq" || p.name == "cerebras" || p.name == "together" || p.name == "fireworks" {
		for _, m := range t.genai[p.genai] {
			for _, id := range m.Match.ids() {
				of(id).genai = &m
			}
		}
	}
	for id, f := range all {
		if f.genai == nil {
			f.genai = find(t.genai[p.genai], p.name, id)
		}
	}
	if p.name == "huggingface" {
		hosts(t, of)
	}
	return all
}

// enter takes an entry of LiteLLM's table.
func (f *facts) enter(m litellmModel) {
	if f.litellm == nil {
		f.litellm = m
		return
	}
	a, b := litellmQuote(f.litellm), litellmQuote(m)
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

// litellmID returns the id at the provider that an entry of LiteLLM's table is about.
func litellmID(p place, key string, m litellmModel) (string, bool) {
	name := m.text("litellm_provider")
	if !slices.Contains(p.litellm, name) || len(m) < 3 {
		return "", false
	}
	if id, ok := cloudID(p, key); ok || p.name == "vertex" || p.name == "bedrock" || p.name == "cohere" {
		return id, ok
	}
	id, prefixed := strings.CutPrefix(key, name+"/")
	if p.name == "azure" && (strings.Contains(id, "/") || !prefixed) {
		return "", false // prices of one region or kind of capacity
	}
	if p.name == "fireworks" && !strings.HasPrefix(id, "accounts/") || p.name == "together" && !strings.Contains(id, "/") {
		return "", false // classes of models by size
	}
	if strings.HasPrefix(id, "ft:") || strings.Contains(id, "*") {
		return "", false
	}
	return id, p.name == "openai" || p.name == "anthropic" || p.name == "deepseek" || prefixed
}

// offer merges what is said of one id; false if it is nothing that is called with tokens.
func offer(t *tables, p place, id string, f *facts, date string) (record.Offer, bool) {
	o := record.Offer{ID: id, Mode: modeOf(f)}
	if skipped(p, id, f, o.Mode) {
		return o, false
	}
	o.Context, o.Output = limits(f)
	quotes := quotesOf(t, p, id, f)
	if o.Mode == "embedding" {
		o.Output = 0 // the tables have the size of the vector there
	}
	price, from, disputed := settle(quotes)
	if price != nil && free(price) && len(from) < 2 && !strings.HasSuffix(id, ":free") {
		price = nil // one table's zero is more often a gap than a gift
	}
	o.Price, o.Disputed = price, disputed
	t.settled[p.name][id] = quote{-1, sinceOf(quotes, price), price}
	o.From = witnesses(f)
	if expired(f, date) {
		o.Status = "deprecated"
	}
	o.Listed = listed(p, f, &o)
	traits(p, f, &o)
	hostTraits(p, &o)
	if o.Mode == "image" {
		o.Context, o.Output, o.Can, o.Cannot = 0, 0, nil, nil
	}
	return o, o.Price != nil || o.Context != 0
}

// quotesOf collects what the sources say that an id costs.
func quotesOf(t *tables, p place, id string, f *facts) []quote {
	var quotes []quote
	add := func(from int, since string, price *record.Price) {
		if price != nil && !absurd(price) {
			quotes = append(quotes, quote{from, since, price})
		}
	}
	if f.dev != nil {
		add(fromDev, "", devQuote(*f.dev))
	}
	if f.genai != nil {
		add(fromGenai, f.genai.since, genaiQuote(*f.genai))
	}
	if !f.clash {
		add(fromLitellm, "", litellmQuote(f.litellm))
	}
	for _, other := range p.follows {
		if q := t.settled[other][homeID(p, id)]; len(quotes) > 0 {
			add(q.from, q.since, q.price)
		}
	}
	return quotes
}

// absurd reports whether a price is beyond anything that is charged: a table has the price of a
// million as that of a thousand.
func absurd(p *record.Price) bool { return *p.Input > 1000_000_000 }

// sinceOf returns the day from which a settled price holds, where a source says it.
func sinceOf(quotes []quote, price *record.Price) string {
	for _, q := range quotes {
		if price != nil && q.since != "" && plain(q.price) == plain(price) {
			return q.since
		}
	}
	return ""
}

func free(p *record.Price) bool { return plain(p) == "0 0" && p.Over == nil && p.Image == nil }

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
func skipped(p place, id string, f *facts, mode string) bool {
	if strings.HasPrefix(id, "~") || strings.ContainsAny(id, " \t") || len(id) > 200 {
		return true
	}
	if f.dev == nil && (p.name == "openrouter" || f.litellm == nil && doubtful(p, id, f)) {
		return true
	}
	return mode == "other" || mode == "image" && (f.litellm == nil || strings.Contains(id, "/"))
}

// doubtful reports whether an id that only genai-prices has may not be one at this provider: that table
// has prices of market places among those of the vendors, without the size of the context.
func doubtful(p place, id string, f *facts) bool {
	elsewhere := p.publisher != "" && strings.ContainsAny(id, "/:")
	return elsewhere || f.genai.Context == 0 && p.name != "huggingface"
}

// modeOf says what an offer is called for: "" is chat, "other" nothing that tokens pay for.
func modeOf(f *facts) string {
	mode := f.litellm.text("mode")
	switch mode {
	case "responses", "embedding", "realtime":
		return mode
	case "chat", "completion":
		return ""
	case "image_generation":
		if f.dev != nil && slices.Contains(f.dev.Modalities.Output, "text") {
			return "" // it answers with words as well
		}
		return "image"
	case "":
	default:
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
		context = f.litellm.number("max_input_tokens")
	}
	if output == 0 {
		output = f.litellm.number("max_output_tokens")
	}
	if context == 0 && f.genai != nil {
		context = f.genai.Context
	}
	return context, output
}

func expired(f *facts, date string) bool {
	if f.dev != nil && f.dev.Status == "deprecated" || f.genai != nil && f.genai.Deprecated {
		return true
	}
	end := f.litellm.text("deprecation_date")
	return end != "" && end <= date
}

// listed reports whether a start without configuration may name an offer: everyone can call it under
// this id, today, for chat.
func listed(p place, f *facts, o *record.Offer) bool {
	if p.unnamed || o.Mode != "" || o.Status != "" || regexp.MustCompile(`instruct-|-tts|-live|-audio|-image|embedding`).MatchString(o.ID) {
		return false
	}
	return f.dev != nil || slices.Contains(p.newer, o.ID)
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
func modelOf(t *tables, p place, id string, all map[string]*facts) string {
	if f := all[id]; f.dev != nil && f.dev.Base != "" {
		return f.dev.Base
	}
	if p.name == "vertex" || p.name == "bedrock" {
		return cloudModel(t, p, id)
	}
	bare, _, _ := strings.Cut(id, ":")
	publisher, name, ok := strings.Cut(bare, "/")
	switch {
	case ok && p.name == "openrouter":
		return undated(t, publisherName(publisher)+"/"+name)
	case !ok && p.publisher != "":
		if short := strings.TrimSuffix(bare, "-latest"); all[short] != nil {
			bare = short
		}
		return undated(t, p.publisher+"/"+bare)
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
	return regexp.MustCompile(`-(20\d\d-\d\d-\d\d|20\d{6})$`).ReplaceAllString(id, "")
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
	id = regexp.MustCompile(`(\d)p(\d)`).ReplaceAllString(id, "$1-$2")
	return strings.NewReplacer(".", "-", "_", "-").Replace(id)
}
