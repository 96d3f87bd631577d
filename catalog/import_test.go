package catalog_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/specs"
)

const devTable = `{
	"xai": {"id": "xai", "name": "xAI", "models": {
		"grok-4.3": {"id": "grok-4.3", "limit": {"context": 1000000, "output": 30000}, "cost": {"input": 1.5, "output": 3, "cache_read": 0.2, "context_over_200k": {"input": 3, "output": 6}}},
		"grok-9": {"id": "grok-9", "status": "beta", "limit": {"context": 2000000, "output": 30000}, "cost": {"input": 9, "output": 90}}}},
	"nobody": {"models": {"x": {}, "y": {}}}}`

const liteTable = `{
	"sample_spec": {"litellm_provider": "one of https://docs.litellm.ai/docs/providers"},
	"xai/grok-4.3": {"litellm_provider": "xai", "mode": "chat", "max_input_tokens": 1000000, "input_cost_per_token": 1.25e-06, "output_cost_per_token": 2.5e-06, "deprecation_date": "2027-05-15"},
	"azure/gpt-4o": {"litellm_provider": "azure", "mode": "chat", "max_input_tokens": 128000, "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
	"somebody/else": {"litellm_provider": "somebody", "mode": "chat", "max_input_tokens": 1}}`

func mustRead(t testing.TB, text, day string) *catalog.Import {
	t.Helper()
	i, err := catalog.ReadTable([]byte(text), day)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func layer(t testing.TB, rank catalog.Rank, i *catalog.Import) *catalog.Layer {
	t.Helper()
	l, err := catalog.NewLayer(rank, i.Source, i.Offers)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTablesAreKnownByTheirShape(t *testing.T) {
	dev, lite := mustRead(t, devTable, "2026-11-01"), mustRead(t, liteTable, "2026-11-02")
	if dev.Source.Name != "models.dev" || dev.Source.Date != "2026-11-01" || len(dev.Offers) != 2 || dev.Skipped != 2 {
		t.Errorf("models.dev: %+v", dev)
	}
	if lite.Source.Name != "litellm" || len(lite.Offers) != 2 || lite.Skipped != 1 {
		t.Errorf("LiteLLM: %+v", lite)
	}
	if got := dev.Offers[0].Price; *got.Input != 1_500_000 || got.Over.Above != 200_000 || *got.Over.Output != 6_000_000 {
		t.Errorf("the price is %+v", got)
	}
	if got := dev.Offers[1].Life; got == nil || got.Stage != catalog.Preview {
		t.Errorf("its life is %+v", got)
	}
	if got := lite.Offers[1]; got.ID != "grok-4.3" || *got.Price.Output != 2_500_000 || got.Life.At("2027-05-15") != catalog.Deprecated {
		t.Errorf("the offer is %+v", got)
	}
}

// TestWhoseWordCounts has a card before imports, the newest import before older ones, and all before what is built in.
func TestWhoseWordCounts(t *testing.T) {
	built := catalog.New()
	dev := layer(t, catalog.Imported, mustRead(t, devTable, "2026-11-01"))
	lite := layer(t, catalog.Imported, mustRead(t, liteTable, "2026-11-02"))
	four := catalog.Rate(4_000_000)
	card, err := catalog.NewLayer(catalog.Card, catalog.Source{Name: "card", Date: "2026-01-01"},
		[]catalog.Offer{{Host: "xai", ID: "grok-4.3", Price: &catalog.Price{Input: &four, Output: &four}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		c    *catalog.Catalog
		want plenum.Rate
		why  string
	}{
		{built, 1_250_000, "catalog 2026-11-22"},
		{built.With(dev), 1_500_000, "import models.dev 2026-11-01"},
		{built.With(dev, lite), 1_250_000, "import litellm 2026-11-02"},
		{built.With(lite, dev, card), 4_000_000, "card card 2026-01-01"},
	} {
		f, ok := tt.c.Offer("xai", "grok-4.3")
		if !ok || f.Price.Input != tt.want || f.Price.Source != tt.why || f.Model != "xai/grok-4.3" || f.Context != 1_000_000 {
			t.Errorf("want %d of %s, got %+v", tt.want, tt.why, f)
		}
	}
	if f, ok := built.With(dev).Offer("xai", "grok-9"); !ok || f.Price.Input != 9_000_000 || f.Life.Stage != catalog.Preview {
		t.Errorf("an offer that is new: %+v", f)
	}
	if _, ok := built.Offer("xai", "grok-9"); ok {
		t.Error("the catalog without the layer has its offer")
	}
	if f, _ := built.With(dev).Offer("xai", "grok-4.5"); f.Price.Input != 2_000_000 {
		t.Errorf("what the layer does not speak of: %+v", f.Price)
	}
}

func TestAnImportKeepsWhatHeldBefore(t *testing.T) {
	first := layer(t, catalog.Imported, mustRead(t, devTable, "2026-10-01"))
	later := mustRead(t, strings.Replace(devTable, `"input": 9,`, `"input": 8,`, 1), "2026-11-01")
	merged, err := catalog.Merge(first, later)
	if err != nil {
		t.Fatal(err)
	}
	c := catalog.New().With(layer(t, catalog.Imported, merged))
	f, _ := c.Offer("xai", "grok-9")
	for at, want := range map[string]plenum.Micros{"2026-10-31T23:59:59Z": 9_000_000, "2026-11-01T00:00:00Z": 8_000_000} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Price.For(plenum.Terms{At: when}).Cost(llm.Usage{Input: 1_000_000}); got != want {
			t.Errorf("at %s it costs %s", at, got)
		}
	}
	if f, _ := c.Offer("xai", "grok-4.3"); f.Price.Before != nil {
		t.Error("a price that is the same has one before it")
	}
	if _, err := catalog.Merge(layer(t, catalog.Imported, merged), mustRead(t, devTable, "2026-09-01")); err == nil {
		t.Error("an older table takes the place of a newer one")
	}
	less := mustRead(t, `{"xai":{"models":{"grok-4.3":{"cost":{"input":1.5,"output":3}}}}}`, "2026-12-01")
	if merged, err = catalog.Merge(layer(t, catalog.Imported, merged), less); err != nil || len(merged.Offers) != 2 {
		t.Errorf("what a later table does not have is lost: %v, %v", merged, err)
	}
}

func TestConflictsAreShown(t *testing.T) {
	c := catalog.New().With(layer(t, catalog.Imported, mustRead(t, devTable, "2026-11-01")), layer(t, catalog.Imported, mustRead(t, liteTable, "2026-11-02")))
	found := c.Conflicts(catalog.Query{Host: "xai", Text: "grok-4.3"}, "")
	if len(found) != 1 || len(found[0].Claims) != 3 || !found[0].Disagree || found[0].Stale {
		t.Fatalf("they are %+v", found)
	}
	first, second := found[0].Claims[0], found[0].Claims[1]
	if !first.Applied || first.Why != "the newest import" || first.Sources[0].Name != "litellm" || second.Applied || second.Why != "an older import" {
		t.Errorf("the claims are %+v", found[0].Claims)
	}
	if got := catalog.New().Conflicts(catalog.Query{Host: "xai"}, "2026-11-01"); len(got) < 20 || !got[0].Stale {
		t.Errorf("%d prices are stale", len(got))
	}
	disputed := catalog.New().Conflicts(catalog.Query{Host: "xai"}, "")
	if len(disputed) != 1 || disputed[0].ID != "grok-4.20-0309-reasoning" || disputed[0].Claims[0].Applied {
		t.Errorf("what the program's own sources dispute: %+v", disputed)
	}
}

func TestImpossibleFactsAreRefused(t *testing.T) {
	dev := func(cost string) string { return `{"xai":{"models":{"g":{"cost":` + cost + `}}}}` }
	lite := func(more string) string { return `{"xai/g":{"litellm_provider":"xai","mode":"chat",` + more + `}}` }
	offers := func(offer string) string {
		return `{"source":{"name":"mine","date":"2026-11-01"},"offers":[{"host":"xai","id":"g",` + offer + `}]}`
	}
	for text, want := range map[string]string{
		``:                         "no JSON object",
		`[]`:                       "no JSON object",
		`{}`:                       "no table that can be read",
		`{"a":{"b":1}}`:            "no table that can be read",
		devTable + `{}`:            "something behind the end",
		devTable[:len(devTable)-1]: "not JSON",
		`{"xai":{"models":{}},"xai":{"models":{}}}`:                     `"xai" is there twice`,
		`{"xai":{"models":{"g":{},"g":{}}}}`:                            `"g" is there twice`,
		dev(`{"input":-1,"output":2}`):                                  "xai/g: cost.input is less than nothing",
		dev(`{"input":NaN,"output":2}`):                                 "not JSON",
		dev(`{"input":"NaN","output":2}`):                               "cost.input is not a number",
		dev(`{"input":1e999999999,"output":2}`):                         "which is no price",
		dev(`{"input":3000000,"output":2}`):                             "which nobody charges",
		dev(`{"input":0.000003,"output":2}`):                            "that is one for a token",
		lite(`"input_cost_per_token":3,"output_cost_per_token":15`):     "that is one for a million",
		lite(`"input_cost_per_token":-3e-6,"output_cost_per_token":1`):  "less than nothing",
		lite(`"input_cost_per_token":"x","output_cost_per_token":1e-6`): "which is no price",
		offers(`"price":{"input":-1,"output":1}`):                       "price.input is less than nothing",
		offers(`"price":{"input":3000000,"output":1}`):                  "which nobody charges",
		offers(`"prices":{}`):                                           "unknown field",
		offers(`"price":{"input":1,"since":"tomorrow"}`):                "no day such as",
		offers(`"price":{"input":1,"since":"2026-03-01"},"past":[{"input":2,"since":"2026-01-01","until":"2026-04-01"}]`): "they overlap",
		offers(`"price":{"input":1},"past":[{"input":2,"until":"2026-04-01"}]`):                                           "since when it holds",
		offers(`"price":{"input":1,"since":"2026-03-01"},"past":[{"input":2}]`):                                           "until when did it hold",
		offers(`"lifecycle":{"deprecated":"2026-03-01","retires":"2026-02-01"}`):                                          "before it is deprecated",
		strings.Replace(offers(`"context":1`), `"xai"`, `"nowhere"`, 1):                                                   "no host that the catalog knows",
	} {
		_, err := catalog.ReadTable([]byte(text), "2026-11-01")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s\n\tis refused with %v, want %q", text, err, want)
		}
	}
}

// TestLiteLLMsWholeTable is read, and its one entry with the price of a million as that of a token is named.
func TestLiteLLMsWholeTable(t *testing.T) {
	text, err := os.ReadFile(specs.Folder(t, "prices") + "/litellm_model_prices_and_context_window.json")
	if err != nil {
		t.Fatal(err)
	}
	i, err := catalog.ReadTable(text, "2026-08-06")
	var faults catalog.Faults
	if !errors.As(err, &faults) || len(faults) != 2 || faults[0].Item != "azure_ai/jais-30b-chat" {
		t.Errorf("it is refused with %v", err)
	}
	if len(i.Offers) < 1000 || len(i.Notes) == 0 {
		t.Errorf("%d offers, and %d are there twice", len(i.Offers), len(i.Notes))
	}
	l := layer(t, catalog.Imported, i)
	if again, err := catalog.Merge(l, i); err != nil || len(again.Offers) != len(i.Offers) {
		t.Errorf("once more: %d, %v", len(again.Offers), err)
	}
	if f, ok := catalog.New().With(l).Offer("bedrock", "us.anthropic.claude-opus-4-8"); !ok || !f.Price.Known {
		t.Errorf("an offer of it: %+v", f)
	}
}

// TestModelsDevsWholeTable makes the table as models.dev publishes it, of the same files and by the same rules, and reads it.
func TestModelsDevsWholeTable(t *testing.T) {
	root := specs.Folder(t, "models.dev")
	table := map[string]map[string]any{}
	count := 0
	err := filepath.WalkDir(filepath.Join(root, "providers"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".toml" {
			return err
		}
		within, err := filepath.Rel(filepath.Join(root, "providers"), path)
		if err != nil {
			return err
		}
		provider, name, _ := strings.Cut(within, "/")
		if table[provider] == nil {
			table[provider] = map[string]any{"models": map[string]any{}}
		}
		of := readTOML(t, path)
		if name == "provider.toml" {
			of["models"] = table[provider]["models"]
			of["id"] = provider
			table[provider] = of
			return nil
		}
		if base, ok := of["base_model"].(string); ok {
			of = over(readTOML(t, filepath.Join(root, "models", base+".toml")), of)
		}
		id := strings.TrimSuffix(strings.TrimPrefix(name, "models/"), ".toml")
		of["id"] = id
		table[provider]["models"].(map[string]any)[id] = of //nolint:forcetypeassert // it is made above
		count++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	in, err := catalog.ReadTable(text, "2026-11-20")
	if err != nil {
		t.Fatal(err)
	}
	priced, over200k := 0, 0
	for _, o := range in.Offers {
		if o.Price != nil {
			priced++
			if o.Price.Over != nil {
				over200k++
			}
		}
	}
	if count < 1000 || len(in.Offers) < 900 || len(in.Offers)+in.Skipped != count || priced < 800 || over200k < 20 {
		t.Errorf("of %d models %d are offers, %d of them with a price and %d with one for long prompts; %d were skipped", count, len(in.Offers), priced, over200k, in.Skipped)
	}
	t.Logf("of %d models %d are offers, %d of them with a price and %d with one for long prompts; %d are of hosts that Plenum does not know", count, len(in.Offers), priced, over200k, in.Skipped)
}

// readTOML reads a file, or the one that a link names which a checkout has left as a text.
func readTOML(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if to := strings.TrimSpace(string(text)); strings.HasSuffix(to, ".toml") && !strings.Contains(to, "\n") {
		return readTOML(t, filepath.Join(filepath.Dir(path), to))
	}
	var out map[string]any
	if err := toml.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// over puts members over those of a base, however deep.
func over(base, of map[string]any) map[string]any {
	for k, v := range of {
		deep, isMap := v.(map[string]any)
		was, wasMap := base[k].(map[string]any)
		if isMap && wasMap {
			v = over(was, deep)
		}
		base[k] = v
	}
	return base
}

func TestSearch(t *testing.T) {
	c := catalog.New()
	one, yes := catalog.Rate(1_000_000), true
	for _, tt := range []struct {
		q        catalog.Query
		has, not string
	}{
		{catalog.Query{Text: "grok 4.3"}, "xai/grok-4.3", "openai/gpt-5.4"},
		{catalog.Query{Publisher: "xai"}, "xai/grok-4.7", "openai/gpt-5.4"},
		{catalog.Query{Task: "image"}, "openai/gpt-image-1", "xai/grok-4.3"},
		{catalog.Query{Task: "embedding"}, "openai/text-embedding-3-small", "xai/grok-4.3"},
		{catalog.Query{Modality: "audio"}, "google/gemini-2.5-flash", "xai/grok-4.3"},
		{catalog.Query{Modality: "image", MaxInput: &one}, "google/gemini-2.5-flash", "xai/grok-4.3"},
		{catalog.Query{MinContext: 1_000_000}, "xai/grok-4.3", "openai/gpt-4o"},
		{catalog.Query{Host: "bedrock"}, "anthropic/claude-opus-4-8", "openai/gpt-image-1"},
		{catalog.Query{License: "apache-2.0"}, "openai/gpt-oss-120b", "xai/grok-4.3"},
		{catalog.Query{Open: &yes}, "openai/gpt-oss-120b", "xai/grok-4.3"},
		{catalog.Query{Stage: catalog.Preview}, "google/gemini-3.1-pro-preview", "xai/grok-4.3"},
		{catalog.Query{Stage: catalog.Retired}, "anthropic/claude-opus-4-1", "xai/grok-4.3"},
		{catalog.Query{Capability: "computer"}, "anthropic/claude-opus-4-8", "xai/grok-4.3"},
	} {
		tt.q.Day = "2026-11-22"
		ids := map[string]bool{}
		for _, f := range c.Search(tt.q) {
			ids[f.ID] = true
		}
		if !ids[tt.has] || ids[tt.not] {
			t.Errorf("%+v: %s is there: %v, %s: %v (of %d)", tt.q, tt.has, ids[tt.has], tt.not, ids[tt.not], len(ids))
		}
	}
	hosts := map[string]bool{}
	for _, o := range c.Offers(catalog.Query{Model: "xai/grok-4.3"}) {
		hosts[o.Host] = true
		if len(o.Sources) == 0 {
			t.Errorf("%s %s has no source", o.Host, o.ID)
		}
	}
	if !hosts["xai"] || !hosts["azure"] || !hosts["vertex"] || !hosts["bedrock"] {
		t.Errorf("the hosts of Grok 4.3 are %v", hosts)
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add(devTable)
	f.Add(liteTable)
	f.Add(`{"source":{"name":"mine","date":"2026-11-01"},"offers":[{"host":"xai","id":"g","price":{"input":1,"over":{"above":5,"input":2}}}]}`)
	f.Add(`{"dashscope/q":{"litellm_provider":"dashscope","mode":"chat","tiered_pricing":[{"input_cost_per_token":1e-6,"output_cost_per_token":1e-6,"range":[0,1000]}]}}`)
	f.Add(`{"xai":{"models":{"g":{"cost":{"input":1e99,"tiers":[{"tier":{"size":1}}]}}}}}`)
	built := catalog.New()
	f.Fuzz(func(t *testing.T, text string) {
		i, err := catalog.ReadTable([]byte(text), "2026-11-01")
		if err != nil {
			return
		}
		for n := range i.Offers {
			if wrong := catalog.Check(&i.Offers[n]); len(wrong) > 0 {
				t.Fatalf("what was read is impossible: %v", wrong)
			}
		}
		l, err := catalog.NewLayer(catalog.Imported, i.Source, i.Offers)
		if err != nil || l.Len() != len(i.Offers) {
			t.Fatalf("%d offers are kept as %v, %v", len(i.Offers), l, err)
		}
		if _, err := json.Marshal(l.Offers()); err != nil {
			t.Fatal(err)
		}
		c := built.With(l)
		for _, o := range i.Offers {
			if _, ok := c.Offer(o.Host, o.ID); !ok && o.Host != "bedrock" && o.Host != "vertex" && o.Host != "gemini" {
				t.Fatalf("%s %q is not found", o.Host, o.ID)
			}
		}
	})
}

func TestCase_L2_TheCatalogIsReadByManyAtOnce(t *testing.T) {
	c := catalog.New()
	l := layer(t, catalog.Imported, mustRead(t, devTable, "2026-11-01"))
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			with := c.With(l)
			for _, id := range []string{"grok-4.3", "grok-9", "grok-4.5"} {
				if f, ok := with.Offer("xai", id); !ok || !f.Price.Known {
					t.Errorf("%s: %+v", id, f)
				}
			}
			if len(with.Search(catalog.Query{Text: "grok"})) == 0 || len(with.Conflicts(catalog.Query{Host: "xai"}, "")) == 0 {
				t.Error("nothing is found")
			}
			if m, ok := with.Model("xai/grok-4.3"); !ok || len(m.Sources) == 0 {
				t.Errorf("the model is %+v", m)
			}
		})
	}
	g.Wait()
}

// TestLookingKeepsNothing holds the catalog to its measure: the index of all that is known, and what was asked for.
func TestLookingKeepsNothing(t *testing.T) {
	text, err := os.ReadFile(specs.Folder(t, "prices") + "/litellm_model_prices_and_context_window.json")
	if err != nil {
		t.Fatal(err)
	}
	i, _ := catalog.ReadTable(text, "2026-08-06") // with two entries that are wrong
	c := catalog.New().With(layer(t, catalog.Imported, i))
	began := heap()
	c.Search(catalog.Query{Text: "grok"})
	c.Offers(catalog.Query{Host: "azure"})
	c.Conflicts(catalog.Query{}, "2026-11-01")
	if grew := int64(heap()) - int64(began); grew > 512<<10 {
		t.Errorf("after a search %d bytes more are held", grew)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(i)
	runtime.KeepAlive(text)
}

// heap is what is held after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkSearch(b *testing.B) {
	c := catalog.New()
	b.ReportAllocs()
	for b.Loop() {
		c.Search(catalog.Query{Text: "grok"})
	}
}

// TestWhatIsNotPaidByTheTokenHasItsPrice charges a search, a minute of speech, and a thousand characters.
func TestWhatIsNotPaidByTheTokenHasItsPrice(t *testing.T) {
	c := catalog.New()
	for _, x := range []struct {
		host, id, task string
		used           llm.Usage
		want           plenum.Micros
	}{
		{"cohere", "rerank-v3.5", "rerank", llm.Usage{Searches: 1}, 2_000},
		{"bedrock", "amazon.rerank-v1:0", "rerank", llm.Usage{Searches: 3}, 3_000},
		{"azure", "cohere-rerank-v4.0-pro", "rerank", llm.Usage{Searches: 1}, 2_500},
		{"openai", "whisper-1", "transcription", llm.Usage{Seconds: 60}, 6_000},
		{"groq", "whisper-large-v3-turbo", "transcription", llm.Usage{Seconds: 3600}, 39_996},
		{"openai", "tts-1-hd", "speech", llm.Usage{Characters: 1000}, 30_000},
		{"openai", "omni-moderation-latest", "moderation", llm.Usage{Input: 1000}, 0},
		{"openai", "gpt-4o-transcribe", "transcription", llm.Usage{InputAudio: 1_000_000, Output: 1_000_000}, 16_000_000},
	} {
		f, ok := c.Offer(x.host, x.id)
		if !ok || !f.Price.Known || f.Mode != x.task {
			t.Errorf("%s %s: %+v", x.host, x.id, f)
			continue
		}
		if got := f.Price.Cost(x.used); got != x.want {
			t.Errorf("%s %s: $%s, want $%s", x.host, x.id, got, x.want)
		}
	}
	for _, task := range []string{"rerank", "moderation", "speech", "transcription"} {
		if found := c.Search(catalog.Query{Task: task}); len(found) == 0 {
			t.Errorf("nothing is found for %s", task)
		}
	}
}
