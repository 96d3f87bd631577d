package app

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// h2 starts a server that speaks HTTP/2 in clear text, as a node does.
func h2(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// grpcDoor returns the address of a world's edge for gRPC.
func (w *world) grpcDoor() string {
	return h2(w.t, gateway.NewEdge(all.Dialects(), w.current, w.handler, slog.New(slog.DiscardHandler)))
}

// rpcAnswer is how a gRPC call went.
type rpcAnswer struct {
	status, message string
	messages        [][]byte
	header, trailer http.Header
}

// rpc makes a gRPC call, with a key.
func rpc(t *testing.T, url, path, key string, message []byte) rpcAnswer {
	t.Helper()
	return rpcOf(t, url, path, key, frame.AppendMessage(nil, message))
}

// rpcOf makes a gRPC call with messages that have their heads already.
func rpcOf(t *testing.T, url, path, key string, messages []byte) rpcAnswer {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, bytes.NewReader(messages))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := rpcAnswer{header: resp.Header}
	for f, err := range frame.NewMessages(resp.Body, 0, "").All() {
		if err != nil {
			t.Fatal(err)
		}
		a.messages = append(a.messages, f.Clone().Data)
	}
	a.trailer = resp.Trailer
	a.status, a.message = resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if a.status == "" {
		a.status, a.message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/grpc" {
		t.Errorf("answered by %s, %d, %s", resp.Proto, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	return a
}

func xaiCodec() dialect.Codec { return xaigrpc.Dialect().Routes[0].Codec }

func xaiRequest(t *testing.T, r *llm.Request) []byte {
	t.Helper()
	out, losses, err := xaiCodec().EncodeRequest(r, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	return out.Body
}

// whole reads an unstreamed answer.
func (a rpcAnswer) whole(t *testing.T) *llm.Response {
	t.Helper()
	if a.status != "0" || len(a.messages) != 1 {
		t.Fatalf("status %s %s, %d messages", a.status, a.message, len(a.messages))
	}
	r, err := xaiCodec().DecodeResponse(dialect.Reply{Status: 200, Body: a.messages[0]})
	if err != nil {
		t.Fatal(err)
	}
	return r.(*llm.Response)
}

// folded reads a streamed answer.
func (a rpcAnswer) folded(t *testing.T) *llm.Response {
	t.Helper()
	if a.status != "0" {
		t.Fatalf("status %s %s", a.status, a.message)
	}
	f := llm.NewFolder()
	frames := func(yield func(dialect.Frame, error) bool) {
		for _, m := range a.messages {
			if !yield(dialect.Frame{Data: m}, nil) {
				return
			}
		}
	}
	for ch, err := range xaiCodec().DecodeStream(frames, dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range ch.Events {
			f.Add(ev)
		}
	}
	return f.Response()
}

func askCat(model string) *llm.Request {
	return &llm.Request{
		Model: model,
		Messages: []llm.Message{
			{Role: llm.System, Blocks: []llm.Block{llm.Text{Text: "Be brief."}}},
			{Role: llm.User, Blocks: []llm.Block{
				llm.Text{Text: "What is this?"},
				llm.Media{Kind: llm.Image, MIME: "image/png", Data: base64.StdEncoding.EncodeToString([]byte("png"))},
			}},
			{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "look", Args: `{"at":1}`}}},
			{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "call_1", Blocks: []llm.Block{llm.Text{Text: "a cat"}}, Plain: true}}},
		},
		Tools:  []llm.Tool{{Kind: llm.ToolFunction, Name: "look", Schema: `{"type":"object","properties":{"at":{"type":"integer"}}}`}},
		MaxOut: llm.Some(100),
	}
}

const (
	openaiWhole  = `{"id":"c1","object":"chat.completion","model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"A cat.","reasoning_content":"Look.","tool_calls":[{"id":"call_2","type":"function","function":{"name":"look","arguments":"{\"at\":2}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":3}}}`
	openaiStream = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"Look.\"}}]}\n\n" +
		"data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A \"}}]}\n\ndata: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"cat.\"}}]}\n\n" +
		"data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_2\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"at\\\"\"}}]}}]}\n\n" +
		"data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":2}\"}}]}}]}\n\n" +
		"data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n" +
		"data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":7,\"total_tokens\":27,\"prompt_tokens_details\":{\"cached_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":3}}}\n\n" +
		"data: [DONE]\n\n"
)

