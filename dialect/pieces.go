package dialect

// Piecewise is a Client some of whose answers are no JSON: sound, subtitles. Within the dialect they pass in
// pieces, as they come and with the content type that they have.
type Piecewise interface {
	// Pieces reports whether an answer of status 200 of this media type is such a one.
	Pieces(media string) bool
}
