// Package matrix crosses every dialect with every other one, through the whole gateway: a caller of each
// dialect against a vendor of each, feature by feature, streamed and not. What the vendor was told is compared
// with what the caller said, and what the caller was answered with what the vendor said; whatever differs must
// be named in the answer's headers. docs/matrix.md is made from it.
//
// The vendors are made of the dialects' own server sides, the callers of their client sides: what is proved
// here is that nothing is lost between them, and by the recorded traffic and the vendors' SDKs that each is
// what the vendor speaks.
package matrix
