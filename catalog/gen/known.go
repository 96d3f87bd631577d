package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// known are offers that the tables do not have yet, with what the vendors' own pages say of them. A table that
// has one of them later is believed instead.
func known() map[string][]record.Offer {
	text := []string{"tools", "schema", "thinking"}
	sees := append(slices.Clone(text), "images")
	return map[string][]record.Offer{
		"azure": {
			{ID: "grok-4.7", Model: "xai/grok-4.7", Context: 500_000, Can: sees},
			{ID: "grok-4.6", Model: "xai/grok-4.6", Context: 200_000, Output: 128_000, Can: text},
			{ID: "grok-4.3", Model: "xai/grok-4.3", Context: 200_000, Output: 8_192, Can: text},
			{ID: "grok-4-20-reasoning", Model: "xai/grok-4.20-reasoning", Can: text},
			{ID: "grok-4-20-non-reasoning", Model: "xai/grok-4.20-non-reasoning", Can: text[:2], Cannot: text[2:]},
		},
		"vertex": {
			{ID: "xai/grok-4.7", Model: "xai/grok-4.7", Can: sees},
			{ID: "xai/grok-4.6", Model: "xai/grok-4.6", Can: text},
			{ID: "xai/grok-4.3", Model: "xai/grok-4.3", Can: sees},
		},
		"bedrock": {
			{ID: "us.xai.grok-4.6", Model: "xai/grok-4.6", Can: text},
		},
	}
}

// complete adds what is known of a provider besides the tables.
func complete(p table.Place, f *record.File) {
	for _, o := range known()[p.Name] {
		at := slices.IndexFunc(f.Offers, func(x record.Offer) bool { return x.ID == o.ID })
		if at >= 0 {
			continue
		}
		o.From = []int{fromPages}
		o.Life = life(p, o.ID, &facts{})
		hostTraits(p, &o)
		f.Offers = append(f.Offers, o)
	}
}

// hostTraits enters what hosts besides the maker of a model do differently, as their own pages tell it.
func hostTraits(p table.Place, o *record.Offer) {
	if o.Mode != "" && o.Mode != "responses" {
		return
	}
	id := strings.ToLower(o.ID)
	switch {
	case strings.Contains(id, "claude"):
		claudeTraits(p, o)
	case strings.Contains(id, "grok") && p.Name != "xai":
		grokElsewhere(p, o)
	}
}

// claudeTraits: from 4.6 on effort is a word and thinking adapts; budgets end with 4.7. Which host has structured
// output for which model differs, and all refuse the same words of a schema.
func claudeTraits(p table.Place, o *record.Offer) {
	o.Effort = regexp.MustCompile(`claude-(opus|sonnet|haiku)-(4-[6-9]|[5-9])|claude-(fable|mythos)-`).MatchString(o.ID)
	fresh := o.Effort
	half := regexp.MustCompile(`claude-(opus|sonnet|haiku)-4-5`).MatchString(o.ID)
	old := strings.Contains(o.ID, "claude-opus-4-1")
	schema := fresh || half
	switch p.Name {
	case "anthropic":
		schema = schema || old
	case "vertex":
		schema = fresh
	}
	say(o, "schema", schema)
	if schema {
		o.SchemaRefuses = claudeRefuses()
	}
	if o.DefaultTo == 0 && o.Output > 0 {
		o.DefaultTo = min(o.Output, mostDefault)
	}
}

// claudeRefuses are the words of a schema that Claude refuses on every host.
func claudeRefuses() []string {
	return []string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"minItems>1", "maxItems", "uniqueItems", "minProperties", "maxProperties",
	}
}

// grokElsewhere: what xAI refuses of a reasoning model its hosts refuse as well, and Azure log probabilities too.
func grokElsewhere(p table.Place, o *record.Offer) {
	if slices.Contains(o.Can, "thinking") && o.Refuses == nil {
		o.Refuses = []string{"presence_penalty", "frequency_penalty", "stop"}
	}
	if p.Name == "azure" {
		for _, name := range []string{"presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"} {
			if !slices.Contains(o.Refuses, name) {
				o.Refuses = append(o.Refuses, name)
			}
		}
	}
}

// onMantle tells the models of Bedrock that are at its compatible address alone.
func onMantle(id string) bool {
	return strings.Contains(id, "xai.grok") || strings.Contains(id, "openai.gpt-5")
}

// say enters whether an offer can do something, in the place of what was said before.
func say(o *record.Offer, name string, can bool) {
	is := func(s string) bool { return s == name }
	o.Can, o.Cannot = slices.DeleteFunc(slices.Clone(o.Can), is), slices.DeleteFunc(slices.Clone(o.Cannot), is)
	if can {
		o.Can = append(o.Can, name)
	} else {
		o.Cannot = append(o.Cannot, name)
	}
	slices.SortFunc(o.Can, order)
}

// order is that in which capabilities are told.
func order(a, b string) int {
	all := []string{"tools", "images", "documents", "audio", "schema", "thinking", "video", "forced_tools", "parallel_tools", "streaming", "caching", "search", "computer"}
	return cmp.Compare(slices.Index(all, a), slices.Index(all, b))
}
