package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/internal/frame"
)

// headerFlags gathers -H 'Name: value'.
type headerFlags http.Header

func (h headerFlags) String() string { return "" }

func (h headerFlags) Set(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("a header is Name: value")
	}
	http.Header(h).Add(name, strings.TrimSpace(value))
	return nil
}

// httpMain is the program http of the scripts.
func httpMain() {
	header := headerFlags{}
	flag.Var(header, "H", "a header")
	flag.Parse()
	if flag.NArg() < 2 {
		die(errors.New("usage: http [-H 'Name: value'] METHOD URL [FILE]"))
	}
	resp := call(header, flag.Arg(0), flag.Arg(1), flag.Arg(2))
	defer resp.Body.Close()
	fmt.Printf("%d\n", resp.StatusCode)
	writeHeader(os.Stdout, "", resp.Header)
	fmt.Printf("\n%s\n", readBody(resp.Body))
	writeHeader(os.Stdout, "trailer ", resp.Trailer)
}

// sseMain is the program sse of the scripts.
func sseMain() {
	header := headerFlags{}
	flag.Var(header, "H", "a header")
	flag.Parse()
	if flag.NArg() != 2 {
		die(errors.New("usage: sse [-H 'Name: value'] URL FILE"))
	}
	resp := call(header, http.MethodPost, flag.Arg(0), flag.Arg(1))
	defer resp.Body.Close()
	fmt.Printf("%d\n", resp.StatusCode)
	writeHeader(os.Stdout, "", resp.Header)
	fmt.Println()
	for f, err := range frame.NewReader(resp.Body, 0).All() {
		if err != nil {
			die(err)
		}
		if f.Data != nil {
			fmt.Println(strings.TrimSpace(f.Event + " " + string(f.Data)))
		}
	}
	writeHeader(os.Stdout, "trailer ", resp.Trailer)
}

// call makes a call, with the key in PLENUM_KEY unless the headers have one.
func call(header headerFlags, method, url, file string) *http.Response {
	var body io.Reader
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			die(err)
		}
		body = f
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		die(err)
	}
	req.Header = http.Header(header)
	if key := os.Getenv("PLENUM_KEY"); key != "" && len(header) == 0 {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		die(err)
	}
	return resp
}

func die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// writeHeader writes headers in one order, without those that differ each time.
func writeHeader(w io.Writer, before string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name == "Date" || name == "Content-Length" {
			continue
		}
		fmt.Fprintf(w, "%s%s: %s\n", before, name, strings.Join(h[name], ", "))
	}
}

// readBody reads a body to its end, or to where it was cut off.
func readBody(r io.Reader) string {
	text, err := io.ReadAll(r)
	if err != nil {
		return string(text) + "[cut off: " + err.Error() + "]"
	}
	return string(text)
}
