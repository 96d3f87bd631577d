// Package reconcile lays what a vendor says that it billed beside what Plenum has on record: line by line, by day, model
// and class of usage. It reads the exports of vendors (see Read) and needs nothing but the two lists.
package reconcile

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Line is what was used and billed on a day (UTC) of one class of a model's usage. Costs are in micro-dollars.
type Line struct {
	Day      string
	Model    string
	Class    string // see the classes
	Quantity float64
	Cost     float64
}

// The classes in which vendors bill: coarser than those that Plenum counts in.
const (
	Input      = "input"
	CacheRead  = "cache_read"
	CacheWrite = "cache_write"
	Output     = "output" // reasoning as well
	Audio      = "audio"
	Image      = "image"
	Search     = "search"
	Other      = "other"
	All        = "all" // the vendor's file does not tell classes apart
)

// Status is what came of laying two lines beside each other.
type Status string

// The statuses.
const (
	Matched    Status = "matched"
	Differs    Status = "differs"
	OnlyTheirs Status = "only theirs"
	OnlyOurs   Status = "only ours"
)

// Result is one line of both. Costs are in micro-dollars.
type Result struct {
	Day            string  `json:"day"`
	Model          string  `json:"model"`
	Class          string  `json:"class"`
	Status         Status  `json:"status"`
	Ours           int64   `json:"ours_micros"`
	Theirs         int64   `json:"theirs_micros"`
	OurQuantity    float64 `json:"our_quantity,omitempty"`
	TheirQuantity  float64 `json:"their_quantity,omitempty"`
	DifferenceRate float64 `json:"difference"` // of theirs
	Reason         string  `json:"reason,omitempty"`
}

// Outcome is all of it.
type Outcome struct {
	Lines   []Result       `json:"lines"`
	Counts  map[Status]int `json:"counts"`
	Ours    int64          `json:"ours_micros"`
	Theirs  int64          `json:"theirs_micros"`
	Rate    float64        `json:"difference"` // of the totals, of theirs
	Matches bool           `json:"matches"`    // every line, within the tolerance
}

type place struct{ day, model, class string }

type pair struct {
	ours, theirs       Line
	hasOurs, hasTheirs bool
	name               string
}

// Match lays two lists beside each other. Lines whose cost differs by no more than the tolerance (0.005 is half a
// percent), or by less than a hundredth of a cent, match.
func Match(ours, theirs []Line, tolerance float64) Outcome {
	whole := wholeOnly(theirs)
	pairs := map[place]*pair{}
	at := func(l *Line, class string) *pair {
		k := place{l.Day, canonical(l.Model), class}
		if pairs[k] == nil {
			pairs[k] = &pair{name: l.Model}
		}
		return pairs[k]
	}
	for i := range ours {
		class := ours[i].Class
		if whole {
			class = All
		}
		p := at(&ours[i], class)
		p.hasOurs = true
		p.ours.Cost, p.ours.Quantity = p.ours.Cost+ours[i].Cost, p.ours.Quantity+ours[i].Quantity
	}
	for i := range theirs {
		p := at(&theirs[i], theirs[i].Class)
		p.hasTheirs = true
		p.theirs.Cost, p.theirs.Quantity = p.theirs.Cost+theirs[i].Cost, p.theirs.Quantity+theirs[i].Quantity
	}
	out := Outcome{Counts: map[Status]int{}, Lines: []Result{}, Matches: true}
	for k, p := range pairs {
		if p.ours.Cost == 0 && p.theirs.Cost == 0 {
			continue
		}
		out.add(judge(k, p, pairs, tolerance))
	}
	slices.SortFunc(out.Lines, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Class, b.Class))
	})
	out.Rate = rate(float64(out.Ours), float64(out.Theirs))
	return out
}

func (o *Outcome) add(r Result) {
	o.Lines = append(o.Lines, r)
	o.Counts[r.Status]++
	o.Ours += r.Ours
	o.Theirs += r.Theirs
	o.Matches = o.Matches && r.Status == Matched
}

// wholeOnly reports whether the vendor's lines tell no classes apart.
func wholeOnly(theirs []Line) bool {
	return len(theirs) > 0 && !slices.ContainsFunc(theirs, func(l Line) bool { return l.Class != All })
}

func rate(ours, theirs float64) float64 {
	if theirs == 0 {
		if ours == 0 {
			return 0
		}
		return 1
	}
	return math.Round((ours-theirs)/theirs*1e6) / 1e6
}

func judge(k place, p *pair, pairs map[place]*pair, tolerance float64) Result {
	r := Result{
		Day: k.day, Model: p.name, Class: k.class, Ours: int64(math.Round(p.ours.Cost)), Theirs: int64(math.Round(p.theirs.Cost)),
		OurQuantity: p.ours.Quantity, TheirQuantity: p.theirs.Quantity, DifferenceRate: rate(p.ours.Cost, p.theirs.Cost),
	}
	switch apart := math.Abs(p.ours.Cost - p.theirs.Cost); {
	case !p.hasTheirs:
		r.Status, r.Reason = OnlyOurs, "the vendor did not bill it, bills it on another day or under another name, or it is not in this file"
	case !p.hasOurs:
		r.Status, r.Reason = OnlyTheirs, "usage that did not pass through Plenum, or under a name that Plenum does not know"
	case apart <= tolerance*math.Abs(p.theirs.Cost) || apart < 100:
		r.Status = Matched
	default:
		r.Status, r.Reason = Differs, reason(k, p, pairs, tolerance)
	}
	return r
}

// reason says what most likely makes two lines differ.
func reason(k place, p *pair, pairs map[place]*pair, tolerance float64) string {
	same := func(a, b float64) bool { return math.Abs(a-b) <= tolerance*math.Abs(b) }
	if p.theirs.Quantity > 0 && p.ours.Quantity > 0 && same(p.ours.Quantity, p.theirs.Quantity) {
		return "price table: as much was used, at another price"
	}
	var ours, theirs float64 // with the other days
	days := 0
	for other, x := range pairs {
		if other.model == k.model && other.class == k.class {
			ours, theirs, days = ours+x.ours.Cost, theirs+x.theirs.Cost, days+1
		}
	}
	switch {
	case days > 1 && same(ours, theirs):
		return "time zone: over all days it is the same, cut at other hours"
	case p.theirs.Cost > p.ours.Cost:
		return "usage that did not pass through Plenum, or a higher price"
	}
	return "the vendor billed less: a discount, free or batch usage, or a lower price"
}

// The parts of model names that say nothing of the model itself.
func dated() *regexp.Regexp {
	return regexp.MustCompile(`[-@ ](20\d\d-?[01]\d-?[0-3]\d|[01]\d[0-3]\d)\b`)
}

func version() *regexp.Regexp { return regexp.MustCompile(`-v\d+(:\d+)?$`) }

func words() *regexp.Regexp { return regexp.MustCompile(`[a-z]+|\d+`) }

// canonical makes names of one model equal that places write differently: "anthropic.claude-sonnet-4-5-20250929-v1:0",
// "Claude4.5Sonnet" and "claude-sonnet-4-5".
func canonical(name string) string {
	name = strings.ToLower(name)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	name = version().ReplaceAllString(name, "")
	name = dated().ReplaceAllString(name, "")
	var kept []string
	for _, w := range words().FindAllString(name, -1) {
		switch w {
		case "anthropic", "openai", "meta", "amazon", "mistral", "us", "eu", "apac", "global":
			continue
		}
		kept = append(kept, w)
	}
	slices.Sort(kept)
	return strings.Join(kept, " ")
}
