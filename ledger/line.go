package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
)

// A line of the journal is one JSON object:
//
//	{"seq":17,"begin":{...},"chain":"<64 hexadecimal digits>"}
//
// Its body is everything before `,"chain"`. With chain(0) the chain that the head of the journal names,
//
//	chain(n) = SHA-256(chain(n-1) || SHA-256(body(n)))
//
// over the 32 bytes of each, so that each line vouches for all before it, and a line can be proved to
// have stood between two others by its sum alone.

// kind is what a line holds; it is the name of its second member.
type kind string

const (
	kindSegment kind = "segment" // the head of a file
	kindBegin   kind = "begin"
	kindEnd     kind = "end"
	kindAudit   kind = "audit"
	kindIntent  kind = "intent" // what somebody is about to do; an entry of the audit of the same id says what came of it
)

// isEntry reports whether lines of a kind are entries, which go to the Sink.
func isEntry(k kind) bool { return k == kindEnd || k == kindAudit }

// tailSize is the length of what follows a line's body.
const tailSize = len(`,"chain":"`) + 2*sha256.Size + len("\"}\n")

// head is the first line of a segment.
type head struct {
	Version int    `json:"version"`
	Node    string `json:"node"`
	After   string `json:"after"` // the chain of the line before, in the segment before
	Time    int64  `json:"time_us"`
}

// version is the version of this format.
const version = 1

var (
	errTorn  = errors.New("the line is not whole")
	errChain = errors.New("the line does not follow from the one before")
)

// line is one line, taken apart.
type line struct {
	seq     uint64
	kind    kind
	payload []byte
	sum     Sum // of the body
	chain   Sum
	size    int // with its newline
}

// appendHead appends what stands before the payload.
func appendHead(dst []byte, seq uint64, k kind) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, `,"`...)
	dst = append(dst, k...)
	return append(dst, `":`...)
}

// appendLine appends a line that follows prior, and returns its chain.
func appendLine(dst []byte, seq uint64, k kind, payload []byte, prior Sum) ([]byte, Sum) {
	at := len(dst)
	dst = appendHead(dst, seq, k)
	dst = append(dst, payload...)
	chain := link(prior, sha256.Sum256(dst[at:]))
	dst = append(dst, `,"chain":"`...)
	dst = hex.AppendEncode(dst, chain[:])
	return append(dst, "\"}\n"...), chain
}

// sumOf returns the sum of a body.
func sumOf(head, payload []byte) Sum {
	return sha256.Sum256(append(head, payload...))
}

// link returns the chain after a body whose sum is s.
func link(prior, s Sum) Sum {
	var b [2 * sha256.Size]byte
	copy(b[:], prior[:])
	copy(b[sha256.Size:], s[:])
	return sha256.Sum256(b[:])
}

// parseLine takes apart the line at the start of b, without looking at what came before it. It returns
// errTorn where there is no whole line.
func parseLine(b []byte) (line, error) {
	end := bytes.IndexByte(b, '\n')
	if end < tailSize {
		return line{}, errTorn
	}
	l := line{size: end + 1}
	body, tail := b[:l.size-tailSize], b[l.size-tailSize:l.size]
	digits, ok := bytes.CutPrefix(tail, []byte(`,"chain":"`))
	if !ok || !bytes.HasSuffix(digits, []byte("\"}\n")) {
		return line{}, errTorn
	}
	if _, err := hex.Decode(l.chain[:], digits[:2*sha256.Size]); err != nil {
		return line{}, errTorn
	}
	l.sum = sha256.Sum256(body)
	if !l.split(body) {
		return line{}, errTorn
	}
	return l, nil
}

// split reads the body's members.
func (l *line) split(body []byte) bool {
	rest, ok := bytes.CutPrefix(body, []byte(`{"seq":`))
	if !ok {
		return false
	}
	seq, rest, ok := bytes.Cut(rest, []byte(`,"`))
	if !ok {
		return false
	}
	name, payload, ok := bytes.Cut(rest, []byte(`":`))
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(string(seq), 10, 64)
	l.seq, l.kind, l.payload = n, kind(name), payload
	return err == nil
}

// follow parses the line at the start of b and holds it against the one before.
func follow(b []byte, seq uint64, prior Sum) (line, error) {
	l, err := parseLine(b)
	if err != nil {
		return l, err
	}
	if l.seq != seq+1 || link(prior, l.sum) != l.chain {
		return l, errChain
	}
	return l, nil
}

// parseHead reads the first line of a segment and returns the state that its lines follow from.
func parseHead(b []byte) (h head, l line, err error) {
	if l, err = parseLine(b); err != nil {
		return h, l, err
	}
	if l.kind != kindSegment {
		return h, l, errors.New("the segment has no head")
	}
	if err := json.Unmarshal(l.payload, &h); err != nil {
		return h, l, err
	}
	if h.Version != version {
		return h, l, errors.New("the segment is of another version of the format: " + strconv.Itoa(h.Version))
	}
	after, err := h.after()
	if err == nil && link(after, l.sum) != l.chain {
		err = errChain
	}
	return h, l, err
}

// after returns the chain that the segment follows from.
func (h *head) after() (Sum, error) {
	var s Sum
	b, err := hex.DecodeString(h.After)
	if err != nil || len(b) != len(s) {
		return s, errors.New("the head of the segment names no chain")
	}
	copy(s[:], b)
	return s, nil
}
