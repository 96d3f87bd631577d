package app

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/test/specs"
)

// inside puts a message into a field of another.
func inside(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), bytes.Join(parts, nil))
}

// embedVectors are 0.5 and -1.25, and 8 and 0.25, as four bytes each.
func embedVectors() [2][]byte {
	return [2][]byte{{0, 0, 0, 0x3f, 0, 0, 0xa0, 0xbf}, {0, 0, 0, 0x41, 0, 0, 0x80, 0x3e}}
}

// xaiEmbedAsked asks for the vectors of "alpha" and "beta" in a format.
func xaiEmbedAsked(format byte) []byte {
	ask := bytes.Join([][]byte{inside(1, idOf("alpha")), inside(1, idOf("beta")), with(nil, 2, "m")}, nil)
	if format != 0 {
		ask = append(ask, 3<<3, format)
	}
	return ask
}

// xaiEmbedSaid are the vectors as xAI says them.
func xaiEmbedSaid() []byte {
	v := embedVectors()
	return bytes.Join([][]byte{
		idOf("e1"), inside(2, inside(2, inside(1, v[0]))), inside(2, []byte{1 << 3, 1}, inside(2, inside(1, v[1]))),
		inside(3, []byte{1 << 3, 2}), with(nil, 4, "up-1"),
	}, nil)
}

// TestEmbeddingsByGRPCReachEveryVendor, and are billed by the tokens that it read.
func TestEmbeddingsByGRPCReachEveryVendor(t *testing.T) {
	said := specs.XAI(t)
	for name, u := range embedUpstreams() {
		up := testkit.NewUpstream(t)
		w := newWorld(t, Mechanisms{}, fmt.Sprintf(embedYAML, u.settings), up.URL)
		door := w.grpcDoor()
		for format, want := range map[byte][]byte{
			0: inside(1, embedVectors()[0]), 1: inside(1, embedVectors()[0]), 2: with(nil, 2, packedHalf),
		} {
			up.Script(testkit.JSON(u.answer))
			got := rpc(t, door, xaigrpc.PathEmbed, worldKey, xaiEmbedAsked(format))
			if got.status != "0" || !bytes.Contains(got.messages[0], want) {
				t.Errorf("%s, format %d: %s %s %x", name, format, got.status, got.message, got.messages)
				continue
			}
			if wrong := said.Check("EmbedResponse", got.messages[0]); wrong != "" {
				t.Errorf("%s: %s", name, wrong)
			}
			holds(t, name, string(up.Last().Body), u.asked)
		}
		if r := w.records.nth(t, 0); r.Usage.Input != 7 || r.Cost != 7 || string(r.Op) != "embed" || r.Dialect != xaigrpc.Name {
			t.Errorf("%s: metered %+v, cost %d", name, r.Usage, r.Cost)
		}
	}
}

// TestEmbeddingsAreMadeByXAI for its own callers, whose bytes pass, and for others.
func TestEmbeddingsAreMadeByXAI(t *testing.T) {
	said := specs.XAI(t)
	x := newXAI(t)
	x.next = func(w http.ResponseWriter, _ bool) {
		_, _ = w.Write(frame.AppendMessage(nil, xaiEmbedSaid()))
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}
	w := newWorld(t, Mechanisms{}, xaiTarget, x.url)
	got := rpc(t, w.grpcDoor(), xaigrpc.PathEmbed, worldKey, xaiEmbedAsked(2))
	if got.status != "0" || !bytes.Equal(got.messages[0], xaiEmbedSaid()) {
		t.Fatalf("%s %s %x", got.status, got.message, got.messages)
	}
	for _, c := range embedClients() {
		resp, text := w.post(c.path, c.body)
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", c.path, resp.StatusCode, text)
		}
		if wrong := said.Check("EmbedRequest", x.body); wrong != "" || !bytes.Contains(x.body, idOf("beta")) {
			t.Errorf("%s: asked %x %s", c.path, x.body, wrong)
		}
	}
	if _, text := w.post("/v1/embeddings", `{"model":"m","input":["alpha","beta"]}`); !bytes.Contains([]byte(text), []byte(`"embedding":[0.5,-1.25]`)) {
		t.Errorf("answered %s", text)
	}
}
