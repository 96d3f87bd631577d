package dialect

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Realtime is the codec of sessions over a WebSocket. Their messages pass as they are, and are read as far as
// metering and limits need. It knows the events of OpenAI's API, in their names of today and of the beta, which xAI speaks
// as well.
type Realtime struct {
	Local
	What   llm.Op
	Errors func(error) Reply
	// Names says what messages name that the vendor keeps; nil is nothing.
	Names *Naming
	// Beside is the path of the dialect's answers (OpGenerate) below the same base as Under.
	Beside, Under string
}

var _ Codec = Realtime{}

// Peek reads the model from the query, where it stands under either of two names.
func (Realtime) Peek(in Inbound, _ Bounds) (Head, error) {
	q, err := url.ParseQuery(in.RawQuery)
	if err != nil {
		return Head{}, &llm.Error{Kind: llm.Invalid, Op: "dialect.Realtime", Message: "the query cannot be read"}
	}
	model := q.Get("model")
	if model == "" {
		model = q.Get("deployment")
	}
	if model == "" {
		return Head{}, &llm.Error{Kind: llm.Invalid, Op: "dialect.Realtime", Param: "model", Message: "name the model in the query: ?model=, the name of a deployment; also where ?intent=transcription"}
	}
	return Head{Model: model}, nil
}

// OnlyTranscribes reports whether a session writes down what is said and answers nothing: its address says so.
func OnlyTranscribes(rawQuery string) bool {
	q, err := url.ParseQuery(rawQuery)
	return err == nil && q.Get("intent") == Transcription
}

// Transcription is the type of sessions that only write down what is said.
const Transcription = "transcription"

// Transcriber returns the model that a message wants what is said written down by, of a session's settings.
func Transcriber(text []byte) string {
	v := wire.Whole(text)
	return transcriber(v.Get("session")).Text()
}

// SettingsTranscriber returns the same of settings alone, and whether they are those of a session that does nothing
// else.
func SettingsTranscriber(settings []byte) (model string, only bool) {
	v := wire.Whole(settings)
	return transcriber(v).Text(), v.Get("type").Text() == Transcription
}

func transcriber(session wire.Value) wire.Value {
	if m := session.Get("audio", "input", "transcription", "model"); m.Found() {
		return m
	}
	return session.Get("input_audio_transcription", "model")
}

// WithTranscriber returns a message with another model for what is said.
func WithTranscriber(text []byte, model string) ([]byte, error) {
	ed := splice.NewEdit(text)
	ed.SetString(transcriber(wire.Whole(text).Get("session")).Span(), model)
	return ed.Bytes()
}

// DecodeRequest returns a *llm.Realtime.
func (r Realtime) DecodeRequest(Inbound) (llm.Payload, error) {
	return &llm.Realtime{What: r.What}, nil
}

// EncodeResponse refuses: a session's answers are messages.
func (Realtime) EncodeResponse(llm.Payload, llm.Result, Meta) (Reply, []Loss, error) {
	return Reply{}, nil, &llm.Error{Kind: llm.Internal, Op: "dialect.Realtime", Message: "internal error", Err: errors.New("an answer that is no message")}
}

// EncodeError implements Server.
func (r Realtime) EncodeError(err error) Reply { return r.Errors(err) }

// NewEncoder returns nil: a session's answers are messages.
func (Realtime) NewEncoder(llm.Payload, Meta) Encoder { return nil }

// Message is what must be known of a message of a session.
type Message struct {
	Type     string
	EventID  string
	Response string    // the id of the answer that it belongs to
	About    string    // of an error: the event of the caller that it is about
	Model    string    // of a session's settings: the model that they name
	Text     int       // bytes of text or transcript that it adds to an answer
	Usage    llm.Usage // of an answer or a transcription that is over
	Final    bool      // the answer is over
}

// realtimeMessage is the wire form of what Message holds.
type realtimeMessage struct {
	Type       string `json:"type"`
	EventID    string `json:"event_id"`
	ResponseID string `json:"response_id"`
	Delta      string `json:"delta"`
	Response   struct {
		ID    string         `json:"id"`
		Usage *realtimeUsage `json:"usage"`
	} `json:"response"`
	Session struct {
		Model string `json:"model"`
	} `json:"session"`
	Error struct {
		EventID string `json:"event_id"`
	} `json:"error"`
	Usage *realtimeUsage `json:"usage"`
}

