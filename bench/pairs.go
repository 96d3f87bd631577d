package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// pairShape is a kind of call that is tried between every two dialects.
type pairShape struct {
	name, title string
	prompt      int // bytes
	stream      bool
	flight      int
	per         int // what a request's CPU is divided by
}

func pairShapes() []pairShape {
	return []pairShape{
		{name: "small", title: "A request of 0.3 KB", prompt: 200, flight: 16, per: 1},
		{name: "100k", title: "A request of 100 KB", prompt: 100_000, flight: 8, per: 1},
		{name: "burst", title: "An event of a stream of 200 at once", prompt: 200, stream: true, flight: 8, per: burstDeltas},
	}
}

// pairs measures what it costs to cross from every dialect to every other: CPU of Plenum's process, as a ratio to
// the same call within the caller's dialect, round by round.
type pairs struct {
	sides  []sides.Side
	plenum *target
	plan   plan
	shapes []pairShape
	// cpu holds microseconds by shape, caller, upstream and round.
	cpu   map[[3]string][]float64
	asked int64
	wrong int64
	why   string
}

// runPairs runs the program as an upstream and Plenum before it, measures, and writes the table.
func runPairs(ctx context.Context, o options, b *bed, dir string) error {
	addr, _, err := b.role(vendorsRole)
	if err != nil {
		return fmt.Errorf("starting the vendors: %w", err)
	}
	binary, err := build(ctx, o, dir)
	if err != nil {
		return err
	}
	p := &pairs{sides: sides.All(), plan: o.plan(), shapes: pairShapes(), cpu: map[[3]string][]float64{}}
	if p.plenum, err = b.launch("plenum", binary, dir, o.profile, func(addrOfPlenum, dir string) string { return pairsConf(addrOfPlenum, dir, addr) }); err != nil {
		return fmt.Errorf("starting Plenum: %w", err)
	}
	began := time.Now()
	for round := range p.plan.rounds {
		for _, sh := range p.shapes {
			if !listed(o.only, sh.name) {
				continue
			}
			for i := range p.sides {
				for j := range p.sides {
					from, to := p.sides[i], p.sides[(i+j+round)%len(p.sides)]
					if !listed(o.from, from.Name) || !listed(o.to, to.Name) {
						continue
					}
					if err := p.once(ctx, sh, from, to); err != nil {
						return err
					}
				}
			}
		}
	}
	text := p.table(o, began)
	fmt.Print(text)
	if p.wrong > 0 {
		return fmt.Errorf("%d of %d answers were wrong: %s", p.wrong, p.asked, p.why)
	}
	if o.page == "" {
		return nil
	}
	return insert(o.page, text)
}

// pairsConf has a deployment for each vendor.
func pairsConf(addr, dir, vendors string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: %s\ndata_dir: %s/data\nadmin_key: admin-bench-0123456789\nlog: {format: json, level: info}\nkeys:\n  - {name: bench, secret: %s}\nconnections:\n", addr, dir, benchKey)
	for _, s := range sides.All() {
		fmt.Fprintf(&b, "  - {name: %s, %s}\n", s.Name, fmt.Sprintf(s.Place, "http://"+vendors))
	}
	b.WriteString("deployments:\n")
	for _, s := range sides.All() {
		fmt.Fprintf(&b, "  - {name: to-%s, retry: {attempts: 1}, targets: [{connection: %s, upstream_model: %s, price: {input_usd_per_million: 3, output_usd_per_million: 15}}]}\n",
			s.Name, s.Name, pairModel)
	}
	return b.String()
}

// once measures one pair in one round.
func (p *pairs) once(ctx context.Context, sh pairShape, from, to sides.Side) error {
	l, err := newPairLoad(sh, from, "to-"+to.Name, p.plenum.addr)
	if err != nil {
		return fmt.Errorf("%s to %s: %w", from.Title, to.Title, err)
	}
	defer l.client.CloseIdleConnections()
	l.hammer(ctx, p.plan.warm)
	before, err := p.plenum.usage()
	if err != nil {
		return err
	}
	n := l.hammer(ctx, p.plan.each)
	after, err := p.plenum.usage()
	if err != nil {
		return err
	}
	p.asked += n
	if l.wrong > 0 {
		p.wrong += l.wrong
		p.why = fmt.Sprintf("%s, %s to %s: %s", sh.name, from.Title, to.Title, l.why)
	}
	key := [3]string{sh.name, from.Name, to.Name}
	p.cpu[key] = append(p.cpu[key], float64((after.cpu-before.cpu).Microseconds())/float64(max(n, 1))/float64(sh.per))
	return ctx.Err()
}

