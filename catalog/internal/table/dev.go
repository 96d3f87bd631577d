package table

import (
	"encoding/json"
	"strconv"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// DevPrice reads the price of models.dev, which is in dollars a million, out of its TOML or its JSON.
func DevPrice(cost map[string]any) *record.Price {
	p := devRates(cost)
	if p == nil {
		return nil
	}
	for _, tier := range objects(cost["tiers"]) {
		size, _ := tier["tier"].(map[string]any)
		hang(p, devRates(tier), whole(size["size"]))
	}
	if over, ok := cost["context_over_200k"].(map[string]any); ok && p.Over == nil {
		hang(p, devRates(over), 200_000)
	}
	return p
}

// hang enters the rates of long prompts.
func hang(p, over *record.Price, above int64) {
	if over != nil && above > 0 {
		over.Above = above
		p.Over = over
	}
}

// objects returns the objects of a list.
func objects(v any) []map[string]any {
	switch v := v.(type) {
	case []map[string]any:
		return v
	case []any:
		var out []map[string]any
		for _, x := range v {
			if o, ok := x.(map[string]any); ok {
				out = append(out, o)
			}
		}
		return out
	}
	return nil
}

func whole(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case json.Number:
		n, err := v.Int64()
		if err == nil {
			return n
		}
	}
	return 0
}

func devRates(cost map[string]any) *record.Price {
	rate := func(key string) *record.Rate {
		switch v := cost[key].(type) {
		case int64:
			return Exact(strconv.FormatInt(v, 10), 1)
		case json.Number:
			return Exact(v.String(), 1)
		case float64:
			return Exact(strconv.FormatFloat(v, 'f', -1, 64), 1)
		}
		return nil
	}
	if rate("input") == nil {
		return nil
	}
	return &record.Price{
		Input: rate("input"), Output: rate("output"), CacheRead: rate("cache_read"),
		CacheWrite5m: rate("cache_write"), Reasoning: rate("reasoning"),
		InputAudio: rate("input_audio"), OutputAudio: rate("output_audio"),
	}
}
