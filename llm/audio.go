package llm

// Speak asks for a text as sound.
type Speak struct {
	Model  string
	Text   string
	Voice  string // its name, or a JSON object where the dialect takes one
	How    string // in what manner it is to be said (OpenAI's `instructions`)
	Format string // mp3, opus, aac, flac, wav, pcm; "" is the host's own choice
	Speed  Opt[float64]
	Stream bool // the answer is wanted as events
	Extra  Extra
}

// Op returns OpSpeak.
func (*Speak) Op() Op   { return OpSpeak }
func (*Speak) payload() {}

// Sound is a file with sound in it, as bytes.
type Sound struct {
	Name string
	MIME string
	Data []byte
}

// Speech answers Speak.
type Speech struct {
	Sound Sound
	Usage Usage
}

func (*Speech) result() {}

// Consumption implements Measured.
func (s *Speech) Consumption() Usage { return s.Usage }

// Transcribe asks for what is said in a sound, in its own language or in English.
type Transcribe struct {
	Task     Op // OpTranscribe or OpTranslate
	Model    string
	Sound    Sound
	Language string
	Prompt   string
	Format   string // json, text, srt, verbose_json, vtt; "" is json
	Stream   bool
	Fields   []FormField // fields that have no word here, in order
}

// FormField is a field of a form as it stood.
type FormField struct{ Name, Value string }

// Op returns the task.
func (t *Transcribe) Op() Op { return t.Task }
func (*Transcribe) payload() {}

// Transcript answers Transcribe.
type Transcript struct {
	Text     string
	Language string
	Usage    Usage
	Extra    Extra
}

func (*Transcript) result() {}

// Consumption implements Measured.
func (t *Transcript) Consumption() Usage { return t.Usage }

// Rates for estimates of sound.
const (
	soundBytesPerSecond  = 16_000 // of compressed sound, at 128 kbit/s
	soundTokensPerSecond = 10
)

// Duration returns how many seconds a sound lasts, begun ones counted whole, and whether that is certain: a
// WAV file says it, of others it is taken from their size.
func (s Sound) Duration() (seconds int64, exact bool) {
	if rate, size, ok := wav(s.Data); ok {
		return (size + rate - 1) / rate, true
	}
	return (int64(len(s.Data)) + soundBytesPerSecond - 1) / soundBytesPerSecond, false
}

// wav returns the bytes per second and the size of the samples of a WAV file.
func wav(b []byte) (rate, size int64, ok bool) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return 0, 0, false
	}
	for at := 12; at+8 <= len(b); {
		n := int64(little(b[at+4:]))
		body := b[at+8:]
		switch string(b[at : at+4]) {
		case "fmt ":
			if len(body) < 12 {
				return 0, 0, false
			}
			rate = int64(little(body[8:]))
		case "data":
			// One that was streamed into the file says too large a size.
			size = min(n, int64(len(body)))
			return rate, size, rate > 0
		}
		at += 8 + int(min(n+n%2, int64(len(b))))
	}
	return 0, 0, false
}

func little(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
