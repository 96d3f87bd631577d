package app

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/claim"
)

const claimDeployments = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%[1]s/v1", settings: {dialect: all}}
  - {name: b, provider: openai-compatible, base_url: "%[2]s/v1"}
deployments:
  - name: m
    shared_ids: ["vs_shared1", "pmpt_*"]
    targets: [{connection: b, upstream_model: up}, {connection: a, upstream_model: up, priority: 2}]
  - name: open
    unknown_ids: allow
    targets: [{connection: a, upstream_model: up}]
`

// naming is a request that names a thing, and how.
type namingCase struct{ path, body, id string }

// namingCases has one request for each member of each dialect that names a thing. %s is the id.
func namingCases() map[string]namingCase {
	chat := func(rest string) namingCase {
		return namingCase{"/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}],` + rest + `}`, "file-7Foreign"}
	}
	said := func(message string) namingCase {
		return namingCase{"/v1/chat/completions", `{"model":"m","messages":[` + message + `]}`, "file-7Foreign"}
	}
	asked := func(rest string) namingCase {
		return namingCase{"/v1/responses", `{"model":"m","input":"x",` + rest + `}`, "cntr_7Foreign"}
	}
	item := func(it string) namingCase {
		return namingCase{"/v1/responses", `{"model":"m","input":[` + it + `]}`, "file-7Foreign"}
	}
	claude := func(content string) namingCase {
		return namingCase{"/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[` + content + `]}]}`, "file_7Foreign"}
	}
	gem := func(rest string) namingCase {
		return namingCase{"/v1beta/models/m:generateContent", `{"contents":[{"role":"user","parts":[{"text":"x"}]}],` + rest + `}`, "cachedContents/7foreign"}
	}
	part := func(p string) namingCase {
		return namingCase{"/v1beta/models/m:generateContent", `{"contents":[{"role":"user","parts":[` + p + `]}]}`, "files/7foreign"}
	}
	aws := func(content string) namingCase {
		return namingCase{"/model/m/converse", `{"messages":[{"role":"user","content":[` + content + `]}]}`, "s3://bucket/7foreign"}
	}
	s3 := `"source":{"s3Location":{"uri":"%s"}}`
	file := `"fileData":{"mimeType":"image/png","fileUri":"%s"}`
	return map[string]namingCase{
		"chat: a file":                     said(`{"role":"user","content":[{"type":"file","file":{"file_id":"%s"}}]}`),
		"chat: a file of other hosts":      said(`{"role":"user","content":[{"type":"file","file_id":"%s"}]}`),
		"chat: an image":                   said(`{"role":"user","content":[{"type":"image_url","image_url":{"file_id":"%s"}}]}`),
		"chat: an answer in sound":         said(`{"role":"assistant","audio":{"id":"%s"}}`),
		"chat: an escaped key":             said(`{"role":"user","content":[{"type":"file","file":{"file\u005fid":"%s"}}]}`),
		"chat: a voice":                    chat(`"audio":{"voice":{"id":"%s"},"format":"wav"}`),
		"chat: a vector store":             chat(`"tools":[{"type":"file_search","vector_store_ids":["%s"]}]`),
		"chat: a collection":               chat(`"tools":[{"type":"collections_search","collection_ids":["%s"]}]`),
		"chat: a library":                  chat(`"tools":[{"type":"document_library","library_ids":["%s"]}]`),
		"chat: an index":                   chat(`"data_sources":[{"type":"azure_search","parameters":{"index_name":"%s"}}]`),
		"speech: a voice":                  {"/v1/audio/speech", `{"model":"m","input":"x","voice":{"id":"%s"}}`, "voice_7Foreign"},
		"image edit: an image":             {"/v1/images/edits", `{"model":"m","prompt":"x","images":[{"file_id":"%s"}]}`, "file-7Foreign"},
		"image edit: a mask":               {"/v1/images/edits", `{"model":"m","prompt":"x","mask":{"file_id":"%s"}}`, "file-7Foreign"},
		"image edit: image":                {"/v1/images/edits", `{"model":"m","prompt":"x","image":{"file_id":"%s"}}`, "file-7Foreign"},
		"image edit: image list":           {"/v1/images/edits", `{"model":"m","prompt":"x","image":[{"file_id":"%s"}]}`, "file-7Foreign"},
		"responses: input_file":            item(`{"role":"user","content":[{"type":"input_file","file_id":"%s"}]}`),
		"responses: input_image":           item(`{"role":"user","content":[{"type":"input_image","file_id":"%s"}]}`),
		"responses: a tool's answer":       item(`{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"%s"}]}`),
		"responses: a screenshot":          item(`{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","file_id":"%s"}}`),
		"responses: an earlier container":  item(`{"type":"code_interpreter_call","id":"ci_1","code":"1","status":"completed","container_id":"%s"}`),
		"responses: an earlier shell":      item(`{"type":"shell_call","call_id":"c","environment":{"type":"container_reference","container_id":"%s"}}`),
		"responses: a vector store":        asked(`"tools":[{"type":"file_search","vector_store_ids":["vs_shared1","%s"]}]`),
		"responses: a collection":          asked(`"tools":[{"type":"x","collection_ids":["%s"]}]`),
		"responses: a container":           asked(`"tools":[{"type":"code_interpreter","container":"%s"}]`),
		"responses: a container's files":   asked(`"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["%s"]}}]`),
		"responses: a container's skills":  {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"code_interpreter","container":{"skills":[{"skill_id":"%s"}]}}]}`, "skill_7Foreign"},
		"responses: a shell's container":   asked(`"tools":[{"type":"shell","environment":{"type":"container_reference","container_id":"%s"}}]`),
		"responses: a shell's files":       asked(`"tools":[{"type":"shell","environment":{"type":"container_auto","file_ids":["%s"]}}]`),
		"responses: a shell's skills":      {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"shell","environment":{"skills":[{"type":"skill_reference","skill_id":"%s"}]}}]}`, "skill_7Foreign"},
		"responses: a mask":                asked(`"tools":[{"type":"image_generation","input_image_mask":{"file_id":"%s"}}]`),
		"responses: a tunnel":              asked(`"tools":[{"type":"mcp","server_label":"l","tunnel_id":"%s"}]`),
		"responses: a connector":           asked(`"tools":[{"type":"mcp","server_label":"l","connector_id":"%s"}]`),
		"responses: a tool found later":    item(`{"type":"tool_search_output","tools":[{"type":"file_search","vector_store_ids":["%s"]}]}`),
		"responses: a prompt":              asked(`"prompt":{"id":"%s"}`),
		"responses: a prompt's file":       asked(`"prompt":{"id":"pmpt_1","variables":{"f":{"type":"input_file","file_id":"%s"}}}`),
		"responses: a count":               {"/v1/responses/input_tokens", `{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_id":"%s"}]}]}`, "file-7Foreign"},
		"messages: a document":             claude(`{"type":"document","source":{"type":"file","file_id":"%s"}}`),
		"messages: an image":               claude(`{"type":"image","source":{"type":"file","file_id":"%s"}}`),
		"messages: for the container":      claude(`{"type":"container_upload","file_id":"%s"}`),
		"messages: a document of blocks":   claude(`{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"file","file_id":"%s"}}]}}`),
		"messages: in a tool's answer":     claude(`{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"file","file_id":"%s"}}]}`),
		"messages: for it in an answer":    claude(`{"type":"tool_result","tool_use_id":"t","content":[{"type":"container_upload","file_id":"%s"}]}`),
		"messages: deep in an answer":      claude(`{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"file","file_id":"%s"}}]}}]}`),
		"messages: what was fetched":       claude(`{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"web_fetch_result","content":{"type":"document","source":{"type":"file","file_id":"%s"}}}}`),
		"messages: what was fetched, bare": claude(`{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"document","source":{"type":"file","file_id":"%s"}}}`),
		"messages: a container":            {"/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"container":"%s"}`, "container_7Foreign"},
		"messages: a container's id":       {"/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"container":{"id":"%s"}}`, "container_7Foreign"},
		"messages: a skill":                {"/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"container":{"skills":[{"type":"custom","skill_id":"%s"}]}}`, "skill_7Foreign"},
		"messages: a count":                {"/v1/messages/count_tokens", `{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"%s"}}]}]}`, "file_7Foreign"},
		"gemini: a file":                   part(`{` + file + `}`),
		"gemini: underscores":              part(`{"file_data":{"mime_type":"image/png","file_uri":"https://generativelanguage.googleapis.com/v1beta/%s"}}`),
		"gemini: a bucket":                 {"/v1beta/models/m:streamGenerateContent", `{"contents":{"parts":{` + file + `}}}`, "gs://bucket/7foreign"},
		"gemini: in a function's answer":   part(`{"functionResponse":{"name":"f","response":{},"parts":[{` + file + `}]}}`),
		"gemini: in the instruction":       gem(`"systemInstruction":{"parts":[{"fileData":{"fileUri":"files/%s"}}]}`),
		"gemini: a cached content":         gem(`"cachedContent":"projects/p/locations/l/%s"`),
		"gemini: a store of files":         gem(`"tools":[{"fileSearch":{"fileSearchStoreNames":["%s"]}}]`),
		"gemini: a corpus":                 gem(`"tools":[{"retrieval":{"vertexRagStore":{"ragCorpora":["%s"]}}}]`),
		"gemini: a corpus as a resource":   gem(`"tools":[{"retrieval":{"vertexRagStore":{"ragResources":[{"ragCorpus":"%s"}]}}}]`),
		"gemini: files of a corpus":        gem(`"tools":[{"retrieval":{"vertexRagStore":{"ragResources":[{"ragFileIds":["%s"]}]}}}]`),
		"gemini: a data store":             gem(`"tools":[{"retrieval":{"vertexAiSearch":{"datastore":"%s"}}}]`),
		"gemini: an engine":                gem(`"tools":[{"retrieval":{"vertexAiSearch":{"engine":"%s"}}}]`),
		"gemini: data stores":              gem(`"tools":[{"retrieval":{"vertexAiSearch":{"dataStoreSpecs":[{"dataStore":"%s"}]}}}]`),
		"gemini: a count":                  {"/v1beta/models/m:countTokens", `{"generateContentRequest":{"contents":[{"parts":[{` + file + `}]}]}}`, "files/7foreign"},
		"gemini: an embedding":             {"/v1beta/models/m:embedContent", `{"content":{"parts":[{` + file + `}]}}`, "files/7foreign"},
		"gemini: embeddings":               {"/v1beta/models/m:batchEmbedContents", `{"requests":[{"content":{"parts":[{` + file + `}]}}]}`, "files/7foreign"},
		"gemini: an image by address":      {"/v1beta/models/m:predict", `{"instances":[{"prompt":"x","image":{"gcsUri":"%s"}}]}`, "gs://bucket/7foreign"},
		"gemini: an image to change":       {"/v1beta/models/m:predict", `{"instances":[{"prompt":"x","referenceImages":[{"referenceId":1,"referenceImage":{"gcsUri":"%s"}}]}]}`, "gs://bucket/7foreign"},
		"gemini: where images are put":     {"/v1beta/models/m:predict", `{"instances":[{"prompt":"x"}],"parameters":{"storageUri":"%s"}}`, "gs://bucket/7foreign"},
		"converse: an image":               aws(`{"image":{"format":"png",` + s3 + `}}`),
		"converse: a document":             aws(`{"document":{"format":"pdf","name":"n",` + s3 + `}}`),
		"converse: a video":                aws(`{"video":{"format":"mp4",` + s3 + `}}`),
		"converse: sound":                  aws(`{"audio":{"format":"wav",` + s3 + `}}`),
		"converse: in a tool's answer":     aws(`{"toolResult":{"toolUseId":"t","content":[{"image":{"format":"png",` + s3 + `}}]}}`),
		"converse: a tool's document":      aws(`{"toolResult":{"toolUseId":"t","content":[{"document":{"format":"pdf","name":"n",` + s3 + `}}]}}`),
		"converse: a tool's video":         aws(`{"toolResult":{"toolUseId":"t","content":[{"video":{"format":"mp4",` + s3 + `}}]}}`),
		"converse: a tool's sound":         aws(`{"toolResult":{"toolUseId":"t","content":[{"audio":{"format":"wav",` + s3 + `}}]}}`),
		"converse: a count":                {"/model/m/count-tokens", `{"input":{"converse":{"messages":[{"role":"user","content":[{"image":{"format":"png",` + s3 + `}}]}]}}}`, "s3://bucket/7foreign"},
		"cohere-v1: a conversation":        {"/cohere/v1/chat", `{"model":"m","message":"x","conversation_id":"%s"}`, "conversation-7Foreign"},
		"cohere-v1: a connector":           {"/cohere/v1/chat", `{"model":"m","message":"x","connectors":[{"id":"web-search"},{"id":"%s"}]}`, "connector-7Foreign"},
		"invoke: Claude":                   {"/model/m/invoke", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"%s"}}]}]}`, "file_7Foreign"},
		"vertex: Claude":                   {"/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", `{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"%s"}}]}]}`, "file_7Foreign"},
	}
}

func claimWorld(t *testing.T) (*world, *testkit.Upstream, *testkit.Upstream, owners) {
	t.Helper()
	a, b := testkit.NewUpstream(t), testkit.NewUpstream(t)
	own := owners{openDB(t, t.TempDir()+"/plenum.db")}
	yaml := strings.ReplaceAll(claimDeployments, ", settings: {dialect: all}", "")
	w := newWorld(t, Mechanisms{Owners: own}, yaml, a.URL, b.URL)
	w.withKeys(fmt.Sprintf(yaml, a.URL, b.URL))
	return w, a, b, own
}

// make notes a thing as a project's, at connection a.
func (o owners) make(t *testing.T, project, id string) {
	t.Helper()
	if err := o.Note(t.Context(), plenum.Principal{Project: project, KeyID: "k"}, "files", id, claim.Thing{Deployment: "m", Connection: "a"}); err != nil {
		t.Fatal(err)
	}
}

func TestCase_I10_ARequestNamesOnlyWhatItsProjectOwns(t *testing.T) {
	w, a, b, own := claimWorld(t)
	for name, x := range namingCases() {
		body := fmt.Sprintf(strings.ReplaceAll(x.body, `files/%s`, `%s`), x.id)
		for whose, setUp := range map[string]func(){"nobody's": func() {}, "another's": func() { own.make(t, "elsewhere", x.id) }} {
			setUp()
			resp, got := w.post(x.path, body, "Content-Type", "application/json")
			if resp.StatusCode != http.StatusNotFound || !strings.Contains(got, "for this project") {
				t.Errorf("%s, %s: %d %s", name, whose, resp.StatusCode, got)
			}
		}
		if err := own.Disown(t.Context(), x.id); err != nil {
			t.Fatal(err)
		}
	}
	if a.Count()+b.Count() != 0 {
		t.Errorf("%d of these reached an upstream", a.Count()+b.Count())
	}
}

// TestCase_I10_EveryMemberOfEveryDialectIsTried holds the table of cases against what the dialects say: no member is
// without a case, and no dialect without members but those that can name nothing.
func TestCase_I10_EveryMemberOfEveryDialectIsTried(t *testing.T) {
	speakers := map[string]string{"chat": "openai", "speech": "openai", "image edit": "openai", "messages": "anthropic"}
	for _, d := range all.Dialects() {
		if d.Names == nil {
			if !slices.Contains([]string{"ollama", "ollama-generate", "cohere", "cohere-generate", "completions", "fim", "invoke", "xaigrpc"}, d.Name) {
				t.Errorf("%s does not say what its requests name", d.Name)
			}
			continue
		}
		hit := map[string]bool{}
		for name, x := range namingCases() {
			speaker, _, _ := strings.Cut(name, ":")
			if speaker != d.Name && speakers[speaker] != d.Name {
				continue
			}
			in := dialect.Inbound{Body: fmt.Appendf(nil, x.body, x.id)}
			for _, n := range d.Names.Read(in).Things {
				if strings.HasSuffix(n.ID, x.id) {
					hit[plainly(n.Param)] = true
				}
			}
		}
		for _, m := range d.Names.Members() {
			if m.Brings == nil && !hit[plainly(m.Param())] {
				t.Errorf("%s: no case names something at %s", d.Name, m.Path)
			}
		}
	}
}

// TestCase_I10_EveryDoorOfADialectLooks calls at every route that chat completions have, whoever they are for.
func TestCase_I10_EveryDoorOfADialectLooks(t *testing.T) {
	body := []byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-7Foreign"}}]}]}`)
	for _, d := range all.Dialects() {
		for _, r := range d.Routes {
			if d.Name != "openai" || r.Op != llm.OpGenerate {
				continue
			}
			if h, err := r.Codec.Peek(dialect.Inbound{Body: body}, dialect.Bounds{}); err != nil || len(h.Names.Things) != 1 {
				t.Errorf("%s: %v %v", r.Pattern, h.Names, err)
			}
		}
	}
}

