package gateway

import (
	"errors"
	"io"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// inPieces reports whether an answer passes as it is, in pieces: it is no JSON, and nobody reads it.
func (a *attempt) inPieces(media string) bool { return a.same && !a.call.Understand && a.noJSON(media) }

// noJSON reports whether a codec knows a media type as that of an answer that is no JSON.
func (a *attempt) noJSON(media string) bool {
	p, ok := a.plan.Codec.(dialect.Piecewise)
	return ok && p.Pieces(media)
}

// pieces reads an answer that passes as it is. Its end is known before its last piece is: the record is
// written before that goes out.
func (a *attempt) pieces(body io.Reader) error {
	head := a.head(false)
	head.Pieces = true
	head.Header.Set("Content-Type", a.resp.Header.Get("Content-Type"))
	if err := a.out.Begin(head); err != nil {
		return err
	}
	now, next := make([]byte, pieceSize), make([]byte, pieceSize)
	n, err := readPiece(body, now)
	for err == nil {
		a.watch.alive(true)
		var m int
		m, err = readPiece(body, next)
		if err != nil && !errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			if err := a.out.Chunk(piece(now[:n])); err != nil {
				return err
			}
			now, next, n = next, now, m
		}
	}
	if !errors.Is(err, io.EOF) {
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's answer was cut off; try again", Err: err}
	}
	last := piece(now[:n])
	last.Events = []llm.Event{llm.End{}}
	return a.out.Chunk(last)
}

func piece(b []byte) dialect.Chunk { return dialect.Chunk{Frame: dialect.Frame{Raw: b}, Text: len(b)} }

// readPiece reads what comes at once. What comes together with the end is returned before it.
func readPiece(body io.Reader, buf []byte) (int, error) {
	for {
		n, err := body.Read(buf)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
