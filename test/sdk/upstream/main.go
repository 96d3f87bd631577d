// Command upstream stands in for vendors while official SDKs are tested against a running Plenum.
//
// It serves OpenAI's Chat Completions, Anthropic's Messages and Bedrock's Converse on ports of their own, and
// one more port on which tests ask what arrived. It is strict: a request that the vendor would refuse is refused with the
// vendor's kind of error, so that a wrong translation fails the test that made it. What it answers is
// named by the model: `call:x1` is the scenario `call`, told apart from other tests' by `x1`.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run serves until standard input ends, so that nothing is left behind when the parent dies.
func run() error {
	j := newJournal()
	urls := map[string]string{}
	for name, h := range map[string]http.Handler{
		"openai":    operations(&vendor{journal: j, wire: openAI{}}),
		"anthropic": &vendor{journal: j, wire: anthropic{}},
		"bedrock":   &vendor{journal: j, wire: bedrock{}},
		"control":   j,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		urls[name] = "http://" + l.Addr().String()
		srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		go func() { _ = srv.Serve(l) }()
	}
	if err := json.NewEncoder(os.Stdout).Encode(urls); err != nil {
		return fmt.Errorf("telling the addresses: %w", err)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
