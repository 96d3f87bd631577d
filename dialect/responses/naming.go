package responses

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
)

// naming says what requests name that a vendor keeps. Earlier answers, conversations and items are not among it: they
// are Plenum's own, and recalled.
func naming() *dialect.Naming {
	asks := dialect.MembersAt(
		"input.*.content.*.file_id",
		"input.*.output.*.file_id",
		"input.*.output.file_id",
		"input.*.container_id", // a tool that runs code goes on in the container of an earlier call
		"input.*.environment.container_id",
		"prompt.id",
		"prompt.variables.*.file_id",
	)
	for _, in := range [...]string{"tools.*.", "input.*.tools.*."} {
		asks = slices.Concat(asks, dialect.MembersAt(
			in+"vector_store_ids.*",
			in+"collection_ids.*",
			in+"container",
			in+"container.file_ids.*",
			in+"environment.container_id",
			in+"environment.file_ids.*",
			in+"input_image_mask.file_id",
			in+"tunnel_id",
		), []dialect.NamingMember{
			{Path: in + "connector_id", ID: dialect.Connector},
			{Path: in + "environment.skills.*.skill_id", ID: dialect.Skill},
			{Path: in + "container.skills.*.skill_id", ID: dialect.Skill},
			{Path: in + "type", Brings: func(tool string) bool {
				return tool == "code_interpreter" || tool == "shell" || tool == "image_generation"
			}},
		})
	}
	// That items have ids is all that is wanted here: history looks which of them only name another.
	asks = append(asks, dialect.NamingMember{Path: "input.*.id", Brings: func(string) bool { return false }})
	asks = append(asks, dialect.NamingMember{Path: "prompt", Brings: func(string) bool { return true }}) // it may hold tools
	var says []dialect.NamingMember
	for _, in := range [...]string{"output.*.", "response.output.*.", "item."} {
		says = append(says,
			dialect.NamingMember{Path: in + "container_id", Kind: "containers"},
			dialect.NamingMember{Path: in + "environment.container_id", Kind: "containers"},
		)
	}
	return dialect.NewNaming(asks, says)
}
