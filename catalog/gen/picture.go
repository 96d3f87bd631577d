package main

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// pictures enters what images of each quality and size cost, which the table has as entries of their own:
// "hd/1024-x-1792/dall-e-3". Models that are paid by the token need none.
func pictures(t *tables, p table.Place, offers []record.Offer) {
	if p.Name != "openai" && p.Name != "azure" {
		return
	}
	form := regexp.MustCompile(`^(?:([a-z]+)/)?(\d+)-x-(\d+)/([a-z0-9.-]+)$`)
	for i := range offers {
		o := &offers[i]
		if o.Mode != "image" || o.Price == nil || o.Price.Image == nil {
			continue
		}
		for key, m := range t.litellm {
			id := strings.TrimPrefix(key, "azure/")
			found := form.FindStringSubmatch(id)
			if found == nil || found[4] != o.ID || (id != key) != (p.Name == "azure") {
				continue
			}
			if r := sized(m, found[2], found[3]); r != nil {
				o.Price.Pictures = append(o.Price.Pictures, record.Picture{Quality: found[1], Size: found[2] + "x" + found[3], Rate: *r})
			}
		}
		slices.SortFunc(o.Price.Pictures, func(a, b record.Picture) int {
			return strings.Compare(a.Quality+" "+a.Size, b.Quality+" "+b.Size)
		})
	}
}

// sized reads the price of an image whose entry names its size, a tenth of a cent exactly: the table has it by
// the pixel, with rounding noise.
func sized(m table.Litellm, width, height string) *record.Rate {
	if r := m.Picture(); r != nil {
		return r
	}
	w, _ := strconv.ParseInt(width, 10, 32) // digits, as the form says
	h, _ := strconv.ParseInt(height, 10, 32)
	r, ok := new(big.Rat).SetString(string(m["input_cost_per_pixel"]))
	if !ok || r.Sign() <= 0 {
		return nil
	}
	r.Mul(r, new(big.Rat).SetInt64(w*h))
	return table.Exact(r.FloatString(3), 1000)
}