// plainly returns a member without what several members have it below, or in how it is spelled.
func plainly(param string) string {
	param = strings.ToLower(strings.ReplaceAll(param, "_", ""))
	return strings.NewReplacer("generatecontentrequest.", "", "input.converse.", "", "input[].tools[]", "tools[]").Replace(param)
}

func TestWhatAProjectOwnsIsAskedForWhereItIs(t *testing.T) {
	w, a, b, own := claimWorld(t)
	a.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(plainAnswer) })
	b.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(plainAnswer) })
	own.make(t, "default", "file-1Mine")
	named := `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1Mine"}}]}]}`
	for name, body := range map[string]string{
		"its own": named, "shared": `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"file_search","vector_store_ids":["vs_shared1"]}]}`,
		"unknown, and allowed":           strings.NewReplacer("file-1Mine", "file-9Unknown", `"m"`, `"open"`).Replace(named),
		"a tool's arguments, not a name": `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"file_id\":\"file-7Foreign\"}"}}]},{"role":"tool","tool_call_id":"c","content":"file-7Foreign"}]}`,
	} {
		before := a.Count()
		resp, got := w.post("/v1/chat/completions", body)
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
		if name == "its own" && a.Count() != before+1 {
			t.Errorf("what is at a was asked for elsewhere")
		}
	}
	own.make(t, "elsewhere", "file-7Foreign")
	for name, body := range map[string]string{
		"another's, though unknown ones are allowed": strings.NewReplacer("file-1Mine", "file-7Foreign", `"m"`, `"open"`).Replace(named),
		"at a place that is no target":               strings.Replace(named, "file-1Mine", "file-2Mine", 1),
		"too many":                                   `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"file_search","vector_store_ids":[` + strings.Join(manyIDs(2001), ",") + `]}]}`,
	} {
		if err := own.Note(t.Context(), plenum.Principal{Project: "default", KeyID: "k"}, "files", "file-2Mine", claim.Thing{Deployment: "m", Connection: "gone"}); err != nil {
			t.Fatal(err)
		}
		if resp, got := w.post("/v1/chat/completions", body); resp.StatusCode != 404 && resp.StatusCode != 400 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
}

const plainAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`

func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"vs_%d"`, i)
	}
	return ids
}

func TestWhatAVendorMakesForACallerIsTheirs(t *testing.T) {
	w, a, _, _ := claimWorld(t)
	first := `{"model":"open","messages":[{"role":"user","content":"x"}],"modalities":["text","audio"],"audio":{"voice":"v","format":"wav"}}`
	a.Handle(func(*testkit.Request) testkit.Answer {
		return testkit.JSON(strings.Replace(plainAnswer, `"content":"Hi"`, `"content":null,"audio":{"id":"audio_1Made","data":"AA=="}`, 1))
	})
	if resp, got := w.post("/v1/chat/completions", first); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	second := `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","audio":{"id":"audio_1Made"}},{"role":"user","content":"y"}]}`
	if resp, got := w.post("/v1/chat/completions", second); resp.StatusCode != 200 {
		t.Errorf("the next turn: %d %s", resp.StatusCode, got)
	}
	for _, model := range []string{"m", "open"} {
		body := strings.Replace(second, `"m"`, `"`+model+`"`, 1)
		if resp, got := w.post("/v1/chat/completions", body, "Authorization", another); resp.StatusCode != 404 {
			t.Errorf("another's next turn with %s: %d %s", model, resp.StatusCode, got)
		}
	}
}

