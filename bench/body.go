package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

// dialects are told apart by what their vendors are called.
type tongue int

const (
	openAI tongue = iota
	anthropic
)

func (t tongue) path() string {
	if t == anthropic {
		return "/v1/messages"
	}
	return "/v1/chat/completions"
}

// idDigits is the length of a request's number, which stands in the prompt and comes back in the answer.
const idDigits = 10

// The marks between which the upstream finds what it checks.
const (
	openMark  = "[[plenum-bench "
	closeMark = "[[end]]"
	imageHead = "iVBORw0KGgo" // how every PNG begins in base64
)

// form is a request's body with a place for its number.
type form struct {
	body []byte
	at   int // of the number
}

// fill writes the request's number into a copy of the body.
func (f *form) fill(dst []byte, id int) []byte {
	dst = append(dst, f.body...)
	copy(dst[len(dst)-len(f.body)+f.at:], fmt.Sprintf("%0*d", idDigits, id))
	return dst
}

// ask describes a request.
type ask struct {
	tongue tongue
	model  string
	prompt int // bytes
	image  int // bytes of base64; 0 is none
	stream bool
}

func (a ask) form() *form {
	text, sums := filler(a.prompt), ""
	image := picture(a.image)
	if a.image > 0 {
		sums = fmt.Sprintf(" image=%d,%08x", len(image), crc32.ChecksumIEEE([]byte(image)))
	}
	prompt := fmt.Sprintf("%sid=%0*d sum=%08x%s]]%s%s", openMark, idDigits, 0, crc32.ChecksumIEEE([]byte(text)), sums, text, closeMark)
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"model":%q,`, a.model)
	if a.tongue == anthropic {
		b.WriteString(`"max_tokens":1024,`)
	}
	if a.stream {
		b.WriteString(`"stream":true,`)
	}
	fmt.Fprintf(&b, `"temperature":0.7,"messages":[{"role":"user","content":%s}]}`, a.content(prompt, image))
	f := &form{body: b.Bytes()}
	f.at = bytes.Index(f.body, []byte(openMark)) + len(openMark) + len("id=")
	return f
}

func (a ask) content(prompt, image string) string {
	switch {
	case image == "":
		return `"` + prompt + `"`
	case a.tongue == anthropic:
		return `[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + image + `"}},{"type":"text","text":"` + prompt + `"}]`
	default:
		return `[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + image + `"}},{"type":"text","text":"` + prompt + `"}]`
	}
}

// filler is prose of n bytes with what prompts have: quotes, line breaks, letters beyond ASCII.
func filler(n int) string {
	words := []string{"the", "model", "answers", "with", "care", "and", `\"quotes\"`, "a", "line.\\n", "über", "Straße", "naïve", "data", "in", "long", "rows,"}
	rnd := rand.New(rand.NewPCG(7, 7))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[rnd.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()
}

// picture is base64 that begins as a PNG's does.
func picture(n int) string {
	if n == 0 {
		return ""
	}
	raw := make([]byte, n/4*3)
	rnd := rand.New(rand.NewPCG(9, 9))
	for i := range raw {
		raw[i] = byte(rnd.Uint32())
	}
	copy(raw, "\x89PNG\r\n\x1a\n")
	return base64.StdEncoding.EncodeToString(raw)
}
