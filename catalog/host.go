package catalog

import (
	"regexp"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// find returns the record of a model's id at a provider, and whether its price is that of the id: of another place
// of the same model only the rest is known.
func (p *pack) find(kind, upstream string) (o *item, priced bool) {
	id := plainID(kind, strings.ToLower(upstream))
	if o := p.byID(kind, id); o != nil {
		return o, true
	}
	if steady(kind) {
		if o := p.byID(kind, family(id)); o != nil {
			return o, true
		}
	}
	switch kind {
	case "bedrock": // a profile of regions that is not known; it may cost more than the model in one region
		if _, bare, ok := strings.Cut(id, "."); ok && regions().MatchString(id) {
			return p.byID(kind, bare), false
		}
	case "vertex": // Claude without its version, or with one that is not known
		bare, _, _ := strings.Cut(id, "@")
		for _, other := range []string{bare, bare + "@default"} {
			if o := p.byID(kind, other); o != nil {
				return o, true
			}
		}
	}
	return nil, false
}

// regions begin the ids of Bedrock's profiles.
func regions() *regexp.Regexp {
	return regexp.MustCompile(`^(us|us-gov|eu|apac|au|jp|ca|sa|af|me|in|il|uk|global)\.`)
}

// plainID reduces the ways of writing an id at a cloud to that of the catalog: ARNs, whole names of resources.
func plainID(kind, id string) string {
	switch kind {
	case "bedrock":
		if strings.HasPrefix(id, "arn:") {
			return id[strings.LastIndexByte(id, '/')+1:]
		}
	case "vertex":
		if _, rest, ok := strings.Cut(id, "publishers/"); ok {
			id = strings.Replace(rest, "/models/", "/", 1)
		}
		for _, own := range []string{"anthropic/", "google/"} {
			id = strings.TrimPrefix(id, own)
		}
	case "gemini":
		return strings.TrimPrefix(id, "models/")
	}
	return id
}

// fresh returns the traits that a Claude has which is newer than the catalog, by its id or the model's name: those
// of the newest that it knows. A vendor that went back would be the first.
func fresh(upstream, model string) (plenum.Traits, bool) {
	re := regexp.MustCompile(`claude-([a-z]+-)?(4-[6-9]|[5-9]\b|[1-9]\d\b)`)
	if !re.MatchString(upstream) && !re.MatchString(model) {
		return plenum.Traits{}, false
	}
	return plenum.Traits{
		Effort: true, DefaultMaxOut: 32_000, Refuses: []string{"temperature", "top_p", "top_k"},
	}, true
}
