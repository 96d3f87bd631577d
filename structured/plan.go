package structured

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Host is what must be known of where a call goes.
type Host struct {
	Offer *plenum.Offer
	// Schema, JSON and Tools say that the dialect spoken there has words for such things at all.
	Schema, JSON, Tools bool
}

// Rules are what a deployment wants.
type Rules struct {
	Way    plenum.Structured
	Params plenum.ParamPolicy // what is done with words of a schema that the host refuses
}

// Job gets one answer of one target in shape. It is used by one goroutine at a time.
type Job struct {
	asked   *llm.Request // as the caller asked
	next    *llm.Request // what is to be sent
	way     way
	schema  *Schema // nil: any JSON object
	tool    string  // the name of the tool whose input is the answer
	changed []string
	tries   int // how often the model was told so far
}

// way is how the shape is got.
type way int

const (
	native way = iota // the host is asked for it
	byTool            // a tool is forced, whose input is the answer
	byWord            // the model is told, and told again where it did not listen
)

// Plan says how to get the shape that a request asks for from a host. Nothing is to be done where it is nil: no
// shape is asked for, or the host answers for it.
func Plan(r *llm.Request, h Host, rules Rules) (*Job, error) {
	j := &Job{asked: r, next: r}
	var err error
	switch r.Output.Kind {
	case llm.FormatSchema:
		err = j.planSchema(h, rules)
	case llm.FormatJSON:
		err = j.planJSON(h, rules)
	}
	if err != nil {
		return nil, err
	}
	if err := j.reduceTools(h, rules); err != nil {
		return nil, err
	}
	if j.next == r && j.schema == nil && j.way == native {
		return nil, nil //nolint:nilnil // said above
	}
	return j, nil
}

func (j *Job) planSchema(h Host, rules Rules) error {
	r := j.asked
	can := h.Offer.Traits.Capabilities.Schema
	if !h.Schema {
		can = plenum.No
	}
	if rules.Way == plenum.StructuredRefuse && can == plenum.No {
		return refused(h.Offer)
	}
	reduced, removed := Without(r.Output.Schema, h.Offer.Traits.SchemaRefuses)
	if rules.Params == plenum.ParamPass {
		reduced, removed = r.Output.Schema, nil
	}
	if can == plenum.Yes && len(removed) == 0 {
		return nil
	}
	if j.way = choose(can, h, rules.Way); j.way == byTool && !wrappable(r.Output.Schema) {
		j.way = byWord
	}
	if j.way != native && mustCall(r) {
		j.way = native // this turn ends with a call, and has no answer to be shaped
		j.next = without(r)
		return nil
	}
	schema, err := Compile(r.Output.Schema)
	if err != nil {
		if j.way != native {
			return &llm.Error{Kind: llm.Invalid, Op: "route", Param: "response_format", Message: "the answer cannot be held to this: " + cause(err)}
		}
		schema = nil // what the host makes of it is the host's
	}
	j.schema = schema
	if j.way != native {
		j.ask()
		return nil
	}
	if len(removed) == 0 {
		return nil
	}
	if err := j.name("response_format.schema", removed, rules.Params); err != nil {
		return err
	}
	next := *r
	next.Output.Schema = reduced
	j.next = &next
	return nil
}

// planJSON gets any JSON object from a dialect that knows only schemas.
func (j *Job) planJSON(h Host, rules Rules) error {
	if h.JSON {
		return nil
	}
	if rules.Way == plenum.StructuredRefuse {
		return refused(h.Offer)
	}
	if j.way = choose(plenum.No, h, rules.Way); j.way == native {
		return nil
	}
	if mustCall(j.asked) {
		j.way, j.next = native, without(j.asked)
		return nil
	}
	schema, err := Compile(anyObject)
	if err != nil {
		return err
	}
	j.schema = schema
	j.ask()
	return nil
}

// choose returns how the shape is got from a host that can, cannot, or may be able to give it.
func choose(can plenum.Tri, h Host, want plenum.Structured) way {
	tools := h.Tools && h.Offer.Traits.Capabilities.Tools != plenum.No
	switch {
	case can == plenum.Yes, want == plenum.StructuredNative:
		return native
	case want == plenum.StructuredRetry, want == plenum.StructuredTool && !tools:
		return byWord
	case want == plenum.StructuredTool:
		return byTool
	case can == plenum.Unknown:
		return native
	case tools:
		return byTool
	}
	return byWord
}

// mustCall reports whether the model has to call one of the caller's tools.
func mustCall(r *llm.Request) bool {
	return len(r.Tools) > 0 && (r.Choose.Mode == llm.ChooseAny || r.Choose.Mode == llm.ChooseTool || r.Choose.Opaque.Raw != "")
}

func without(r *llm.Request) *llm.Request {
	next := *r
	next.Output = llm.Format{}
	return &next
}

// reduceTools takes what the host refuses out of the schemas of tools whose arguments it is to hold to them.
func (j *Job) reduceTools(h Host, rules Rules) error {
	if rules.Params == plenum.ParamPass || len(h.Offer.Traits.SchemaRefuses) == 0 {
		return nil
	}
	var tools []llm.Tool
	for i, t := range j.next.Tools {
		if !t.Strict.V || t.Schema == "" {
			continue
		}
		reduced, removed := Without(t.Schema, h.Offer.Traits.SchemaRefuses)
		if len(removed) == 0 {
			continue
		}
		if err := j.name("tools["+strconv.Itoa(i)+"].parameters", removed, rules.Params); err != nil {
			return err
		}
		if tools == nil {
			tools = slices.Clone(j.next.Tools)
		}
		tools[i].Schema = reduced
	}
	if tools != nil {
		next := *j.next
		next.Tools = tools
		j.next = &next
	}
	return nil
}

// maxNamed is how many words that were taken out are named one by one.
const maxNamed = 8

// name says what was taken out of a schema, as the deployment wants it.
func (j *Job) name(of string, removed []string, how plenum.ParamPolicy) error {
	switch how {
	case plenum.ParamStrict:
		at := of + "." + removed[0]
		return &llm.Error{Kind: llm.Invalid, Op: "route", Param: at, Message: at + " is refused by the model this call would go to; leave it out"}
	case plenum.ParamDrop:
		return nil
	}
	for i, at := range removed {
		if i == maxNamed {
			j.changed = append(j.changed, fmt.Sprintf("%s: %d more removed (refused by the host)", of, len(removed)-i))
			break
		}
		j.changed = append(j.changed, of+"."+at+" removed (refused by the host)")
	}
	return nil
}

func refused(o *plenum.Offer) error {
	return &llm.Error{
		Kind: llm.Invalid, Op: "route", Code: "no_structured_output", Param: "response_format",
		Message: o.ID + " has no structured output, and this deployment wants none by other ways",
	}
}

// cause returns what is wrong with a schema, in one line.
func cause(err error) string {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return clip(line)
}
