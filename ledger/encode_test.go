package ledger

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
)

// fill sets every field of a value to something that is not zero, so that a field that the encoder
// forgets is seen.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString("v\"\\\n\x01<é>\u2028" + strings.Repeat("x", int(*n%3)))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	default:
		panic("the encoder's test cannot fill a " + v.Type().String())
	}
}

// asJSON is the encoding that the hand-written one must equal.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`\u2028`, "\u2028").Replace(strings.TrimSpace(b.String()))
}

func TestAppendRecordEqualsEncodingJSON(t *testing.T) {
	var full plenum.Record
	var n int64
	fill(reflect.ValueOf(&full).Elem(), &n)
	for name, r := range map[string]plenum.Record{"full": full, "empty": {}, "broken text": {ID: "a\xffb\xc3"}} {
		t.Run(name, func(t *testing.T) {
			got := string(appendRecord(nil, &r))
			if diff := cmp.Diff(asJSON(t, r), got); diff != "" {
				t.Errorf("appendRecord differs from encoding/json (-want +got):\n%s", diff)
			}
			var back, want plenum.Record
			if err := json.Unmarshal([]byte(got), &back); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal([]byte(asJSON(t, r)), &want)
			if diff := cmp.Diff(want, back); diff != "" {
				t.Errorf("what comes back differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendBeginEqualsEncodingJSON(t *testing.T) {
	var b Begin
	var n int64
	fill(reflect.ValueOf(&b).Elem(), &n)
	for _, b := range []Begin{b, {}} {
		if diff := cmp.Diff(asJSON(t, b), string(appendBegin(nil, &b))); diff != "" {
			t.Errorf("appendBegin differs from encoding/json (-want +got):\n%s", diff)
		}
	}
}

func TestBeginOfKeepsWhatARecordHasInCommon(t *testing.T) {
	var r plenum.Record
	var n int64
	fill(reflect.ValueOf(&r).Elem(), &n)
	b := reflect.ValueOf(BeginOf(&r))
	for i := range b.NumField() {
		name := b.Type().Field(i).Name
		of := name
		if name == "Charges" {
			of = "HeldOf" // what was charged is known at the end
		}
		if got, want := b.Field(i).Interface(), reflect.ValueOf(r).FieldByName(of).Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("BeginOf has %s %v, the record has %v", name, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\x1f\"\\\n\r\t\x7f")
	f.Add("\xff\xfe\xc3(\xf0\x9f\x98\x80\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("%q became invalid JSON: %v", s, err)
		}
		b, _ := json.Marshal(s)
		_ = json.Unmarshal(b, &want)
		if got != want {
			t.Errorf("%q came back as %q, want %q", s, got, want)
		}
	})
}