// pairLoad is what a caller of a dialect asks of a vendor.
type pairLoad struct {
	shape  pairShape
	from   sides.Side
	codec  dialect.Codec
	url    string
	header http.Header
	body   []byte
	want   string
	client *http.Client

	mu    sync.Mutex
	wrong int64
	why   string
}

func newPairLoad(sh pairShape, from sides.Side, model, addr string) (*pairLoad, error) {
	l := &pairLoad{shape: sh, from: from, url: "http://" + addr + from.Path(model, sh.stream)}
	l.codec, _ = from.Codec(model, sh.stream)
	words := 60
	if sh.stream {
		words = burstDeltas
	}
	l.want = style{words: words}.text()
	var text string
	if err := json.Unmarshal([]byte(`"`+filler(sh.prompt)+`"`), &text); err != nil {
		return nil, err
	}
	prompt := fmt.Sprintf("%sid=%s sum=%08x]]%s%s", openMark, blank, crc32.ChecksumIEEE([]byte(text)), text, closeMark)
	req := &llm.Request{
		Model: model, MaxOut: llm.Some(1024), Temperature: llm.Some(0.5), Stream: sh.stream,
		Messages: []llm.Message{{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: prompt}}}},
	}
	if sh.stream {
		req.StreamUsage = llm.Some(true)
	}
	out, _, err := l.codec.EncodeRequest(req, dialect.Shape{Offer: &plenum.Offer{Upstream: model}})
	if err != nil {
		return nil, err
	}
	l.body, l.header = out.Body, http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + benchKey}}
	tr := &http.Transport{Protocols: new(http.Protocols), MaxIdleConnsPerHost: sh.flight, DisableCompression: true}
	tr.Protocols.SetHTTP1(!from.GRPC)
	tr.Protocols.SetUnencryptedHTTP2(from.GRPC)
	if from.GRPC {
		l.body = frame.AppendMessage(nil, l.body)
		l.header.Set("Content-Type", dialect.GRPC)
		l.header.Set("Te", "trailers")
	}
	l.client = &http.Client{Transport: tr}
	return l, nil
}

// hammer keeps requests in flight for a time, and returns how many there were.
func (l *pairLoad) hammer(ctx context.Context, d time.Duration) int64 {
	end, first := time.Now().Add(d), numbers.Load()
	var wg sync.WaitGroup
	for range l.shape.flight {
		wg.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := l.ask(ctx, numbers.Add(1)); err != nil && ctx.Err() == nil {
					l.mu.Lock()
					l.wrong, l.why = l.wrong+1, err.Error()
					l.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return numbers.Load() - first
}

func (l *pairLoad) ask(ctx context.Context, n int64) error {
	id := fmt.Appendf(nil, "%0*d", idDigits, n)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(bytes.Replace(l.body, blank, id, 1)))
	if err != nil {
		return err
	}
	req.Header = l.header.Clone()
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.300s", resp.Status, body)
	}
	got, err := l.heard(body, resp.Header)
	if err != nil {
		return fmt.Errorf("%w: %.300s", err, body)
	}
	if want := strings.Replace(l.want, string(blank), string(id), 1); got != want {
		return fmt.Errorf("answer %s differs: got %.200q", id, got)
	}
	return nil
}

// heard reads what an answer says.
func (l *pairLoad) heard(body []byte, header http.Header) (string, error) {
	var res *llm.Response
	if l.shape.stream {
		said := dialecttest.Decode(l.codec, l.from.Frames(body), dialect.Want{})
		if err := said.Fault(); err != nil {
			return "", err
		}
		res = said.Fold()
	} else {
		if l.from.GRPC && len(body) > 5 {
			body = body[5:]
		}
		r, err := l.codec.DecodeResponse(dialect.Reply{Status: http.StatusOK, Header: header, Body: body})
		if err != nil {
			return "", err
		}
		res, _ = r.(*llm.Response)
	}
	if res == nil || len(res.Choices) != 1 {
		return "", errors.New("not one answer")
	}
	var text strings.Builder
	for _, b := range res.Choices[0].Blocks {
		if t, ok := b.(llm.Text); ok {
			text.WriteString(t.Text)
		}
	}
	return text.String(), nil
}
