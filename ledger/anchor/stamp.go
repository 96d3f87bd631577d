package anchor

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// mostAnswer bounds what an authority or a log may answer.
const mostAnswer = 64 << 10

// Stamp is a time-stamping authority (RFC 3161). What it signs is the receipt.
type Stamp struct {
	URL    string
	Client *http.Client
	Roots  *x509.CertPool // whom its certificate must come from; nil takes any, which proves less
	Copy   *File          // where stamped heads are put as well; nil is nowhere
}

// Put has a head stamped.
func (s Stamp) Put(ctx context.Context, a *Anchored) error {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return err
	}
	digest := a.Digest()
	q := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Nonce: nonce, Certificates: true}
	b, err := q.Marshal()
	if err != nil {
		return err
	}
	answer, err := post(ctx, s.Client, s.URL, "application/timestamp-query", b)
	if err != nil {
		return err
	}
	ts, err := timestamp.ParseResponse(answer)
	if err != nil {
		return fmt.Errorf("reading the time-stamp: %w", err)
	}
	if ts.Nonce == nil || ts.Nonce.Cmp(nonce) != 0 {
		return errors.New("the time-stamp answers another request")
	}
	a.Receipt = ts.RawToken
	if _, err := a.Stamped(s.Roots); err != nil {
		return err
	}
	if s.Copy == nil {
		return nil
	}
	return s.Copy.Put(ctx, a)
}

// Stamped checks the time-stamp of a head and returns when an authority saw it. Whose word that is Roots decide; nil
// takes anyone's.
func (a *Anchored) Stamped(roots *x509.CertPool) (time.Time, error) {
	ts, err := timestamp.Parse(a.Receipt) // checks its signature
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the time-stamp: %w", err)
	}
	digest := a.Digest()
	if ts.HashAlgorithm != crypto.SHA256 || !bytes.Equal(ts.HashedMessage, digest[:]) {
		return time.Time{}, errors.New("the time-stamp is of something else")
	}
	p7, err := pkcs7.Parse(a.Receipt)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the time-stamp: %w", err)
	}
	signer := p7.GetOnlySigner()
	if signer == nil {
		return time.Time{}, errors.New("the time-stamp has no signer, or several")
	}
	if err := p7.Verify(); err != nil {
		return time.Time{}, fmt.Errorf("checking the time-stamp: %w", err)
	}
	if roots == nil {
		return ts.Time, nil
	}
	between := x509.NewCertPool()
	for _, c := range p7.Certificates {
		between.AddCert(c)
	}
	_, err = signer.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: ts.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("checking the authority of the time-stamp: %w", err)
	}
	return ts.Time, nil
}

// Log is a log that somebody else keeps, such as a transparency log's front: it takes heads by POST, as JSON, and what
// it answers is the receipt.
type Log struct {
	URL    string
	Client *http.Client
}

// Put sends a head there.
func (l Log) Put(ctx context.Context, a *Anchored) error {
	answer, err := post(ctx, l.Client, l.URL, "application/json", a.stamped())
	a.Receipt = answer
	return err
}

// post sends a body and returns the answer to it.
func post(ctx context.Context, c *http.Client, url, media string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", media)
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		return nil, fmt.Errorf("it answers %s", resp.Status)
	case len(b) > mostAnswer:
		return nil, errors.New("its answer is too long")
	}
	return b, nil
}
