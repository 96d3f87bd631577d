package dialecttest_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// frames are the fields that only frame what is said: no meaning changes with them.
var frames = []string{
	"Request.Model", "Request.Stream", "Request.StreamUsage", "Request.Said", ".Plain", ".Place", ".Extra.Dialect", ".Item", ".Origin", ".Field",
	"Output.Name", "Output.Strict", ".Opaque.Dialect", ".Opaque.Type", ".ToolDone.Name", ".Strict.Set", "Logprobs.Set",
	"Response.ID", "Response.Model", "Response.Created", "Choices[0].Index", "Usage.Reported", "Stop.Raw", ".Bytes", ".Null[0]", "Message.Dialect", "Thinking.Mode",
	"Citations[0].Kind", "Citations[0].Source", "Citations[0].Start", "Citations[0].End", "Citations[0].Opaque.Raw",
	".Media.Format", "Role", "Choose.Opaque.Type",
}

// fill sets every field below a value to something that is not its zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("w%d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem() == reflect.TypeFor[llm.Logprob]() {
			v.Index(0).Set(reflect.ValueOf(llm.Logprob{Token: fmt.Sprint("t", *n), Value: "-1.5"}))
			return
		}
		fill(v.Index(0), n)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), n)
			}
		}
	}
}

// blocks returns one of each kind, all of whose fields are set.
func blocks(n *int) []llm.Block {
	var out []llm.Block
	for _, b := range []llm.Block{
		llm.Text{}, llm.Refusal{}, llm.Media{}, llm.Thought{}, llm.ToolUse{}, llm.ToolDone{}, llm.Opaque{},
	} {
		v := reflect.New(reflect.TypeOf(b)).Elem()
		v.Set(reflect.ValueOf(b))
		for i := range v.NumField() {
			switch f := v.Type().Field(i); f.Name {
			case "Kind":
				v.Field(i).SetString(map[string]string{"Media": "image", "ToolUse": "custom"}[v.Type().Name()])
			case "Blocks":
				v.Field(i).Set(reflect.ValueOf([]llm.Block{llm.Text{Text: fmt.Sprint("inner", *n)}}))
			default:
				fill(v.Field(i), n)
			}
		}
		out = append(out, v.Interface().(llm.Block))
	}
	return out
}

// zeroed visits copies of a value in each of which one field is not set. make makes a fresh one.
func zeroed(fresh func() reflect.Value, visit func(path string, v reflect.Value)) {
	var walk func(path string, at func(reflect.Value) reflect.Value)
	walk = func(path string, at func(reflect.Value) reflect.Value) {
		v := at(fresh())
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					walk(path+"."+f.Name, func(r reflect.Value) reflect.Value { return at(r).Field(i) })
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), func(r reflect.Value) reflect.Value { return at(r).Index(i) })
			}
		case reflect.Pointer:
			if v.IsNil() {
				return
			}
			walk(path, func(r reflect.Value) reflect.Value { return at(r).Elem() })
		case reflect.Interface: // a block: a value that cannot be changed where it is
			inner := v.Elem().Type()
			for i := range inner.NumField() {
				whole := fresh()
				b := reflect.New(inner).Elem()
				b.Set(at(whole).Elem())
				if b.Field(i).IsZero() {
					continue
				}
				b.Field(i).SetZero()
				at(whole).Set(b)
				visit(path+"."+inner.Name()+"."+inner.Field(i).Name, whole)
			}
		default:
			if whole := fresh(); !at(whole).IsZero() {
				at(whole).SetZero()
				visit(path, whole)
			}
		}
	}
	walk(fresh().Type().Name(), func(r reflect.Value) reflect.Value { return r })
}

func unseen(t *testing.T, fresh func() reflect.Value, meaning func(reflect.Value) dialecttest.Meaning) {
	t.Helper()
	whole, n := meaning(fresh()), 0
	zeroed(fresh, func(path string, v reflect.Value) {
		if slices.ContainsFunc(frames, func(f string) bool { return strings.HasSuffix(path, f) || strings.Contains(path, f+".") }) {
			return
		}
		n++
		if len(whole.Silent(meaning(v), nil)) == 0 {
			t.Errorf("nobody would see it if %s were lost", path)
		}
	})
	t.Logf("%d fields, each of which would be missed", n)
}

