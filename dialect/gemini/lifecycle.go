package gemini

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// What Google keeps for its callers and nobody translates: files, cached contents, stores of files that are searched,
// batches and interactions. A thing is known by its name with what it is, "files/abc", however an address has it.

// spoken is the version of the Gemini API that Plenum itself speaks to it, whichever a caller names.
const spoken = "/v1beta"

// lifecycleRoutes are those of the Gemini API, and of cached contents on Vertex AI.
func lifecycleRoutes() []dialect.Route {
	const beside = "/models/{model}:generateContent"
	plain := dialect.Lifecycle{Errors: encodeError, Beside: beside, Named: namedIn, Told: told, Rename: renamed}
	var out []dialect.Route
	for _, v := range [...]string{"/v1beta", "/v1alpha", "/v1"} { // the SDKs name each of them
		var match func(*http.Request) bool
		if v == "/v1" { // which others have as well
			match = dialect.GoogleKey
		}
		for resource, list := range map[string]string{
			"files": "files", "cachedContents": "cachedContents", "fileSearchStores": "fileSearchStores", "batches": "operations",
		} {
			out = append(out, kept(v, match, plain, resource, list)...)
		}
		said := plain
		said.Told, said.Made, said.Named = nil, "id", namedBeside
		out = append(out, dialect.LifecycleRoutes(v, match, said, "interactions")...)
		for _, verb := range [...]string{"batchGenerateContent", "asyncBatchEmbedContent"} {
			made := plain
			made.Resource, made.Verb = "batches", verb
			out = append(out, dialect.Route{Op: llm.OpLifecycle, Method: http.MethodPost, Pattern: v + "/models/{model...}:" + verb, Codec: made})
		}
		sent := plain
		sent.Beside = spoken + beside
		sent.Upload = &dialect.Upload{Header: "X-Goog-Upload-Url", Query: "upload_id"}
		for _, resource := range [...]string{"files", "fileSearchStores"} {
			out = append(out, uploads(v, sent, resource)...)
		}
	}
	hosted := plain
	hosted.Beside = "/publishers/google" + beside
	for _, v := range [...]string{"/v1", "/v1beta1", "/vertex/v1", "/vertex/v1beta1"} {
		out = append(out, kept(v+"/projects/{project}/locations/{location}", nil, hosted, "cachedContents", "cachedContents")...)
	}
	return out
}

// kept returns the routes of a resource whose things are listed under a name.
func kept(base string, match func(*http.Request) bool, c dialect.Lifecycle, resource, list string) []dialect.Route {
	c.List, c.ID = list, idOf(resource)
	return dialect.LifecycleRoutes(base, match, c, resource)
}

// uploads returns the routes at which files are sent, or the pieces of one.
func uploads(version string, c dialect.Lifecycle, resource string) []dialect.Route {
	c.Resource, c.ID, c.Under = resource, idOf(resource), "/upload"+spoken+"/"+resource
	pattern := "/upload" + version + "/" + resource
	if resource != "files" {
		pattern += "/{id}" // with the verb
	}
	var out []dialect.Route
	for _, method := range [...]string{http.MethodPost, http.MethodPut} {
		out = append(out, dialect.Route{Op: llm.OpLifecycle, Method: method, Pattern: pattern, Codec: c})
	}
	return out
}

// idOf returns what tells a thing of a resource by a segment of a path, which may end in a verb: "abc:download".
func idOf(resource string) func(string) string {
	return func(segment string) string {
		name, _, _ := strings.Cut(segment, ":")
		return resource + "/" + name
	}
}

// resourceName is a name of a thing, whole: "files/abc123".
var resourceName = regexp.MustCompile(`^(files|cachedContents|fileSearchStores|batches)/[a-z0-9-]+$`)

// namedIn returns what a text in a body names: a thing by its name, with what may stand before it, or a file by its
// address.
func namedIn(text string) string {
	if len(text) > 400 || strings.ContainsAny(text, " \n") {
		return ""
	}
	scheme, _, isAddress := strings.Cut(text, "://")
	id := lastTwo(text)
	if isAddress {
		if id = fileOf(text); !strings.HasPrefix(strings.ToLower(scheme), "http") {
			return id
		}
	}
	if !resourceName.MatchString(id) {
		return ""
	}
	return id
}

// namedBeside knows interactions besides.
func namedBeside(text string) string {
	if rest, ok := strings.CutPrefix(text, "v1_"); ok && len(rest) > 20 && !strings.ContainsAny(rest, " \n") {
		return text
	}
	return namedIn(text)
}

// told returns what an answer tells that was made, or is there: a thing, a file that was sent, the file with what came
// of a batch.
func told(body []byte) map[string]string {
	var a struct {
		Name string `json:"name"`
		File *struct {
			Name string `json:"name"`
		} `json:"file"`
		Response *struct {
			File string `json:"responsesFile"`
		} `json:"response"`
		Metadata *struct {
			Output *struct {
				File string `json:"responsesFile"`
			} `json:"output"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &a) != nil {
		return nil // it is not an object
	}
	out := map[string]string{}
	add := func(name string) {
		short := lastTwo(name)
		if kind, _, _ := strings.Cut(short, "/"); resourceName.MatchString(short) && (short == name || strings.HasPrefix(name, "projects/")) {
			out[short] = kind
		}
	}
	add(a.Name)
	if a.File != nil {
		add(a.File.Name)
	}
	if a.Response != nil {
		add(a.Response.File)
	}
	if a.Metadata != nil && a.Metadata.Output != nil {
		add(a.Metadata.Output.File)
	}
	return out
}

// renamed puts the model of an address of answers into a body, wherever that names one: at its top, or of a batch.
func renamed(body []byte, address string) ([]byte, error) {
	at := strings.Index(address, "/models/")
	if i := strings.Index(address, "/projects/"); i >= 0 {
		at = i
	}
	if at < 0 {
		return body, nil
	}
	name, _, _ := strings.Cut(address[at+1:], ":")
	var top [2]splice.Member
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"model", "batch"}, top[:]); err != nil {
		return nil, err
	}
	ed := splice.NewEdit(body)
	set := func(v splice.Span) {
		said, ok := v.String(body)
		if !ok || said == "" {
			return
		}
		if !strings.Contains(said, "/") {
			ed.SetString(v, name[strings.LastIndexByte(name, '/')+1:])
			return
		}
		ed.SetString(v, name)
	}
	if top[0].Found() {
		set(top[0].Value)
	}
	if top[1].Found() && top[1].Value.Kind(body) == '{' {
		hits, err := modelsOfBatch().Find(body, nil)
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			set(h.At)
		}
	}
	if !ed.Changed() {
		return body, nil
	}
	return ed.Bytes()
}

// modelsOfBatch are where the requests of a batch name their model once more.
func modelsOfBatch() *splice.Paths {
	return splice.NewPaths("batch.model", "batch.inputConfig.requests.requests.+.request.model", "batch.input_config.requests.requests.+.request.model")
}
