package llm

import "iter"

// Usage is what a call consumed, in classes that do not overlap: their sum is everything. What a
// vendor reports inclusively (OpenAI's prompt_tokens holds the cached ones) is taken apart when it is
// decoded and put together again when it is encoded, so that no class is counted or billed twice.
type Usage struct {
	Input        int64 // tokens read at full price
	CacheRead    int64 // tokens read from the prompt cache
	CacheWrite5m int64 // tokens written to the prompt cache, default lifetime
	CacheWrite1h int64 // tokens written to the prompt cache for an hour
	InputAudio   int64
	InputImage   int64
	Output       int64 // tokens written that the caller sees, or of which the vendor tells no more
	Reasoning    int64 // tokens written as reasoning
	OutputAudio  int64
	OutputImage  int64
	Searches     int64 // searches that the vendor ran or, of rankings, counts them as
	Images       int64 // images made
	Characters   int64 // characters of text that were made sound
	Seconds      int64 // seconds of sound that were read
	// Reported says which sides the upstream itself reported; what it did not is estimated by metering.
	Reported Side
	Extra    Extra // members of the wire's usage object that have no word here
}

// Side is a set of the two sides of a call.
type Side uint8

// The sides.
const (
	InSide Side = 1 << iota
	OutSide
)

// Class names one class of usage, as prices and records do.
type Class string

// The classes of usage.
const (
	ClassInput        Class = "input"
	ClassCacheRead    Class = "cache_read"
	ClassCacheWrite5m Class = "cache_write_5m"
	ClassCacheWrite1h Class = "cache_write_1h"
	ClassInputAudio   Class = "input_audio"
	ClassInputImage   Class = "input_image"
	ClassOutput       Class = "output"
	ClassReasoning    Class = "reasoning"
	ClassOutputAudio  Class = "output_audio"
	ClassOutputImage  Class = "output_image"
	ClassSearch       Class = "search"
	ClassImage        Class = "image"
	ClassCharacter    Class = "character"
	ClassSecond       Class = "second"
)

// Unit reports whether a class counts something else than tokens.
func (c Class) Unit() bool {
	switch c {
	case ClassSearch, ClassImage, ClassCharacter, ClassSecond:
		return true
	}
	return false
}

// In returns every token read.
func (u Usage) In() int64 {
	return u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h + u.InputAudio + u.InputImage
}

// Out returns every token written.
func (u Usage) Out() int64 { return u.Output + u.Reasoning + u.OutputAudio + u.OutputImage }

// Zero reports whether nothing was consumed or reported.
func (u Usage) Zero() bool {
	return u.In() == 0 && u.Out() == 0 && u.Units() == 0 && u.Reported == 0
}

// Units returns what was consumed that is counted otherwise than in tokens.
func (u Usage) Units() int64 { return u.Searches + u.Images + u.Characters + u.Seconds }

// Metered returns the usage without its Extra: what can be counted and priced.
func (u Usage) Metered() Usage {
	u.Extra = Extra{}
	return u
}

// Classes yields every class with its count, in a fixed order, zeros included.
func (u Usage) Classes() iter.Seq2[Class, int64] {
	return func(yield func(Class, int64) bool) {
		_ = yield(ClassInput, u.Input) &&
			yield(ClassCacheRead, u.CacheRead) &&
			yield(ClassCacheWrite5m, u.CacheWrite5m) &&
			yield(ClassCacheWrite1h, u.CacheWrite1h) &&
			yield(ClassInputAudio, u.InputAudio) &&
			yield(ClassInputImage, u.InputImage) &&
			yield(ClassOutput, u.Output) &&
			yield(ClassReasoning, u.Reasoning) &&
			yield(ClassOutputAudio, u.OutputAudio) &&
			yield(ClassOutputImage, u.OutputImage) &&
			yield(ClassSearch, u.Searches) &&
			yield(ClassImage, u.Images) &&
			yield(ClassCharacter, u.Characters) &&
			yield(ClassSecond, u.Seconds)
	}
}

// UsageOf returns a usage of one class alone.
func UsageOf(c Class, n int64) Usage {
	var u Usage
	//exhaustive:enforce
	switch c {
	case ClassInput:
		u.Input = n
	case ClassCacheRead:
		u.CacheRead = n
	case ClassCacheWrite5m:
		u.CacheWrite5m = n
	case ClassCacheWrite1h:
		u.CacheWrite1h = n
	case ClassInputAudio:
		u.InputAudio = n
	case ClassInputImage:
		u.InputImage = n
	case ClassOutput:
		u.Output = n
	case ClassReasoning:
		u.Reasoning = n
	case ClassOutputAudio:
		u.OutputAudio = n
	case ClassOutputImage:
		u.OutputImage = n
	case ClassSearch:
		u.Searches = n
	case ClassImage:
		u.Images = n
	case ClassCharacter:
		u.Characters = n
	case ClassSecond:
		u.Seconds = n
	}
	return u
}

// Add returns the sum of two calls' usage. It adds different calls or attempts up; it is never the way
// to merge two reports of one call, where the later report replaces the earlier.
func (u Usage) Add(v Usage) Usage {
	u.Input += v.Input
	u.CacheRead += v.CacheRead
	u.CacheWrite5m += v.CacheWrite5m
	u.CacheWrite1h += v.CacheWrite1h
	u.InputAudio += v.InputAudio
	u.InputImage += v.InputImage
	u.Output += v.Output
	u.Reasoning += v.Reasoning
	u.OutputAudio += v.OutputAudio
	u.OutputImage += v.OutputImage
	u.Searches += v.Searches
	u.Images += v.Images
	u.Characters += v.Characters
	u.Seconds += v.Seconds
	u.Reported |= v.Reported
	u.Extra = Extra{}
	return u
}