// What the detector does not see when it is lost it does not show to be kept: every field of a request and of an
// answer that is not a mere frame makes a difference.
func TestEveryFieldWouldBeMissed(t *testing.T) {
	t.Run("request", func(t *testing.T) {
		unseen(t, func() reflect.Value {
			var r llm.Request
			n := 10
			v := reflect.ValueOf(&r).Elem()
			for i := range v.NumField() {
				if name := v.Type().Field(i).Name; name != "Messages" && name != "Said" && name != "Parallel" {
					fill(v.Field(i), &n)
				}
			}
			r.Parallel = llm.Some(false)
			r.Tools = append(r.Tools, r.Tools[0])
			r.Tools[0].Kind, r.Tools[0].Opaque = llm.ToolFunction, llm.Opaque{}
			r.Tools[1] = llm.Tool{Kind: llm.ToolHosted, Opaque: llm.Opaque{Dialect: "x", Type: "t", Raw: `{"a":1}`}}
			m := llm.Message{Role: llm.User, Name: "somebody", Blocks: blocks(&n)}
			m.Extra.Add("x", "member", "1")
			for i, b := range m.Blocks {
				if d, ok := b.(llm.ToolDone); ok {
					d.ID = m.Blocks[i-1].(llm.ToolUse).ID
					m.Blocks[i] = d
				}
			}
			r.Messages = []llm.Message{m}
			return v
		}, func(v reflect.Value) dialecttest.Meaning {
			r := v.Interface().(llm.Request)
			return dialecttest.Asked(&r, false)
		})
	})
	t.Run("answer", func(t *testing.T) {
		unseen(t, func() reflect.Value {
			var r llm.Response
			n := 10
			v := reflect.ValueOf(&r).Elem()
			for i := range v.NumField() {
				if v.Type().Field(i).Name != "Choices" {
					fill(v.Field(i), &n)
				}
			}
			c := llm.Choice{Blocks: slices.DeleteFunc(blocks(&n), func(b llm.Block) bool {
				_, refusal := b.(llm.Refusal)
				_, done := b.(llm.ToolDone)
				return refusal || done
			})}
			for i, b := range c.Blocks {
				switch b := b.(type) { // answers are not marked
				case llm.Media:
					b.Cache = nil
					c.Blocks[i] = b
				case llm.Text:
					b.Cache = nil
					c.Blocks[i] = b
				case llm.ToolUse:
					b.Cache = nil
					c.Blocks[i] = b
				}
			}
			fill(reflect.ValueOf(&c.Stop).Elem(), &n)
			fill(reflect.ValueOf(&c.Logprobs).Elem(), &n)
			fill(reflect.ValueOf(&c.Extra).Elem(), &n)
			fill(reflect.ValueOf(&c.Message).Elem(), &n)
			r.Choices = []llm.Choice{c}
			return v
		}, func(v reflect.Value) dialecttest.Meaning {
			r := v.Interface().(llm.Response)
			return dialecttest.Answered(&r)
		})
	})
}

// A loss excuses what it is about and nothing else.
func TestLossesExcuseOnlyWhatTheyAreAbout(t *testing.T) {
	one := &llm.Request{Temperature: llm.Some(0.5), Seed: llm.Some(int64(1)), Messages: []llm.Message{
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "a"}, llm.Media{Kind: llm.Image, Data: "AA==", Detail: "high"}}},
	}, Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "f", Strict: llm.Some(true)}}}
	two := &llm.Request{Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "a"}}}}, Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "f"}}}
	m, got := dialecttest.Asked(one, false), dialecttest.Asked(two, false)
	for _, tt := range []struct {
		lost string
		left []string
	}{
		{"", []string{"seed", "temperature", "tools.f.strict", "turn[0].media[0].detail", "turn[0].media[0]"}},
		{"temperature", []string{"seed", "tools.f.strict", "turn[0].media[0].detail", "turn[0].media[0]"}},
		{"messages[0].content[1].detail", []string{"seed", "temperature", "tools.f.strict", "turn[0].media[0]"}},
		{"messages[0].content[1]", []string{"seed", "temperature", "tools.f.strict"}},
		{"tools[0].strict", []string{"seed", "temperature", "turn[0].media[0].detail", "turn[0].media[0]"}},
		{"tools[0].description", []string{"seed", "temperature", "tools.f.strict", "turn[0].media[0].detail", "turn[0].media[0]"}},
	} {
		var left []string
		for _, s := range m.Silent(got, []dialect.Loss{{What: tt.lost}}) {
			key, _, _ := strings.Cut(s, ":")
			left = append(left, key)
		}
		if d := cmp.Diff(tt.left, left); d != "" {
			t.Errorf("%s: %s", tt.lost, d)
		}
	}
}
