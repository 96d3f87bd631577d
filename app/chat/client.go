// Package chat is a conversation with a model in the terminal. It is a client of a running Plenum like
// any other: it knows the URL and a key, and speaks the OpenAI dialect.
//
// A Session is the conversation and its commands; a Client makes the calls; an Input is where prompts
// come from, which on a terminal is an Editor.
package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/frame"
)

// Client calls a Plenum.
type Client struct {
	URL  string // without /v1
	Key  plenum.Secret
	HTTP *http.Client
}

// NewClient returns a client for an address as people give it: with or without a scheme, a slash or /v1
// at its end.
func NewClient(address string, key plenum.Secret) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the address of a Plenum, such as http://127.0.0.1:8080", address)
	}
	base := strings.TrimSuffix(strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), "/v1")
	return &Client{URL: strings.TrimSuffix(base, "/"), Key: key, HTTP: &http.Client{}}, nil
}

// Message is a turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// The roles of messages.
const (
	system    = "system"
	user      = "user"
	assistant = "assistant"
)

// Piece is a piece of an answer as it comes.
type Piece struct {
	Text      string
	Reasoning string
}

// Usage is what a turn used.
type Usage struct {
	In, Cached, Out, Reasoning int64
}

func (u Usage) add(v Usage) Usage {
	return Usage{u.In + v.In, u.Cached + v.Cached, u.Out + v.Out, u.Reasoning + v.Reasoning}
}

// Answer is a whole answer, or as much of one as came.
type Answer struct {
	Text      string
	Reasoning string
	Stop      string
	Usage     Usage
	Counted   bool // the usage was told
	Cost      plenum.Micros
	Priced    bool   // the cost was told
	Target    string // the offer that answered
	Lost      string // what the target's dialect could not carry
	Changed   string
	RequestID string
	Took      time.Duration
}

// Error is an answer that says what is wrong.
type Error struct {
	Status  int
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// maxError bounds what is read of an answer that is not a stream.
const maxError = 4 << 20

// Models returns the names that can be called.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/models", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading the list of models: %w", err)
	}
	names := make([]string, 0, len(list.Data))
	for _, m := range list.Data {
		names = append(names, m.ID)
	}
	return names, nil
}

// Ask has the conversation continued by a model. It tells each piece as it comes. Where it returns an
// error, the Answer is what came before it.
func (c *Client) Ask(ctx context.Context, model string, messages []Message, tell func(Piece)) (Answer, error) {
	began := time.Now()
	body, err := json.Marshal(map[string]any{
		"model": model, "messages": messages, "stream": true, "stream_options": map[string]any{"include_usage": true},
	})
	if err != nil {
		return Answer{}, err
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/chat/completions", body)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Target: resp.Header.Get("Plenum-Target"), RequestID: resp.Header.Get("Plenum-Request-Id"), Changed: resp.Header.Get("Plenum-Changed")}
	r := reader{answer: &a, tell: tell}
	err = r.read(resp)
	a.Text, a.Reasoning = r.text.String(), r.reasoning.String()
	a.Took = time.Since(began)
	if ctx.Err() != nil {
		return a, ctx.Err()
	}
	return a, err
}

// do sends a request and returns the answer to it if that is a good one.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if !c.Key.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.Key.Reveal())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", plenum.Product+"-chat/"+plenum.Version)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("there is no Plenum at %s; `plenum up` starts one, --url or PLENUM_URL names another", c.URL)
	default:
		return fmt.Errorf("calling %s: %w", c.URL, err)
	}
}

// refusal reads an answer with another status than 200.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	e := &Error{Status: resp.StatusCode, Message: messageOf(text)}
	if e.Message == "" {
		e.Message = fmt.Sprintf("the answer was %s; is that a Plenum?", resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		e.Message += " (--key or PLENUM_KEY gives the key; `plenum create key NAME` makes one)"
	}
	return e
}

// messageOf returns what an error in the OpenAI dialect says.
func messageOf(body []byte) string {
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	return clean(e.Error.Message)
}

// reader reads one streamed answer.
type reader struct {
	answer          *Answer
	tell            func(Piece)
	text, reasoning strings.Builder
}

// read reads the stream, and what the trailers say of it.
func (r *reader) read(resp *http.Response) error {
	done := false
	for f, err := range frame.NewReader(resp.Body, 0).All() {
		if err != nil {
			return fmt.Errorf("the answer broke off: %w", err)
		}
		switch {
		case f.Data == nil:
		case string(f.Data) == "[DONE]":
			done = true
		default:
			if err := r.take(f.Data); err != nil {
				return err
			}
		}
	}
	r.answer.trailers(resp)
	if !done && r.answer.Stop == "" {
		return errors.New("the answer broke off before its end")
	}
	return nil
}

// part is one chunk of a streamed answer.
type part struct {
	Choices []struct {
		Delta struct {
			Content          string `json:"content"`
			Refusal          string `json:"refusal"`
			ReasoningContent string `json:"reasoning_content"`
			Reasoning        string `json:"reasoning"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		PromptIs   struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		CompletionIs struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

func (r *reader) take(data []byte) error {
	var p part
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(p.Error) > 0 && string(p.Error) != "null" {
		msg := messageOf(data)
		if msg == "" {
			msg = "the answer broke off with an error"
		}
		return &Error{Status: http.StatusOK, Message: msg}
	}
	for _, c := range p.Choices {
		piece := Piece{Text: clean(c.Delta.Content + c.Delta.Refusal), Reasoning: clean(c.Delta.ReasoningContent)}
		if piece.Reasoning == "" {
			piece.Reasoning = clean(c.Delta.Reasoning)
		}
		r.text.WriteString(piece.Text)
		r.reasoning.WriteString(piece.Reasoning)
		if c.FinishReason != "" {
			r.answer.Stop = clean(c.FinishReason)
		}
		if piece != (Piece{}) {
			r.tell(piece)
		}
	}
	if u := p.Usage; u != nil {
		r.answer.Usage = Usage{In: u.Prompt, Cached: u.PromptIs.Cached, Out: u.Completion, Reasoning: u.CompletionIs.Reasoning}
		r.answer.Counted = true
	}
	return nil
}

func (a *Answer) trailers(resp *http.Response) {
	for _, h := range []http.Header{resp.Header, resp.Trailer} {
		if cost, err := plenum.ParseMicros(h.Get("Plenum-Cost-Usd")); err == nil {
			a.Cost, a.Priced = cost, true
		}
		if lost := h.Get("Plenum-Lost"); lost != "" {
			a.Lost = lost
		}
	}
}

// clean takes out what would steer the terminal: what a model says is text and nothing else.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f {
			return -1
		}
		return r
	}, s)
}
