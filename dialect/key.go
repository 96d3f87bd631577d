package dialect

import plenum "github.com/plenum-foundry/plenum"

// KeyTeller is a codec that tells a caller of the key that they call with.
type KeyTeller interface {
	Codec
	// TellKey says what is known of a key. Its secret is not.
	TellKey(plenum.Key) []byte
}
