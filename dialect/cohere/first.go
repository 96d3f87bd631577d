package cohere

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// FirstName is the name of the API's first version.
const FirstName = "cohere-v1"

// First returns the first version of the API, which has another shape: what is said now, what was said before, and
// what the tools have answered each stand in a member of their own, and a stream is lines of JSON. It lives under
// /cohere alone.
func First() *dialect.Dialect {
	c := &first{names: firstNaming()}
	return &dialect.Dialect{
		Name:  FirstName,
		Title: "Cohere chat v1",
		Routes: []dialect.Route{
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/cohere/v1/chat", Codec: c},
		},
		Headers: namespace(),
		Names:   c.names,
		Streams: dialect.NDJSON,
	}
}

// firstNaming says what requests name that the vendor keeps: a conversation, under a name that the caller made
// up, and connectors that an organisation has set up.
func firstNaming() *dialect.Naming {
	asks := append(dialect.MembersAt("conversation_id"), dialect.NamingMember{Path: "connectors.*.id", ID: func(id string) string {
		if id == webSearch {
			return "" // the vendor has it for everyone
		}
		return id
	}})
	return dialect.NewNaming(asks, nil)
}

const webSearch = "web-search"

// first speaks chat in its first version. Errors are those of the second.
type first struct {
	codec
	names *dialect.Naming
}

var _ dialect.Codec = (*first)(nil)

// Notes on how a thing of the first version stood.
const (
	noteNow        = "message"               // the message is what is said now
	noteMade       = "tool_results.call"     // the turn was made of the calls that results tell of
	noteDefinition = "parameter_definitions" // begins the note of how a tool's parameters were described
	noteRole       = "role: "                // begins the note of how a role was written
)

// The words for who speaks.
const (
	firstUser   = "USER"
	firstBot    = "CHATBOT"
	firstSystem = "SYSTEM"
	firstTool   = "TOOL"
)

func firstHome() llm.Extra { return llm.Extra{Dialect: FirstName} }

// firstNoted returns the rest of the note that begins so.
func firstNoted(e llm.Extra, start string) string {
	if e.Dialect != FirstName {
		return ""
	}
	e.Dialect = Name
	return noted(e, start)
}

// Peek implements dialect.Server.
func (c *first) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	var s spans
	keys := peekKeys()
	o, names, err := c.names.Scan(in.Body, b.MaxDepth, keys[:], s.found[:])
	if err != nil {
		return dialect.Head{}, dialect.NotJSON(op, err)
	}
	s.object = o
	h, err := s.head(in.Body)
	h.Names = names
	return h, err
}

// EditRequest implements dialect.Client.
func (c *first) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return dialect.Again(c, in, s, headers(in.Header), dialect.Redacted)
	}
	return c.codec.EditRequest(in, h, s)
}
