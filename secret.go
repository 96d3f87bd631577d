package plenum

import (
	"fmt"
	"log/slog"
)

// Secret is a string that cannot be printed: every way of formatting, logging or marshalling it shows
// a placeholder. Reveal is the one way to its value, easy to find in review.
//
// The value is behind a pointer: fmt, which cannot call a method of an unexported field, would print a
// string that stands in the struct itself.
type Secret struct{ v *string }

// redacted is what is shown instead.
const redacted = "[secret]"

// NewSecret wraps a value.
func NewSecret(v string) Secret { return Secret{v: &v} }

// Reveal returns the value. Call it only where it is sent or compared.
func (s Secret) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.v == nil || *s.v == "" }

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder.
func (s Secret) GoString() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, for JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
