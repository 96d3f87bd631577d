package app

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/test/specs"
)

const xaiChat = "/xai_api.Chat/"

// xaiKept serves a node on an xAI upstream, for two projects.
func xaiKept(t *testing.T, x *xaiServer, content string) *site {
	t.Helper()
	const two = "keys: [{name: dev, secret: " + worldKey + ", project: a}, {name: other, secret: " + strangerKey + ", project: b}]\n"
	return serveNode(t, t.TempDir(), two+content+strings.ReplaceAll(xaiTarget, "%s", x.url))
}

const strangerKey = "the-key-of-another-project"

// with adds fields to a message: a text, or a number where the text is empty.
func with(message []byte, num protowire.Number, text string) []byte {
	message = bytes.Clone(message)
	if text == "" {
		return protowire.AppendVarint(protowire.AppendTag(message, num, protowire.VarintType), 1)
	}
	return protowire.AppendString(protowire.AppendTag(message, num, protowire.BytesType), text)
}

func idOf(text string) []byte { return with(nil, 1, text) }

// TestXAIKeepsWhatItIsAskedToKeep: an answer that xAI stores is asked for there, and by its project alone.
func TestXAIKeepsWhatItIsAskedToKeep(t *testing.T) {
	for name, stream := range map[string]bool{"whole": false, "streamed": true} {
		t.Run(name, func(t *testing.T) {
			x := newXAI(t)
			x.answers(t)
			s := xaiKept(t, x, "")
			ask := with(xaiRequest(t, askCat("m")), 23, "")
			if stream {
				theCat(t, rpc(t, s.url, xaigrpc.PathStream, worldKey, ask).folded(t))
			} else {
				theCat(t, rpc(t, s.url, xaigrpc.PathWhole, worldKey, ask).whole(t))
			}
			if !bytes.Contains(x.body, with(nil, 23, "")) {
				t.Error("xAI was not asked to store")
			}
			theCat(t, rpc(t, s.url, xaiChat+"GetStoredCompletion", worldKey, idOf("x1")).whole(t))
			if seen := x.seen[len(x.seen)-1]; !strings.Contains(seen, "GetStoredCompletion Bearer xai-upstream-key") {
				t.Errorf("xAI was asked %q", seen)
			}
			asked := len(x.seen)
			on := with(xaiRequest(t, askCat("m")), 22, "x1")
			for _, c := range []struct {
				path    string
				message []byte
			}{{"GetStoredCompletion", idOf("x1")}, {"DeleteStoredCompletion", idOf("x1")}, {"GetCompletion", on}} {
				if got := rpc(t, s.url, xaiChat+c.path, strangerKey, c.message); got.status != "5" || !strings.Contains(got.message, "x1") {
					t.Errorf("another project's %s: %s %s", c.path, got.status, got.message)
				}
			}
			if len(x.seen) != asked {
				t.Error("another project reached xAI")
			}
			theCat(t, rpc(t, s.url, xaigrpc.PathWhole, worldKey, on).whole(t))
			if !bytes.Contains(x.body, []byte("x1")) {
				t.Error("what is gone on from did not reach xAI")
			}
		})
	}
}

// TestADeferredAnswerIsMadeAndAskedFor, by its project alone; where nothing is kept there is none.
func TestADeferredAnswerIsMadeAndAskedFor(t *testing.T) {
	x := newXAI(t)
	x.answers(t)
	s := xaiKept(t, x, "content: {keep: true}\n")
	began := rpc(t, s.url, xaiChat+"StartDeferredCompletion", worldKey, xaiRequest(t, askCat("m")))
	if began.status != "0" {
		t.Fatalf("it begins with %s %s", began.status, began.message)
	}
	id, _ := protowire.ConsumeString(began.messages[0][1:])
	if got := rpc(t, s.url, xaiChat+"GetDeferredCompletion", strangerKey, idOf(id)); got.status != "5" {
		t.Errorf("another project's: %s %s", got.status, got.message)
	}
	var got rpcAnswer
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got = rpc(t, s.url, xaiChat+"GetDeferredCompletion", worldKey, idOf(id))
		if got.status != "0" {
			t.Fatalf("it is asked for: %s %s", got.status, got.message)
		}
		if num, _, _ := protowire.ConsumeTag(got.messages[0]); num == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is never done")
		}
	}
	inner, _ := protowire.ConsumeBytes(got.messages[0][1:])
	got.messages[0] = inner
	theCat(t, got.whole(t))
	if bytes.Contains(x.body, with(nil, 23, "")) {
		t.Error("xAI was asked to store what Plenum keeps")
	}

	none := xaiKept(t, x, "")
	if got := rpc(t, none.url, xaiChat+"StartDeferredCompletion", worldKey, xaiRequest(t, askCat("m"))); got.status != "12" || !strings.Contains(got.message, "content.keep") {
		t.Errorf("where nothing is kept: %s %s", got.status, got.message)
	}
}

