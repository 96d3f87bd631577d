package invoke

import (
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/llm"
)

// Claude returns Anthropic's dialect as Claude speaks it on Bedrock, for upstreams. What Bedrock wants
// elsewhere is put there (see [anthropic.Host]); each event of a stream is taken out of its message.
func Claude() *dialect.Dialect {
	d := anthropic.Host{Version: "bedrock-2023-05-31", Betas: betas(), BodyBetas: true}.Dialect()
	inner, own := d.Codec(llm.OpGenerate), namespace()
	d.Routes = []dialect.Route{{Op: llm.OpGenerate, Method: http.MethodPost, Codec: &claude{Codec: inner, aws: converse.Dialect().Codec(llm.OpGenerate)}}}
	d.Streams = dialect.EventStream
	d.Headers.Prefixes = append(d.Headers.Prefixes, own.Prefixes...)
	d.Headers.Names = append(d.Headers.Names, own.Names...)
	d.Speaks = nil
	return d
}

// betas are the betas that Bedrock takes, by its own documentation and by calls that others have tried and
// told of. It refuses a request that names another.
func betas() []string {
	return []string{
		"claude-code-20250219", "computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24",
		"context-1m-2025-08-07", "context-management-2025-06-27", "dev-full-thinking-2025-05-14", "effort-2025-11-24",
		"fine-grained-tool-streaming-2025-05-14", "interleaved-thinking-2025-05-14", "output-128k-2025-02-19",
		"search-results-2025-06-09", "structured-outputs-2025-12-15", "token-efficient-tools-2025-02-19",
		"tool-examples-2025-10-29", "tool-search-tool-2025-10-19",
	}
}

// claude is the codec of Claude on Bedrock.
type claude struct {
	dialect.Codec
	aws dialect.Codec
}

var _ dialect.HeadMeter = (*claude)(nil)

// EditRequest implements dialect.Client. A guardrail or a tier that a caller asks Bedrock for goes along.
func (c *claude) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	out, err := c.Codec.EditRequest(in, h, s)
	for k, v := range in.Header {
		if strings.HasPrefix(k, "X-Amzn-Bedrock-") && out.Header != nil {
			out.Header[k] = v
		}
	}
	return out, err
}

// DecodeStream implements dialect.Client.
func (c *claude) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return c.Codec.DecodeStream(events(frames), want)
}

// DecodeResponse implements dialect.Client.
func (c *claude) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	res, err := c.Codec.DecodeResponse(r)
	if a, ok := res.(*llm.Response); ok && a.Usage.Zero() {
		extra := a.Usage.Extra
		a.Usage = c.HeadUsage(r.Header)
		a.Usage.Extra = extra
	}
	return res, err
}

// HeadUsage implements dialect.HeadMeter.
func (c *claude) HeadUsage(h http.Header) (u llm.Usage) {
	for _, x := range [...]struct {
		name string
		to   *int64
		side llm.Side
	}{{inputHeader, &u.Input, llm.InSide}, {outputHeader, &u.Output, llm.OutSide}} {
		if n, err := strconv.ParseInt(h.Get(x.name), 10, 64); err == nil && n >= 0 {
			*x.to = n
			u.Reported |= x.side
		}
	}
	return u
}

// DecodeError implements dialect.Client: errors are AWS's.
func (c *claude) DecodeError(r dialect.Reply) *llm.Error { return c.aws.DecodeError(r) }

// Shapes implements dialect.Limited with what is carried.
func (c *claude) Shapes() dialect.Shapes { return dialect.ShapesOf(c.Codec) }
