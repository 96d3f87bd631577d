package anthropic

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
)

// naming says what requests name that the vendor keeps: files and containers. Ids in what tools have answered are only
// told again, and open nothing.
func naming() *dialect.Naming {
	asks := dialect.MembersAt(
		"container",
		"container.id",
		"messages.*.content.*.file_id",
		"messages.*.content.*.source.file_id",
		"messages.*.content.*.source.content.*.source.file_id",
		"messages.*.content.*.content.*.file_id",
		"messages.*.content.*.content.*.source.file_id",
		"messages.*.content.*.content.*.source.content.*.source.file_id",
		"messages.*.content.*.content.source.file_id",
		"messages.*.content.*.content.content.source.file_id",
	)
	asks = append(asks,
		dialect.NamingMember{Path: "container.skills.*.skill_id", ID: dialect.Skill},
		dialect.NamingMember{Path: "container", Brings: func(string) bool { return true }},
		dialect.NamingMember{Path: "tools.*.type", Brings: func(tool string) bool { return strings.HasPrefix(tool, "code_execution_") }},
	)
	says := []dialect.NamingMember{
		{Path: "container.id", Kind: "containers"},
		{Path: "message.container.id", Kind: "containers"},
		{Path: "delta.container.id", Kind: "containers"},
		{Path: "content.*.content.content.*.file_id", Kind: "files"},
		{Path: "content_block.content.content.*.file_id", Kind: "files"},
	}
	return dialect.NewNaming(asks, says)
}