func TestABatchLineThatNamesWhatIsAnothersFails(t *testing.T) {
	a := testkit.NewUpstream(t)
	a.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(plainAnswer) })
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, a.URL)
	b := w.start(chatLine("good", "x") + strings.Replace(chatLine("bad", "x"), `"content":"x"`, `"content":[{"type":"file","file":{"file_id":"file-7Foreign"}}]`, 1))
	b = w.wait(b.ID, "completed", "failed")
	if b.Counts.Failed != 1 || b.Counts.Completed != 1 {
		t.Errorf("%+v", b)
	}
	if _, got := w.do("GET", "/v1/files/"+b.Errors+"/content"); !strings.Contains(got, "for this project") || !strings.Contains(got, `"status_code":404`) {
		t.Errorf("the error file: %s", got)
	}
}

func TestAMessageOfASessionThatNamesWhatIsAnothersIsRefused(t *testing.T) {
	v := newVoice(t, chatty, hello)
	db := openDB(t, t.TempDir()+"/plenum.db")
	w := newWorld(t, Mechanisms{Owners: owners{db}}, oneTarget, v.URL)
	s := w.session()
	s.until("session.created")
	for i, message := range []string{
		`{"event_id":"%d","type":"session.update","session":{"tools":[{"type":"file_search","vector_store_ids":["vs_7Foreign"]}]}}`,
		`{"event_id":"%d","type":"session.update","session":{"prompt":{"id":"pmpt_7"}}}`,
		`{"event_id":"%d","type":"session.update","session":{"prompt":{"variables":{"x":{"file_id":"f"}}}}}`,
		`{"event_id":"%d","type":"session.update","session":{"voice":{"id":"voice_7"}}}`,
		`{"event_id":"%d","type":"session.update","session":{"audio":{"output":{"voice":{"id":"voice_7"}}}}}`,
		`{"event_id":"%d","type":"session.update","session":{"tools":[{"type":"mcp","tunnel_id":"t"}]}}`,
		`{"event_id":"%d","type":"session.update","session":{"tools":[{"type":"mcp","connector_id":"mine"}]}}`,
		`{"event_id":"%d","type":"session.update","session":{"tools":[{"type":"x","collection_ids":["c"]}]}}`,
		`{"event_id":"%d","type":"response.create","response":{"prompt":{"id":"pmpt_7"}}}`,
		`{"event_id":"%d","type":"response.create","response":{"input":[{"type":"message","content":[{"type":"input_image","file_id":"file-7"}]}]}}`,
		`{"event_id":"%d","type":"conversation.item.create","item":{"type":"message","content":[{"type":"input_image","file_id":"file-7"}]}}`,
	} {
		s.say(fmt.Sprintf(message, i))
		got := s.until(`"event_id":"` + fmt.Sprint(i) + `"`)
		if last := got[len(got)-1]; !strings.Contains(last, `"type":"error"`) || !strings.Contains(last, "for this project") {
			t.Errorf("%s: %s", message, last)
		}
	}
	s.say(`{"type":"session.update","session":{"tools":[{"type":"mcp","connector_id":"connector_dropbox"}]}}`)
	s.say(`{"type":"response.create"}`)
	s.until("response.done")
	if heard := v.said(); len(heard) != 2 {
		t.Errorf("the upstream heard %q", heard)
	}
}