// theCat is what both answers say.
func theCat(t *testing.T, r *llm.Response) {
	t.Helper()
	if len(r.Choices) != 1 {
		t.Fatalf("%d choices", len(r.Choices))
	}
	var thought, text, call string
	for _, b := range r.Choices[0].Blocks {
		switch b := b.(type) {
		case llm.Thought:
			thought += b.Text
		case llm.Text:
			text += b.Text
		case llm.ToolUse:
			call += b.ID + b.Name + b.Args
		}
	}
	if text != "A cat." || thought != "Look." || call != `call_2look{"at":2}` || r.Choices[0].Stop.Reason != llm.StopTool {
		t.Errorf("said %q, thought %q, called %s, ended %q", text, thought, call, r.Choices[0].Stop.Reason)
	}
	want := llm.Usage{Input: 15, CacheRead: 5, Output: 4, Reasoning: 3, Reported: llm.InSide | llm.OutSide}
	if d := cmp.Diff(want, r.Usage.Metered()); d != "" {
		t.Error(d)
	}
}

func TestGRPCReachesAnOpenAIUpstream(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(openaiWhole), testkit.Text(200, "text/event-stream", openaiStream))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	door := w.grpcDoor()

	got := rpc(t, door, xaigrpc.PathWhole, worldKey, xaiRequest(t, askCat("m")))
	theCat(t, got.whole(t))
	if got.header.Get("Plenum-Request-Id") == "" || got.header.Get("Plenum-Cost-Usd") == "" {
		t.Errorf("metadata %v", got.header)
	}
	body := string(up.Last().Body)
	for _, want := range []string{`"model":"up"`, "Be brief.", "data:image/png;base64,", `"tool_call_id":"call_1"`, "a cat", `"name":"look"`, "100"} {
		if !strings.Contains(body, want) {
			t.Errorf("the upstream was not told %s: %s", want, body)
		}
	}
	if r := w.records.nth(t, 0); r.Status != 200 || r.Dialect != xaigrpc.Name || r.Usage.Input != 15 || r.Usage.CacheRead != 5 || r.Usage.Output != 4 || r.Usage.Reasoning != 3 {
		t.Errorf("record %+v", r)
	}

	got = rpc(t, door, xaigrpc.PathStream, worldKey, xaiRequest(t, askCat("m")))
	theCat(t, got.folded(t))
	if len(got.messages) < 5 || got.trailer.Get("Plenum-Cost-Usd") == "" {
		t.Errorf("%d messages, %v", len(got.messages), got.trailer)
	}
}

func TestGRPCSaysErrorsAsStatus(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	door := w.grpcDoor()
	broken := "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A \"}}]}\n\n"
	for _, c := range []struct {
		name, path, key string
		message         []byte
		answer          testkit.Answer
		status, says    string
		messages        int
	}{
		{name: "no key", path: xaigrpc.PathWhole, message: xaiRequest(t, askCat("m")), status: "16", says: "no key"},
		{name: "wrong key", path: xaigrpc.PathStream, key: "nope", message: xaiRequest(t, askCat("m")), status: "16", says: "not known"},
		{name: "no such model", path: xaigrpc.PathWhole, key: worldKey, message: xaiRequest(t, askCat("other")), status: "5", says: "no deployment"},
		{name: "no such method", path: "/xai_api.Chat/Nothing", key: worldKey, status: "12", says: "there is nothing"},
		{name: "not protobuf", path: xaigrpc.PathWhole, key: worldKey, message: []byte{0xff}, status: "3", says: "protobuf"},
		{name: "no model", path: xaigrpc.PathWhole, key: worldKey, status: "3", says: "model is missing"},
		{
			name: "a limit", path: xaigrpc.PathWhole, key: worldKey, message: xaiRequest(t, askCat("m")), status: "8", says: "slow down",
			answer: testkit.Text(429, "application/json", `{"error":{"message":"slow down","type":"requests"}}`),
		},
		{
			name: "a bad request", path: xaigrpc.PathStream, key: worldKey, message: xaiRequest(t, askCat("m")), status: "3", says: "100%25",
			answer: testkit.Text(400, "application/json", `{"error":{"message":"not 100% right","type":"invalid_request_error"}}`),
		},
		{
			name: "a stream that breaks off", path: xaigrpc.PathStream, key: worldKey, message: xaiRequest(t, askCat("m")), status: "13", says: "ended before its end",
			answer: testkit.Text(200, "text/event-stream", broken), messages: 1,
		},
	} {
		up.Script(c.answer)
		got := rpc(t, door, c.path, c.key, c.message)
		if got.status != c.status || !strings.Contains(got.message, c.says) || len(got.messages) < c.messages {
			t.Errorf("%s: status %s %q, %d messages", c.name, got.status, got.message, len(got.messages))
		}
	}
}

