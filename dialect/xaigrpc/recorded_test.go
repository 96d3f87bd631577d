package xaigrpc_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/test/specs"
)

// recording is one recorded call: the bytes of its messages.
type recording struct {
	name    string
	request []byte
	answer  []byte
	chunks  [][]byte
}

// recordings returns the calls of the corpus that went over gRPC.
func recordings(t testing.TB) []recording {
	t.Helper()
	dir, err := testkit.FindCorpus()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no recorded traffic: set PLENUM_CORPUS to a directory that holds it")
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "xai", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []recording
	for _, f := range files {
		out = append(out, recordingsOf(t, f)...)
	}
	if len(out) == 0 {
		t.Skip("no recorded gRPC: PLENUM_CORPUS names a directory without any")
	}
	return out
}

func recordingsOf(t testing.TB, file string) []recording {
	t.Helper()
	var f struct {
		Interactions []struct {
			RPC     string `json:"rpc"`
			Request struct {
				Proto string `json:"proto_base64"`
			} `json:"request"`
			Response struct {
				Proto  string   `json:"proto_base64"`
				Chunks []string `json:"chunks_proto_base64"`
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
	unbase := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var out []recording
	for _, i := range f.Interactions {
		if i.RPC == "" || len(i.Request.Proto) == 0 {
			continue
		}
		r := recording{name: filepath.Base(file), request: unbase(i.Request.Proto), answer: unbase(i.Response.Proto)}
		for _, c := range i.Response.Chunks {
			r.chunks = append(r.chunks, unbase(c))
		}
		out = append(out, r)
	}
	return out
}

// parse reads a message by the vendor's description.
func parse(t testing.TB, vendor *specs.Messages, name string, b []byte) *dynamicpb.Message {
	t.Helper()
	m, err := vendor.Parse(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func whole() dialect.Codec     { return xaigrpc.Dialect().Routes[0].Codec }
func streaming() dialect.Codec { return xaigrpc.Dialect().Routes[1].Codec }

// framed cuts messages into frames as the gateway does.
func framed(chunks [][]byte) iter.Seq2[dialect.Frame, error] {
	return func(yield func(dialect.Frame, error) bool) {
		for _, c := range chunks {
			if !yield(frame.Frame{Data: c, Raw: frame.AppendMessage(nil, c)}, nil) {
				return
			}
		}
	}
}