// TestEveryCallOfXAIIsAnswered: one that is not served says what to use in its place.
func TestEveryCallOfXAIIsAnswered(t *testing.T) {
	calls := specs.XAI(t).Calls()
	if len(calls) < 40 {
		t.Fatalf("there are only %d", len(calls))
	}
	x := newXAI(t)
	s := xaiKept(t, x, "content: {keep: true}\n")
	served := 0
	for _, path := range calls {
		got := rpc(t, s.url, path, worldKey, nil)
		switch {
		case strings.Contains(got.message, "there is nothing"):
			t.Errorf("%s is not known", path)
		case got.status == "12" && !strings.Contains(got.message, path+" is not served by gRPC: "):
			t.Errorf("%s: %s", path, got.message)
		case got.status != "12":
			served++
		}
	}
	if served != 15 {
		t.Errorf("%d of %d are served", served, len(calls))
	}
	if len(x.seen) != 0 {
		t.Errorf("xAI was asked %v", x.seen)
	}
	two := frame.AppendMessage(frame.AppendMessage(nil, idOf("a")), idOf("b")) // as a file comes, in pieces
	if got := rpcOf(t, s.url, "/xai_api.Files/UploadFile", worldKey, two); got.status != "12" || !strings.Contains(got.message, "/v1/files") {
		t.Errorf("a stream: %s %s", got.status, got.message)
	}
}

// TestModelsOfOtherKindsAreAskedForByName, and listed as what they are nowhere.
func TestModelsOfOtherKindsAreAskedForByName(t *testing.T) {
	said := specs.XAI(t)
	s := xaiKept(t, newXAI(t), "")
	for _, kind := range []string{"EmbeddingModel", "ImageGenerationModel"} {
		got := rpc(t, s.url, "/xai_api.Models/Get"+kind, worldKey, idOf("m"))
		if got.status != "0" || !bytes.HasPrefix(got.messages[0], idOf("m")) {
			t.Fatalf("%s: %s %s", kind, got.status, got.message)
		}
		if wrong := said.Check(kind, got.messages[0]); wrong != "" {
			t.Error(wrong)
		}
		if got := rpc(t, s.url, "/xai_api.Models/Get"+kind, worldKey, idOf("none")); got.status != "5" {
			t.Errorf("%s that is not there: %s %s", kind, got.status, got.message)
		}
		if got := rpc(t, s.url, "/xai_api.Models/List"+kind+"s", worldKey, nil); got.status != "0" || len(got.messages[0]) != 0 {
			t.Errorf("%ss: %s, %x", kind, got.status, got.messages)
		}
	}
}

// TestWhatOneAPIKeepsIsNotMisreadByAnother: it is kept in that API's own words.
func TestWhatOneAPIKeepsIsNotMisreadByAnother(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(chatText) })
	w := newKeeping(t, keeping+oneTarget, up.URL)
	door := w.grpcDoor()
	ours := w.ask(`{"model":"m","input":"France?"}`)["id"].(string)
	first := rpc(t, door, xaigrpc.PathWhole, worldKey, with(xaiRequest(t, askCat("m")), 23, "")).whole(t)
	theirs := first.ID
	on := with(xaiRequest(t, askCat("m")), 22, theirs)
	if got := rpc(t, door, xaigrpc.PathWhole, worldKey, on); got.status != "0" {
		t.Fatalf("going on from its own: %s %s", got.status, got.message)
	}
	asked := len(up.Requests())
	for path, message := range map[string][]byte{"GetStoredCompletion": idOf(ours), "GetDeferredCompletion": idOf(ours), "GetCompletion": with(xaiRequest(t, askCat("m")), 22, ours)} {
		if got := rpc(t, door, xaiChat+path, worldKey, message); got.status != "5" || !strings.Contains(got.message, "another API (responses)") {
			t.Errorf("%s: %s %s", path, got.status, got.message)
		}
	}
	if code, body := w.call(http.MethodGet, "/v1/responses/"+theirs); code != http.StatusNotFound || !strings.Contains(fmt.Sprint(body), "another API (xaigrpc)") {
		t.Errorf("%d %v", code, body)
	}
	resp, body := w.post("/v1/responses", `{"model":"m","input":"x","previous_response_id":"`+theirs+`"}`)
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "previous_response_not_found") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if len(up.Requests()) != asked {
		t.Error("the upstream was asked")
	}
	if got := rpc(t, door, xaiChat+"DeleteStoredCompletion", worldKey, idOf(ours)); got.status != "0" {
		t.Errorf("it is not deleted: %s %s", got.status, got.message)
	}
}
