package redact

import (
	"strings"
	"testing"
	"time"
)

func all(t *testing.T, own ...Pattern) *Redactor {
	t.Helper()
	r, err := New(Kinds(), own...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsTakenOut(t *testing.T) {
	r := all(t, Pattern{"ticket", `TICK-[0-9]{4}`})
	for text, want := range map[string]string{
		"pay 4111 1111 1111 1111 now":                                    "pay [CARD] now",
		"pay 4111-1111-1111-1111.":                                       "pay [CARD].",
		"378282246310005 is a card of 15":                                "[CARD] is a card of 15",
		"4111 1111 1111 1112 has no check digit":                         "4111 1111 1111 1112 has no check digit",
		"order 0000000000000000":                                         "order 0000000000000000",
		"to DE89 3704 0044 0532 0130 00, please":                         "to [IBAN], please",
		"GB82WEST12345698765432":                                         "[IBAN]",
		"DE00 3704 1144 1532 1130 11":                                    "DE00 3704 1144 1532 1130 11",
		"mail ann.o'neil+x@mail.example.co.uk":                           "mail [EMAIL]",
		"no@mail":                                                        "no@mail",
		"call +49 170 1234567 or (555) 123-4567":                         "call [PHONE] or [PHONE]",
		"in 2026, 12 of 1000":                                            "in 2026, 12 of 1000",
		"key sk-abcdefghijklmnopqrstuvwx is":                             "key [KEY] is",
		"AKIAIOSFODNN7EXAMPLE":                                           "[KEY]",
		"eyJhbGciOiJI.eyJzdWIi.c2lnbmF0dXJl":                             "[KEY]",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY----- x": "[KEY] x",
		"see TICK-1234":                                                  "see [TICKET]",
		"größer als nichts":                                              "größer als nichts",
	} {
		if got, n := r.Text(text); got != want || (n > 0) != (got != text) {
			t.Errorf("%q is %q (%d), want %q", text, got, n, want)
		}
	}
}

func TestAStreamIsRedactedWhereverItIsCut(t *testing.T) {
	r := all(t)
	text := "ä mail ann@example.com, pay 4111 1111 1111 1111, to DE89 3704 0044 0532 0130 00, call +49 170 1234567; " + strings.Repeat("and so on, größer ", 60) + "sk-abcdefghijklmnopqrstuvwx ann@example.com"
	want, n := r.Text(text)
	for size := 1; size < len(text); size += 1 + size/9 {
		s := r.Stream()
		var b strings.Builder
		for i := 0; i < len(text); i += size {
			b.WriteString(s.Push(text[i:min(i+size, len(text))]))
		}
		b.WriteString(s.End())
		if got := b.String(); got != want || s.Count() != n {
			t.Fatalf("in pieces of %d: %d of %d, %q", size, s.Count(), n, got)
		}
	}
}

func TestLongTextsTakeLinearTime(t *testing.T) {
	r := all(t)
	begin := time.Now()
	for _, bad := range []string{"a@", "1", "1 ", "DE89", "sk-", "a.", "+1", "eyJ"} {
		r.Text(strings.Repeat(bad, 20_000/len(bad)))
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestIDsStayInJSON(t *testing.T) {
	r := all(t)
	stays := func(name string) bool { return name == "id" || name == "type" }
	got, err := r.JSON([]byte(`{"id":"4111111111111111","content":[{"type":"a@example.com","text":"a@example.com","n":1e3}],"args":"{\"id\":\"4111111111111111\",\"to\":\"a@example.com\"}"}`), stays)
	if want := `{"args":"{\"id\":\"4111111111111111\",\"to\":\"[EMAIL]\"}","content":[{"n":1e3,"text":"[EMAIL]","type":"a@example.com"}],"id":"4111111111111111"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if got, err := r.JSON([]byte(`{"content":"<ok>"}`), stays); err != nil || string(got) != `{"content":"<ok>"}` {
		t.Errorf("what has nothing is %s, %v", got, err)
	}
	if _, err := r.JSON([]byte(`{`), stays); err == nil {
		t.Error("what is no JSON is redacted")
	}
}

func TestPatternsThatCannotBe(t *testing.T) {
	for _, p := range []string{"(", "a*", `(a)\1`} {
		if _, err := New(nil, Pattern{"x", p}); err == nil {
			t.Errorf("%s is taken", p)
		}
	}
	if _, err := New([]string{"names"}); err == nil {
		t.Error("an unknown kind is taken")
	}
}
