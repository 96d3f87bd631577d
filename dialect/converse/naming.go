package converse

import "github.com/plenum-foundry/plenum/dialect"

// naming says what requests name: objects in buckets that our account may read.
func naming() *dialect.Naming {
	var paths []string
	for _, kind := range [...]string{"image", "document", "video", "audio"} {
		for _, in := range [...]string{"", "toolResult.content.*."} {
			at := "messages.*.content.*." + in + kind + ".source.s3Location.uri"
			paths = append(paths, at, "input.converse."+at) // the second is of a count
		}
	}
	return dialect.NewNaming(dialect.MembersAt(paths...), nil)
}
