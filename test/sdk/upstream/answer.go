package main

import (
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// answer is what a model says, whichever vendor says it.
type answer struct {
	choices []choice
	usage   usage
	tokens  int // of a request to count them

	failure  *failure
	hang     bool
	breaks   string        // fault, cut or end: how a stream goes wrong after so many pieces of content
	after    int           //
	pace     time.Duration // between two pieces of content
	splinter int           // bytes written at a time; 0 is an event at a time
}

type choice struct {
	blocks []block
	stop   string // end, length, tool, stop, refusal, filter
}

// block is a piece of an answer. Pieces are how it is streamed; together they are the whole.
type block struct {
	kind   string // text thought sealed call refusal
	pieces []string
	id     string
	name   string
	cite   bool
}

func (b block) all() string { return strings.Join(b.pieces, "") }

type usage struct {
	in, cacheRead, cacheWrite5m, cacheWrite1h int
	out, reasoning                            int // out includes reasoning
}

// sealed is what this vendor thought and shows to nobody.
const sealed = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP"

// sign seals a thought, so that it can be told whether it came back as it was.
func sign(text string) string {
	return fmt.Sprintf("EqQB%08xCkYIBBgCIkDplenumUpstream==", crc32.ChecksumIEEE([]byte(text)))
}

func says(pieces ...string) *answer {
	return &answer{
		choices: []choice{{blocks: []block{{kind: "text", pieces: pieces}}, stop: "end"}},
		usage:   usage{in: 11, out: 7}, tokens: 42,
	}
}

func (a *answer) stop(why string) *answer {
	a.choices[0].stop = why
	return a
}

// before puts blocks before those that are there.
func (a *answer) before(bs ...block) *answer {
	a.choices[0].blocks = append(bs, a.choices[0].blocks...)
	return a
}

func (a *answer) then(bs ...block) *answer {
	a.choices[0].blocks = append(a.choices[0].blocks, bs...)
	return a
}

func call(id, name string, pieces ...string) block {
	return block{kind: "call", id: id, name: name, pieces: pieces}
}

func thought(pieces ...string) block { return block{kind: "thought", pieces: pieces} }

// fails is an error answer.
func fails(status int, message string) *answer {
	return &answer{failure: &failure{status: status, message: message}}
}