type realtimeUsage struct {
	Type    string  `json:"type"`
	Seconds float64 `json:"seconds"`
	In      *int64  `json:"input_tokens"`
	Out     *int64  `json:"output_tokens"`
	Input   struct {
		Audio  int64 `json:"audio_tokens"`
		Image  int64 `json:"image_tokens"`
		Cached int64 `json:"cached_tokens"`
		Of     struct {
			Audio int64 `json:"audio_tokens"`
			Image int64 `json:"image_tokens"`
		} `json:"cached_tokens_details"`
	} `json:"input_token_details"`
	Output struct {
		Audio int64 `json:"audio_tokens"`
	} `json:"output_token_details"`
}

// usage returns the classes, which do not overlap: what was cached is cached, of whatever kind it is.
func (u *realtimeUsage) usage() llm.Usage {
	if u == nil {
		return llm.Usage{}
	}
	var out llm.Usage
	if u.Type == "duration" {
		out.Seconds, out.Reported = max(0, int64(u.Seconds+0.999)), llm.InSide|llm.OutSide
		return out
	}
	if u.In != nil {
		out.CacheRead = max(0, u.Input.Cached)
		out.InputAudio = max(0, u.Input.Audio-u.Input.Of.Audio)
		out.InputImage = max(0, u.Input.Image-u.Input.Of.Image)
		out.Input = max(0, *u.In-out.CacheRead-out.InputAudio-out.InputImage)
		out.Reported |= llm.InSide
	}
	if u.Out != nil {
		out.OutputAudio = max(0, u.Output.Audio)
		out.Output = max(0, *u.Out-out.OutputAudio)
		out.Reported |= llm.OutSide
	}
	return out
}

// ReadMessage reads a message of a session.
func ReadMessage(text []byte) (Message, error) {
	var w realtimeMessage
	if err := json.Unmarshal(text, &w); err != nil || w.Type == "" {
		return Message{}, &llm.Error{Kind: llm.Invalid, Op: "dialect.ReadMessage", Message: "a message is a JSON object with a type", Err: err}
	}
	m := Message{Type: w.Type, EventID: w.EventID, Response: w.ResponseID, About: w.Error.EventID, Model: w.Session.Model}
	if m.Response == "" {
		m.Response = w.Response.ID
	}
	switch {
	case w.Type == "response.done":
		m.Final, m.Usage = true, w.Response.Usage.usage()
	case strings.HasSuffix(w.Type, "input_audio_transcription.completed"):
		m.Usage = w.Usage.usage()
	case strings.HasSuffix(w.Type, "text.delta"), strings.HasSuffix(w.Type, "transcript.delta"), strings.HasSuffix(w.Type, "arguments.delta"):
		m.Text = len(w.Delta)
	}
	return m, nil
}

// ErrorMessage says an error as a message of a session, about an event of the caller if its id is known.
func ErrorMessage(err error, about string) []byte {
	e := llm.AsError(err)
	kind := "invalid_request_error"
	if llm.Of(e.Kind).Status >= 500 {
		kind = "server_error"
	}
	code := e.Code
	if code == "" {
		code = string(e.Kind)
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "error")
	w.KeyOpen("error", '{')
	w.KeyStr("type", kind)
	w.KeyStr("code", code)
	w.KeyStr("message", e.Message)
	w.KeyNull("param")
	if about == "" {
		w.KeyNull("event_id")
	} else {
		w.KeyStr("event_id", about)
	}
	w.Close('}')
	w.Close('}')
	return w.Buf
}

// CancelMessage asks an upstream to stop an answer.
func CancelMessage(response string) []byte {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "response.cancel")
	w.KeyStr("response_id", response)
	w.Close('}')
	return w.Buf
}

// SettingsMessage tells an upstream the settings of a session, which are JSON.
func SettingsMessage(session []byte) []byte {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "session.update")
	w.KeyRaw("session", string(session))
	w.Close('}')
	return w.Buf
}
