package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func startMock(t *testing.T) (*mock, string) {
	t.Helper()
	l, err := loopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := newMock()
	go m.listen(l)
	return m, l.Addr().String()
}

func TestEveryStyleIsAnsweredRightByTheUpstreamItself(t *testing.T) {
	m, addr := startMock(t)
	asked := int64(0)
	for _, st := range styles() {
		if st.paced {
			continue // the same but for the time it takes
		}
		for _, tg := range []tongue{openAI, anthropic} {
			l := shape{model: st.model, prompt: 500, image: 5000, flight: 2}.load(st.model, tg, tg)
			tl := closed(t.Context(), addr, l, 20*time.Millisecond)
			if tl.Wrong != 0 || tl.Requests == 0 {
				t.Errorf("%s %v: %d of %d wrong: %v", st.model, tg, tl.Wrong, tl.Requests, *tl.why.Load())
			}
			asked += tl.Requests
		}
	}
	if m.served.Load() != asked || m.bad.Load() != 0 {
		t.Errorf("%d served, %d bad, %d asked", m.served.Load(), m.bad.Load(), asked)
	}
}

func TestAWrongAnswerIsSeen(t *testing.T) {
	_, addr := startMock(t)
	l := shape{model: "unary", prompt: 10, flight: 1}.load("unary", openAI, openAI)
	l.want = anthropic.answer(l.answer.style).whole()
	if tl := closed(t.Context(), addr, l, time.Millisecond); tl.Wrong != tl.Requests {
		t.Errorf("%d of %d were found wrong", tl.Wrong, tl.Requests)
	}
}

func TestABodyThatWasChangedIsRefused(t *testing.T) {
	f := ask{model: "unary", prompt: 300, image: 3000}.form()
	body := f.fill(nil, 42)
	if id, model, err := check(body); err != nil || string(id) != "0000000042" || model != "unary" {
		t.Fatalf("id %s, model %s, error %v", id, model, err)
	}
	for _, place := range []string{"]]", imageHead} {
		broken := bytes.Clone(body)
		broken[bytes.Index(broken, []byte(place))+len(place)+5] ^= 1
		if _, _, err := check(broken); err == nil {
			t.Errorf("a change after %q was not seen", place)
		}
	}
}

func TestWhatAnAnswerSaysIsReadInBothDialects(t *testing.T) {
	for _, st := range styles() {
		for _, tg := range []tongue{openAI, anthropic} {
			a := tg.answer(st)
			if got := string(said(tg, a.whole())); got != a.text {
				t.Errorf("%s %v: got %.80q, want %.80q", st.model, tg, got, a.text)
			}
		}
	}
}

func TestMediansAndRatios(t *testing.T) {
	r := &result{Base: "nginx", Samples: map[string][]sample{"nginx": {{CPU: 10}, {CPU: 20}}, "plenum": {{CPU: 30}, {CPU: 40}}}, order: []string{"nginx", "plenum"}}
	if got := median(r.ratios("plenum")); got != 2.5 {
		t.Errorf("median of the ratios is %v", got)
	}
	var b strings.Builder
	r.print(&b)
	if !strings.Contains(b.String(), "| plenum | 35.0 | 2.50 | 2.00-3.00 |") {
		t.Error(b.String())
	}
}
