package dialect

// Apart is a Server whose callers are answered in one of several forms that an operation has in the dialect.
// Where the upstream is asked in another of them, bytes do not pass though the dialect is the same.
type Apart interface {
	// Apart reports whether the upstream's codec speaks another form.
	Apart(upstream Codec) bool
}
