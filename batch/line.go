package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// The bounds of a batch's input.
const (
	mostLines = 100_000
	lineBytes = 64 << 20
	nameBytes = 512
)

// line is one line of the input.
type line struct {
	n    int
	name string // its custom_id
	body []byte
	bad  error // why it cannot be run
}

// errTooMany says that an input has more lines than are run.
var errTooMany = errors.New("the input has more than 100,000 lines")

// lines reads the lines of an input in order. One that cannot be read is a bad line, and not the end; only an
// input that cannot be read any further is.
func lines(r io.Reader, j *job) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		seen := map[string]bool{}
		for n := 0; ; {
			text, err := readLine(in)
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLong) {
				yield(line{}, err)
				return
			}
			if blank := len(bytes.TrimSpace(text)) == 0 && !errors.Is(err, errLong); !blank {
				if n == mostLines {
					yield(line{}, errTooMany)
					return
				}
				l := line{n: n}
				if errors.Is(err, errLong) {
					l.bad = err
				} else {
					l.read(text, j, seen)
				}
				if !yield(l, nil) {
					return
				}
				n++
			}
			if errors.Is(err, io.EOF) {
				return
			}
		}
	}
}

var errLong = errors.New("this line is longer than 64 MiB")

// readLine reads up to the end of a line. Of one that is too long it keeps nothing.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	long := false
	for {
		piece, err := r.ReadSlice('\n')
		if long = long || len(text)+len(piece) > lineBytes; !long {
			text = append(text, piece...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long:
			return nil, errLong
		}
		return text, err
	}
}

// asked is a line as OpenAI has it; Anthropic's has params in place of method, url and body.
type asked struct {
	CustomID *string         `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
	Params   json.RawMessage `json:"params"`
}

// read reads a line, and notes what is wrong with it.
func (l *line) read(text []byte, j *job, seen map[string]bool) {
	var a asked
	if err := json.Unmarshal(text, &a); err != nil {
		l.bad = errors.New("this line is not a JSON object of the form that a batch has")
		return
	}
	if a.CustomID != nil {
		l.name = *a.CustomID
	}
	l.body = a.Body
	switch {
	case j.anthropic():
		l.body = a.Params
	case j.mistral():
		l.asMistral(j)
	}
	bare := j.anthropic() || j.mistral()
	switch {
	case l.name == "":
		l.bad = errors.New("custom_id is missing")
	case len(l.name) > nameBytes:
		l.name, l.bad = clip(l.name), fmt.Errorf("custom_id is longer than %d bytes", nameBytes)
	case seen[l.name]:
		l.bad = errors.New("custom_id is that of an earlier line as well")
	case !bare && !strings.EqualFold(a.Method, http.MethodPost):
		l.bad = errors.New("method must be POST")
	case !bare && a.URL != j.Endpoint:
		l.bad = fmt.Errorf("url must be %s, the endpoint of the batch", j.Endpoint)
	default:
		l.bad = l.checkBody()
	}
	seen[l.name] = true
}

func (l *line) checkBody() error {
	var b struct {
		Stream json.RawMessage `json:"stream"`
	}
	body := bytes.TrimSpace(l.body)
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &b) != nil {
		return errors.New("the body is not a JSON object")
	}
	if s := string(b.Stream); s != "" && s != "false" && s != "null" {
		return errors.New("a line of a batch is not streamed; leave stream out")
	}
	return nil
}

// route returns what answers at an endpoint.
func route(ds []*dialect.Dialect, endpoint string) (*dialect.Dialect, *dialect.Route) {
	var of *dialect.Dialect
	var found *dialect.Route
	for _, d := range ds {
		for i := range d.Routes {
			r := &d.Routes[i]
			if r.Method != http.MethodPost || r.Pattern != endpoint || r.Op.Own() || r.Op == llm.OpCountTokens {
				continue
			}
			if r.Match == nil {
				return d, r
			}
			if found == nil { // one that is told apart by who calls, where there is no other
				of, found = d, r
			}
		}
	}
	return of, found
}

// endpoints are what a batch in OpenAI's words may be of.
func endpoints() []string {
	return []string{"/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/moderations"}
}

// result is what a line came to, as it stands in an output.
type result struct {
	name   string
	call   string // the call's id
	status int
	body   []byte
	err    *lineError // why there is no answer
	kind   string     // Anthropic's word for it
}

// lineError says why a line was not answered.
type lineError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// good reports whether the line was answered well.
func (r *result) good() bool { return r.err == nil && r.status >= 200 && r.status < 300 }

type (
	openaiLine struct {
		ID       string          `json:"id"`
		CustomID string          `json:"custom_id"`
		Response *openaiResponse `json:"response"`
		Error    *lineError      `json:"error"`
	}
	openaiResponse struct {
		StatusCode int             `json:"status_code"`
		RequestID  string          `json:"request_id"`
		Body       json.RawMessage `json:"body"`
	}
	anthropicLine struct {
		CustomID string          `json:"custom_id"`
		Result   anthropicResult `json:"result"`
	}
	anthropicResult struct {
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message,omitempty"`
		Error   json.RawMessage `json:"error,omitempty"`
	}
)

// say returns the line of an output, with its end.
func (r *result) say(id string, anthropic bool) ([]byte, error) {
	body := json.RawMessage(r.body)
	if r.err == nil && !json.Valid(body) {
		r.err = &lineError{"invalid_answer", "the answer is not JSON"}
	}
	if !anthropic {
		l := openaiLine{ID: id, CustomID: r.name, Error: r.err}
		if r.err == nil {
			l.Response = &openaiResponse{r.status, r.call, body}
		}
		return encode(l)
	}
	l := anthropicLine{CustomID: r.name}
	switch {
	case r.kind != "":
		l.Result.Type = r.kind
	case r.good():
		l.Result = anthropicResult{Type: "succeeded", Message: body}
	case r.err == nil:
		l.Result = anthropicResult{Type: "errored", Error: body}
	default:
		l.Result = anthropicResult{Type: "errored", Error: anthropicError(r.err)}
	}
	return encode(l)
}

func anthropicError(e *lineError) json.RawMessage {
	kind := "invalid_request_error"
	if e.Code == codeInterrupted {
		kind = "api_error"
	}
	b, _ := json.Marshal(map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": e.Message}}) //nolint:errchkjson // strings alone
	return b
}

// encode says a value in one line, without changing what stands in its texts.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
