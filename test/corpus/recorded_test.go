package corpus

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/invoke"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// model is what a call is said to be for in dialects that name it in the path.
const model = "anthropic.claude-of-the-tests"

// frames cuts a stream of a dialect, or of a host that frames it otherwise.
func frames(s sides.Side, wire []byte) iter.Seq2[dialect.Frame, error] {
	if s.GRPC {
		return s.Frames(wire)
	}
	return dialecttest.Frames(wire)
}

// exchange is one recorded call for an answer.
type exchange struct {
	name, vendor string
	side         sides.Side
	in           dialect.Inbound
	asked        bool // the request was kept
	status       int
	reply        dialect.Reply
	streamed     bool
	// codec reads the request as a gateway does, client writes it and reads the answer.
	codec, client dialect.Codec
	// writer says the request again as it was.
	writer dialect.Codec
}

// known are the calls of the corpus that are for an answer; others are counted by what they are for.
func known(t *testing.T) (calls []exchange, others map[string]map[string]int) {
	t.Helper()
	others = map[string]map[string]int{}
	own := append(sides.All(), sides.Beside()...)
	for _, x := range testkit.Corpus(t) {
		vendor, _, _ := strings.Cut(x.File, "/")
		c, ok := call(&x, own)
		if !ok {
			if others[x.Op()] == nil {
				others[x.Op()] = map[string]int{}
			}
			others[x.Op()][vendor]++
			continue
		}
		c.vendor = vendor
		calls = append(calls, c)
	}
	return append(calls, overGRPC(t)...), others
}

func call(x *testkit.Exchange, own []sides.Side) (exchange, bool) {
	c := exchange{name: x.Name(), asked: x.Request.Found && json.Valid(x.Request.Body), status: x.Response.Status, reply: dialecttest.Reply(x)}
	switch op := x.Op(); {
	case strings.Contains(op, "count"), strings.HasPrefix(op, "responses."):
		return c, false
	}
	for _, s := range own {
		if s.Name == x.Dialect() {
			c.side = s
		}
	}
	c.streamed = x.Response.Framing != testkit.None && x.Response.Status == http.StatusOK
	if bytes.HasPrefix(x.Response.Body, []byte("[")) && c.status == http.StatusOK { // a stream as one list
		c.reply.Body, c.streamed = listed(x.Response.Body)
	}
	if c.side.Name == "" {
		return c, false
	}
	return c, c.route(x)
}

// listed says the elements of a list as a stream of events.
func listed(body []byte) (stream []byte, ok bool) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) != nil {
		return body, false
	}
	for _, data := range list {
		var b bytes.Buffer
		if json.Compact(&b, data) != nil {
			return body, false
		}
		stream = frame.Append(stream, frame.Frame{Data: b.Bytes()})
	}
	return stream, true
}

// route finds the codec of a call by its path, or by what it is where the path is a host's own.
func (c *exchange) route(x *testkit.Exchange) bool {
	path := x.Path()
	if path == "" && bytes.Contains(x.Request.Body, []byte(`"vertex-2023-10-16"`)) {
		path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict"
	}
	var vars map[string]string
	if i := strings.Index(path, "/model/"); i >= 0 && strings.Contains(path, "/invoke") {
		return c.invocation(x, path[i:])
	}
	if c.codec, vars = c.side.Route(path); c.codec == nil {
		c.codec, vars = c.side.Codec(model, c.streamed)
	}
	if i := strings.Index(path, "/models/"); i >= 0 && c.side.Name == "gemini" {
		if _, v := c.side.Route("/v1beta" + path[i:]); v != nil {
			vars = v
		}
	}
	c.in, c.client = dialecttest.Inbound(x, vars), c.codec
	if strings.Contains(path, "awPredict") {
		c.client = anthropic.Vertex().Dialect().Codec(llm.OpGenerate)
	}
	c.writer = c.client
	return c.codec != nil
}

// invocation takes a call of Claude out of the shell that Bedrock puts around it.
func (c *exchange) invocation(x *testkit.Exchange, path string) bool {
	shell, vars := dialecttest.Route(invoke.Dialect(), path)
	carrier, ok := shell.(dialect.Carrier)
	if !ok {
		return false
	}
	inner, err := carrier.Unpack(dialecttest.Inbound(x, vars), dialect.Bounds{})
	c.in, c.codec, c.client = inner.In, inner.Codec, invoke.Claude().Codec(llm.OpGenerate)
	c.writer, _ = c.side.Codec(model, c.streamed)
	return err == nil
}

// side returns a dialect by its name.
func side(name string) sides.Side {
	list := sides.All()
	return list[slices.IndexFunc(list, func(s sides.Side) bool { return s.Name == name })]
}

// overGRPC are the calls that went over xAI's gRPC.
func overGRPC(t *testing.T) []exchange {
	t.Helper()
	dir, err := testkit.FindCorpus()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "xai", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange
	for _, f := range files {
		out = append(out, rpcs(t, f)...)
	}
	return out
}

func rpcs(t *testing.T, file string) (out []exchange) {
	t.Helper()
	var f struct {
		Interactions []struct {
			RPC     string `json:"rpc"`
			Request struct {
				Proto []byte `json:"proto_base64"`
			} `json:"request"`
			Response struct {
				Proto  []byte   `json:"proto_base64"`
				Chunks [][]byte `json:"chunks_proto_base64"`
			} `json:"response"`
		} `json:"interactions"`
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(raw, &f) != nil {
		return nil // of another shape: not gRPC
	}
	s := side(xaigrpc.Name)
	for _, i := range f.Interactions {
		if !strings.HasPrefix(i.RPC, "xai_api.Chat/") || len(i.Request.Proto) == 0 {
			continue
		}
		c := exchange{name: "xai/" + filepath.Base(file), vendor: "xai", side: s, asked: true, status: http.StatusOK, streamed: len(i.Response.Chunks) > 0}
		c.codec, _ = s.Codec(model, c.streamed)
		c.client, c.writer = c.codec, c.codec
		c.in = dialect.Inbound{Method: http.MethodPost, Path: "/" + i.RPC, Header: http.Header{}, Body: i.Request.Proto}
		c.reply = dialect.Reply{Status: http.StatusOK, Header: http.Header{}, Body: i.Response.Proto}
		for _, chunk := range i.Response.Chunks {
			c.reply.Body = frame.AppendMessage(c.reply.Body, chunk)
		}
		out = append(out, c)
	}
	return out
}
