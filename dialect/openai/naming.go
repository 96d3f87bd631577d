package openai

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
)

// naming says what requests of chat completions, images and speech name that a vendor keeps. Members that only some
// hosts know stand here as well: xAI's collections, Mistral's libraries, the indexes of Azure's data sources.
func naming() *dialect.Naming {
	asks := dialect.MembersAt(
		"messages.*.content.*.file.file_id",
		"messages.*.content.*.file_id",
		"messages.*.content.*.image_url.file_id",
		"messages.*.audio.id", // an earlier answer in sound
		"audio.voice.id",
		"voice.id",
		"tools.*.vector_store_ids.*",
		"tools.*.collection_ids.*",
		"tools.*.library_ids.*",
		"data_sources.*.parameters.index_name",
		"images.*.file_id",
		"image.file_id",
		"image.*.file_id",
		"mask.file_id",
	)
	asks = append(asks, dialect.NamingMember{Path: "audio", Brings: func(string) bool { return true }})
	return dialect.NewNaming(asks, []dialect.NamingMember{
		{Path: "choices.*.message.audio.id", Kind: "audio"},
		{Path: "choices.*.delta.audio.id", Kind: "audio"},
	})
}

// realtimeNaming says what the messages of a session name: its settings, an answer that is asked for, an item. A secret
// for a session is made with settings as well.
func realtimeNaming() *dialect.Naming {
	var asks []dialect.NamingMember
	for _, in := range [...]string{"session.", "response.", ""} {
		asks = slices.Concat(asks, dialect.MembersAt(
			in+"audio.output.voice.id",
			in+"voice.id",
			in+"prompt.id",
			in+"prompt.variables.*.file_id",
			in+"tools.*.vector_store_ids.*",
			in+"tools.*.collection_ids.*",
			in+"tools.*.tunnel_id",
			in+"input.*.content.*.file_id",
		), []dialect.NamingMember{{Path: in + "tools.*.connector_id", ID: dialect.Connector}})
	}
	return dialect.NewNaming(append(asks, dialect.MembersAt("item.content.*.file_id")...), nil)
}
