package llm

// Draw asks for images: new ones, or changed or varied ones.
type Draw struct {
	Task   Op // OpImage, OpImageEdit or OpImageVary
	Model  string
	Prompt string
	N      Opt[int]
	Images []Picture // to be changed or varied, and the mask of what is to be changed
	Stream bool      // the answer is wanted as events, with unfinished images before the last
	Size   string    // in pixels, "1024x1536", or "auto"
	Aspect string    // "16:9", where a dialect speaks of that and not of pixels
	Detail string    // "1K", likewise
	// Quality is a word of the dialect: "high", "hd", "premium".
	Quality     string
	Format      string   // the media type that an image is wanted in
	Compression Opt[int] // in percent
	Links       bool     // images are wanted by their addresses
	Negative    string   // what is not wanted
	Seed        Opt[int]
	Guidance    Opt[float64] // how closely the prompt is to be followed
	User        string
	Fields      []FormField
	Extra       Extra
}

// Picture is a file with an image that came along.
type Picture struct {
	Field string // the name that it came under
	Name  string
	MIME  string
	Data  []byte
}

// Op returns the task.
func (d *Draw) Op() Op { return d.Task }
func (*Draw) payload() {}

// Drawing answers Draw.
type Drawing struct {
	Created int64
	Images  []Drawn
	Usage   Usage
	Extra   Extra
}

func (*Drawing) result() {}

// Consumption implements Measured.
func (d *Drawing) Consumption() Usage { return d.Usage }

// Drawn is an image: its address, or its bytes as base64.
type Drawn struct {
	URL     string
	Data    string
	Revised string // the prompt as the model understood it
	MIME    string // of the bytes, where it was said
	Extra   Extra
}
