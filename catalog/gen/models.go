package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// models lists the models and their publishers: those of models.dev, and those that their makers offer besides.
func models(t *tables, files map[string]*record.File) *record.Models {
	out := &record.Models{Sources: t.sources}
	home := homes(files)
	ids := map[string]bool{}
	for id := range t.devModels {
		ids[id] = true
	}
	for id, o := range home {
		_, day := versionDate(id)
		if day == "" && !strings.HasSuffix(id, "-latest") && !ends(o.Life.At(files["xai"].Made)) {
			ids[id] = true
		}
	}
	seen := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		m := model(t, id, home)
		m.Versions = versionsOf(t, id, home)
		out.Models = append(out.Models, m)
		name, _, _ := strings.Cut(id, "/")
		if !seen[name] {
			out.Publishers = append(out.Publishers, publisher(name))
		}
		seen[name] = true
	}
	return out
}

// homes returns the offers of models at their own makers', by publisher/id, under each of their ids.
func homes(files map[string]*record.File) map[string]*record.Offer {
	out := map[string]*record.Offer{}
	for _, p := range table.Places() {
		f := files[p.Name]
		if p.Publisher == "" || f == nil {
			continue
		}
		for i := range f.Offers {
			o := &f.Offers[i]
			if strings.HasPrefix(o.ID, "ft:") || strings.Contains(o.ID, "/") || p.Name == "perplexity" && !strings.HasPrefix(o.ID, "sonar") {
				continue
			}
			for _, id := range append([]string{o.ID}, o.Also...) {
				out[p.Publisher+"/"+id] = o
			}
		}
	}
	more := known()
	for _, host := range slices.Sorted(maps.Keys(more)) {
		list := more[host]
		for i := range list {
			if o := &list[i]; out[o.Model] == nil {
				o.From = []int{fromPages}
				out[o.Model] = o
			}
		}
	}
	return out
}

func model(t *tables, id string, home map[string]*record.Offer) record.Model {
	d, listed := t.devModels[id]
	_, name, _ := strings.Cut(id, "/")
	m := record.Model{
		ID: id, Title: titleOf(name, &d), Family: d.Family, Released: d.Released, Knowledge: d.Knowledge, Open: d.OpenWeights,
		Reads: d.Modalities.Input, Writes: d.Modalities.Output, Context: d.Limit.Context, Output: d.Limit.Output,
	}
	if listed {
		m.From = append(m.From, fromDev)
		m.Can, m.Cannot = capabilities(&facts{dev: &d})
	}
	var from int
	if m.License, from = license(id, &d); m.License != "" && !slices.Contains(m.From, from) {
		m.From = append(m.From, from)
	}
	o := home[id]
	if o == nil {
		return m
	}
	m.Context, m.Output = cmp.Or(m.Context, o.Context), cmp.Or(m.Output, o.Output)
	for _, n := range o.From {
		if !slices.Contains(m.From, n) {
			m.From = append(m.From, n)
		}
	}
	if !listed {
		m.Can, m.Cannot = o.Can, o.Cannot
		m.Reads, m.Writes = modalities(o)
	}
	m.Life = o.Life
	return m
}

// modalities are those that an offer's capabilities tell of.
func modalities(o *record.Offer) (reads, writes []string) {
	reads, writes = []string{"text"}, []string{"text"}
	for _, x := range [][2]string{{"images", "image"}, {"audio", "audio"}, {"video", "video"}, {"documents", "pdf"}} {
		if slices.Contains(o.Can, x[0]) {
			reads = append(reads, x[1])
		}
	}
	switch o.Mode {
	case "image":
		writes = []string{"image"}
	case "embedding", "rerank", "moderation":
		writes = nil
	case "speech":
		writes = []string{"audio"}
	case "transcription":
		reads = []string{"audio"}
	}
	return reads, writes
}

// versionsOf lists the dated ones of a model, the newest first.
func versionsOf(t *tables, id string, home map[string]*record.Offer) []record.Version {
	days := map[string]string{}
	add := func(other string) {
		if base, day := versionDate(other); base == id && day != "" {
			days[other] = day
		}
	}
	for other := range home {
		add(other)
	}
	for other := range t.devModels {
		add(other)
	}
	var out []record.Version
	for _, other := range slices.Sorted(maps.Keys(days)) {
		v := record.Version{ID: other, Released: days[other]}
		if o := home[other]; o != nil {
			v.Life = o.Life
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b record.Version) int { return strings.Compare(b.Released, a.Released) })
	return out
}

// recognise names the models of offers at clouds whose ids are those of models that only their makers' own places had.
func recognise(f *record.File, all *record.Models) {
	if f.Provider != "azure" && f.Provider != "bedrock" && f.Provider != "vertex" {
		return
	}
	byName := map[string][]string{}
	for i := range all.Models {
		id := all.Models[i].ID
		byName[spelled(id)] = append(byName[spelled(id)], id)
	}
	for i := range f.Offers {
		o := &f.Offers[i]
		name := o.ID
		if f.Provider == "bedrock" {
			name = versions.ReplaceAllString(o.ID, "")
			for _, publisher := range []string{"xai.", "openai.", "anthropic.", "meta.", "mistral.", "deepseek.", "cohere.", "qwen.", "moonshotai."} {
				if _, rest, ok := strings.Cut(name, publisher); ok {
					name = rest
				}
			}
		}
		if found := byName[spelled(name)]; o.Model == "" && len(found) == 1 {
			o.Model = found[0]
		}
	}
}
