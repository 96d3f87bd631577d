// Package llm is the meaning of a call to a language model, free of any vendor's wire format.
//
// A dialect decodes what a caller says into a [Payload], and encodes a [Result] or a [Stream] of
// events back into what the caller expects to hear; toward an upstream it does the reverse. So N
// dialects need N codecs and not N×N translators.
//
// Three rules hold everywhere in it.
//
//   - Unset is not zero: an [Opt] says whether a parameter was given at all.
//   - Nothing unknown is dropped: what a dialect has no word for here travels verbatim in an [Extra]
//     or an [Opaque] block, tagged with the dialect it came from, and only that dialect may say it again.
//   - A whole answer is the fold of its stream: Collect(Replay(r)) == r.
//
// The package imports only the standard library and nothing of the project.
package llm