// xaiServer is an upstream that speaks xAI's gRPC.
type xaiServer struct {
	url  string
	mu   sync.Mutex
	seen []string // paths and keys
	body []byte
	next func(w http.ResponseWriter, stream bool)
}

func newXAI(t *testing.T) *xaiServer {
	t.Helper()
	x := &xaiServer{}
	x.url = h2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		x.seen = append(x.seen, r.Proto+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Te"))
		x.body, _ = frame.OneMessage(b, "", 0)
		x.mu.Unlock()
		w.Header().Set("Content-Type", "application/grpc")
		x.next(w, r.URL.Path == xaigrpc.PathStream)
	}))
	return x
}

// answers makes the server say the cat, in the dialect.
func (x *xaiServer) answers(t *testing.T) {
	t.Helper()
	r := &llm.Response{
		ID: "x1", Model: "grok", Created: 1,
		Choices: []llm.Choice{{
			Blocks: []llm.Block{
				llm.Thought{Text: "Look."},
				llm.Text{Text: "A cat."},
				llm.ToolUse{Kind: llm.ToolFunction, ID: "call_2", Name: "look", Args: `{"at":2}`},
			},
			Stop: llm.Stop{Reason: llm.StopTool},
		}},
		Usage: llm.Usage{Input: 15, CacheRead: 5, Output: 4, Reasoning: 3},
	}
	whole, _, err := xaiCodec().EncodeResponse(nil, r, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	var frames []dialect.Frame
	enc := xaiCodec().NewEncoder(nil, dialect.Meta{})
	for ev := range llm.Replay(r) {
		fs, err := enc.Encode(ev)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, fs...)
	}
	frames = append(frames, enc.Close(nil)...)
	x.next = func(w http.ResponseWriter, stream bool) {
		if stream {
			for _, f := range frames {
				_, _ = w.Write(f.Raw)
			}
		} else {
			_, _ = w.Write(frame.AppendMessage(nil, whole.Body))
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}
}

const xaiTarget = `
connections:
  - {name: x, provider: xai, dialect: xaigrpc, base_url: "%s", credentials: {api_key: "xai-upstream-key"}}
deployments:
  - name: m
    retry: {attempts: 1}
    targets:
      - {connection: x, upstream_model: grok-9, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
`

func TestPlenumSpeaksGRPCToXAI(t *testing.T) {
	x := newXAI(t)
	x.answers(t)
	w := newWorld(t, Mechanisms{}, xaiTarget, x.url)
	door := w.grpcDoor()

	// Within the dialect the bytes pass, and what nobody knows passes with them.
	unknown := []byte{0xfa, 0x3e, 0x02, 'h', 'i'} // field 1007
	body := append(xaiRequest(t, askCat("m")), unknown...)
	theCat(t, rpc(t, door, xaigrpc.PathWhole, worldKey, body).whole(t))
	if !bytes.Contains(x.body, unknown) || !bytes.Contains(x.body, []byte("grok-9")) {
		t.Errorf("the upstream got %q", x.body)
	}
	theCat(t, rpc(t, door, xaigrpc.PathStream, worldKey, body).folded(t))

	// And so do callers of other dialects.
	const chat = `{"model":"m","messages":[{"role":"user","content":"What is this?"}]%s}`
	resp, text := w.post("/v1/chat/completions", strings.Replace(chat, "%s", "", 1))
	if resp.StatusCode != 200 || !strings.Contains(text, `"A cat."`) || !strings.Contains(text, `"finish_reason":"tool_calls"`) || !strings.Contains(text, `"total_tokens":27`) {
		t.Errorf("%d: %s", resp.StatusCode, text)
	}
	resp, text = w.post("/v1/chat/completions", strings.Replace(chat, "%s", `,"stream":true`, 1))
	if resp.StatusCode != 200 || !strings.Contains(text, "A cat.") || !strings.Contains(text, "[DONE]") {
		t.Errorf("%d: %s", resp.StatusCode, text)
	}
	resp, text = w.post("/v1/messages", `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"What is this?"}]}`)
	if resp.StatusCode != 200 || !strings.Contains(text, `"A cat."`) || !strings.Contains(text, `"stop_reason":"tool_use"`) {
		t.Errorf("%d: %s", resp.StatusCode, text)
	}
	want := "HTTP/2.0 " + xaigrpc.PathWhole + " Bearer xai-upstream-key trailers"
	stream := "HTTP/2.0 " + xaigrpc.PathStream + " Bearer xai-upstream-key trailers"
	if d := cmp.Diff([]string{want, stream, want, stream, want}, x.seen); d != "" {
		t.Error(d)
	}
	for i := range 5 {
		if r := w.records.nth(t, i); r.Usage.Input != 15 || r.Usage.CacheRead != 5 || r.Usage.Output != 4 || r.Usage.Reasoning != 3 || r.Cost == 0 {
			t.Errorf("record %d: %+v", i, r.Usage)
		}
	}
}

func TestErrorsOfXAIByGRPC(t *testing.T) {
	x := newXAI(t)
	w := newWorld(t, Mechanisms{}, xaiTarget, x.url)
	door := w.grpcDoor()
	for _, c := range []struct {
		code, message string
		http          int
		status, says  string
	}{
		{"3", "temperature%3A must be at most 2", 400, "3", "must be at most 2"},
		{"5", "The model grok-9 does not exist", 404, "5", "does not exist"},
		{"8", "Too many requests", 429, "8", "Too many"},
		{"16", "bad key xai-upstream-key", 502, "13", "credential"},
		{"14", "try later", 502, "14", "try later"},
	} {
		for _, late := range []bool{false, true} {
			x.next = func(w http.ResponseWriter, _ bool) {
				prefix := ""
				if late {
					prefix = http.TrailerPrefix
					w.WriteHeader(200)
					_ = http.NewResponseController(w).Flush()
				}
				w.Header().Set(prefix+"Grpc-Status", c.code)
				w.Header().Set(prefix+"Grpc-Message", c.message)
			}
			for _, path := range []string{xaigrpc.PathWhole, xaigrpc.PathStream} {
				got := rpc(t, door, path, worldKey, xaiRequest(t, askCat("m")))
				if got.status != c.status || !strings.Contains(got.message, c.says) || strings.Contains(got.message, "xai-upstream-key") {
					t.Errorf("%s late %v: status %s %q", c.code, late, got.status, got.message)
				}
			}
			resp, text := w.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
			if resp.StatusCode != c.http || !strings.Contains(text, c.says) || strings.Contains(text, "xai-upstream-key") {
				t.Errorf("%s late %v: %d %s", c.code, late, resp.StatusCode, text)
			}
		}
	}
}

// TestCase_B7_AStreamWithoutStatusIsNoAnswer: an upstream that goes away has sent no status, and what it
// sent is not taken for the whole.
func TestCase_B7_AStreamWithoutStatusIsNoAnswer(t *testing.T) {
	x := newXAI(t)
	x.answers(t)
	say := x.next
	x.next = func(w http.ResponseWriter, stream bool) {
		say(w, stream)
		w.Header().Del(http.TrailerPrefix + "Grpc-Status")
	}
	w := newWorld(t, Mechanisms{}, xaiTarget, x.url)
	door := w.grpcDoor()
	for _, path := range []string{xaigrpc.PathWhole, xaigrpc.PathStream} {
		if got := rpc(t, door, path, worldKey, xaiRequest(t, askCat("m"))); got.status == "0" {
			t.Errorf("%s: an answer without a status passed as whole", path)
		}
	}
}

func TestGRPCListsModels(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	door := w.grpcDoor()
	got := rpc(t, door, "/xai_api.Models/ListLanguageModels", worldKey, nil)
	if got.status != "0" || len(got.messages) != 1 || !bytes.Contains(got.messages[0], []byte("m")) {
		t.Errorf("status %s, %q", got.status, got.messages)
	}
	got = rpc(t, door, "/xai_api.Models/GetLanguageModel", worldKey, []byte{0x0a, 1, 'm'})
	if got.status != "0" || !bytes.HasPrefix(got.messages[0], []byte{0x0a, 1, 'm'}) {
		t.Errorf("status %s, %q", got.status, got.messages)
	}
	if got = rpc(t, door, "/xai_api.Models/GetLanguageModel", worldKey, []byte{0x0a, 1, 'n'}); got.status != "5" {
		t.Errorf("a model that is not there: status %s", got.status)
	}
	if up.Count() != 0 {
		t.Error("the upstream was asked")
	}
}

// TestGRPCByALPN makes a call over TLS, where the protocol is agreed on with the certificate, with a message
// that is compressed.
func TestGRPCByALPN(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(openaiWhole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	srv := httptest.NewUnstartedServer(gateway.NewEdge(all.Dialects(), w.current, w.handler, slog.New(slog.DiscardHandler)))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(xaiRequest(t, askCat("m")))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	body := append(frame.MessageHead(packed.Len()), packed.Bytes()...)
	body[0] = 1
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+xaigrpc.PathWhole, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Content-Type": {"application/grpc+proto"}, "Te": {"trailers"}, "Grpc-Encoding": {"gzip"}, "Authorization": {"Bearer " + worldKey},
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Fatalf("%s, %v, trailer %v", resp.Proto, err, resp.Trailer)
	}
	msg, err := frame.OneMessage(text, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	theCat(t, rpcAnswer{status: "0", messages: [][]byte{msg}}.whole(t))
}

func TestImagesAreMadeForXAIsClientsByAnyVendor(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(`{"created":1,"data":[{"b64_json":"QUJD"},{"b64_json":"REVG"}],"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}`))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	asked, losses, err := xaigrpc.Host().Codec(llm.OpImage).EncodeRequest(&llm.Draw{Model: "m", Prompt: "a cat", N: llm.Some(2), Size: "1024x1024"}, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	got := rpc(t, w.grpcDoor(), xaigrpc.PathImage, worldKey, asked.Body)
	if got.status != "0" || len(got.messages) != 1 {
		t.Fatalf("status %s %s", got.status, got.message)
	}
	r, err := xaigrpc.Host().Codec(llm.OpImage).DecodeResponse(dialect.Reply{Status: 200, Body: got.messages[0]})
	if err != nil {
		t.Fatal(err)
	}
	if d := r.(*llm.Drawing); len(d.Images) != 2 || d.Images[1].Data != "REVG" || d.Images[1].MIME != "image/png" {
		t.Errorf("got %+v", d)
	}
	if last := up.Last(); last.Path != "/v1/images/generations" || !strings.Contains(string(last.Body), `"a cat"`) {
		t.Errorf("the upstream was asked %s %s", last.Path, last.Body)
	}
	if rec := w.records.nth(t, 0); rec.Op != llm.OpImage || rec.Usage.Images != 2 {
		t.Errorf("on record is %+v", rec)
	}
}

func TestXAIMakesImagesByGRPCForClientsOfEveryDialect(t *testing.T) {
	x := newXAI(t)
	images := xaigrpc.Host().Codec(llm.OpImage)
	said, _, err := images.EncodeResponse(nil, &llm.Drawing{Images: []llm.Drawn{{Data: "QUJD", MIME: "image/jpeg"}}, Usage: llm.Usage{Input: 7}}, dialect.Meta{Model: "grok-image"})
	if err != nil {
		t.Fatal(err)
	}
	x.next = func(w http.ResponseWriter, _ bool) {
		_, _ = w.Write(frame.AppendMessage(nil, said.Body))
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}
	w := newWorld(t, Mechanisms{}, xaiTarget, x.url)
	resp, text := w.post("/v1/images/generations", `{"model":"m","prompt":"a cat","size":"1024x1024"}`)
	if resp.StatusCode != 200 || !strings.Contains(text, `"b64_json":"QUJD"`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	ct, form := form("model", "m", "prompt", "a hat", "image", "PNG")
	if resp, text = w.post("/v1/images/edits", form, "Content-Type", ct); resp.StatusCode != 200 || !strings.Contains(text, `"b64_json":"QUJD"`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if !bytes.Contains(x.body, []byte(";base64,"+base64.StdEncoding.EncodeToString([]byte("PNG")))) {
		t.Errorf("xAI was sent %q", x.body)
	}

	// Within the dialect the bytes pass, an image by its address among them.
	asked, _, err := images.EncodeRequest(&llm.Draw{Model: "m", Prompt: "a cat"}, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	image := append([]byte{5<<3 | 2, 2 + 21, 1<<3 | 2, 21}, "https://example.com/x"...)
	got := rpc(t, w.grpcDoor(), xaigrpc.PathImage, worldKey, append(asked.Body, image...))
	if got.status != "0" || !bytes.Equal(got.messages[0], said.Body) || !bytes.Contains(x.body, image) || !bytes.Contains(x.body, []byte("grok-9")) {
		t.Errorf("status %s %s; xAI was sent %q", got.status, got.message, x.body)
	}
	for i, op := range []llm.Op{llm.OpImage, llm.OpImageEdit, llm.OpImageEdit} {
		if r := w.records.nth(t, i); r.Op != op || r.Usage.Images != 1 || r.Usage.Input != 7 {
			t.Errorf("record %d: %s, %+v", i, r.Op, r.Usage)
		}
	}
}
