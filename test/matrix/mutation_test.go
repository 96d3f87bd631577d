package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// mutants returns copies of a body in each of which one member is not there, by its path without numbers.
func mutants(s sides.Side, body []byte) map[string][][]byte {
	out := map[string][][]byte{}
	if s.GRPC {
		cutFields(body, "", func(path string, mutant []byte) { out[path] = append(out[path], mutant) })
		return out
	}
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	cutMembers(v, "", func(path string) {
		b, err := json.Marshal(v)
		if err == nil {
			out[path] = append(out[path], b)
		}
	})
	return out
}

// cutMembers takes out one member after the other, and puts it back.
func cutMembers(v any, at string, visit func(path string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			x := v[k]
			delete(v, k)
			visit(at + "." + k)
			v[k] = x
			cutMembers(x, at+"."+k, visit)
		}
	case []any:
		for _, x := range v {
			cutMembers(x, at, visit)
		}
	}
}

// cutFields does the same to a message.
func cutFields(b []byte, at string, visit func(path string, mutant []byte)) {
	for rest := b; len(rest) > 0; {
		n, typ, size := protowire.ConsumeField(rest)
		if size < 0 {
			return
		}
		before, after := b[:len(b)-len(rest)], rest[size:]
		path := at + "." + strconv.Itoa(int(n))
		visit(path, slices.Concat(before, after))
		if inner, ok := message(rest[:size], typ); ok {
			cutFields(inner, path, func(path string, mutant []byte) {
				visit(path, slices.Concat(protowire.AppendBytes(protowire.AppendTag(slices.Clone(before), n, typ), mutant), after))
			})
		}
		rest = after
	}
}

// message returns what is within a field that looks like a message.
func message(field []byte, typ protowire.Type) ([]byte, bool) {
	if typ != protowire.BytesType {
		return nil, false
	}
	_, _, n := protowire.ConsumeTag(field)
	inner, size := protowire.ConsumeBytes(field[n:])
	if size < 0 || len(inner) == 0 {
		return nil, false
	}
	for rest := inner; len(rest) > 0; {
		n, _, size := protowire.ConsumeField(rest)
		if size < 0 || n > 40 {
			return nil, false
		}
		rest = rest[size:]
	}
	return inner, true
}

// same reports whether two meanings say the same, members without a word included.
func same(a, b dialecttest.Meaning) bool { return maps.Equal(a, b) }

// Whatever is said to a vendor, or to a caller, is missed when it is not there: what is written that nobody reads
// would not be seen to be wrong.
func TestEveryMemberThatIsSaidWouldBeMissed(t *testing.T) {
	w := newWorld(t)
	unread := map[string]map[string]int{}
	note := func(key, path string) {
		if unread[key] == nil {
			unread[key] = map[string]int{}
		}
		unread[key][path]++
	}
	missed := 0
	for _, f := range features() {
		for i, from := range w.sides {
			for _, d := range []int{0, 1, 4} { // each caller with three vendors, each vendor with three callers
				to := w.sides[(i+d)%len(w.sides)]
				x := w.cell(t, from, to, f, false)
				for _, body := range x.sc.bodies {
					codec, vars := to.Codec(x.model, false)
					read := func(b []byte) (dialecttest.Meaning, error) {
						p, err := codec.DecodeRequest(dialect.Inbound{Method: http.MethodPost, Path: to.Path(x.model, false), Vars: vars, Header: http.Header{}, Body: b})
						if err != nil {
							return nil, err
						}
						return dialecttest.Asked(p.(*llm.Request), false), nil
					}
					missed += unseen(to, body, read, func(path string) { note("asked of "+to.Name, path) })
				}
				for _, h := range x.heard {
					if h.answer == nil {
						continue
					}
					codec, _ := from.Codec(x.name(), false)
					read := func(b []byte) (dialecttest.Meaning, error) {
						res, err := codec.DecodeResponse(dialect.Reply{Status: 200, Header: http.Header{}, Body: b})
						if err != nil {
							return nil, err
						}
						return dialecttest.Answered(res.(*llm.Response)), nil
					}
					missed += unseen(from, unframed(from, h.body), read, func(path string) { note("answered by "+from.Name, path) })
				}
			}
		}
	}
	known := framing()
	for _, key := range slices.Sorted(maps.Keys(unread)) {
		for _, path := range slices.Sorted(maps.Keys(unread[key])) {
			if !frames(known[key], path) {
				t.Errorf("%s: nobody would see it if %s were not there (%d times)", key, path, unread[key][path])
			}
		}
	}
	t.Logf("%d members would be missed", missed)
}

// unseen tells of the members whose absence changes nothing of what is understood, and counts the others.
func unseen(s sides.Side, body []byte, read func([]byte) (dialecttest.Meaning, error), note func(path string)) (missed int) {
	whole, err := read(body)
	if err != nil {
		note(fmt.Sprintf("all of it: %v", err))
		return 0
	}
	for path, list := range mutants(s, body) {
		for _, mutant := range list {
			if got, err := read(mutant); err != nil || !same(whole, got) {
				missed++
			} else {
				note(strings.TrimPrefix(path, "."))
			}
		}
	}
	return missed
}

// framing are the members that only frame what is said: names, times, types that the place tells, totals of what is
// told in classes, words for what holds anyway, what repeats the request or the text, and places in the text. Those of
// them that must be right all the same are looked at by [cell.frame] and [needed]. Below what ends in * everything is.
func framing() map[string][]string {
	return map[string][]string{
		"answered by anthropic": strings.Fields(`
			content.citations.cited_text content.citations.encrypted_index content.citations.title content.input
			content.signature id model role stop_sequence type usage.cache_creation usage.cache_creation_input_tokens
			usage.cache_read_input_tokens usage.service_tier`),
		"answered by cohere": strings.Fields(`
			id message.citations.content_index message.citations.end message.citations.sources.document.id
			message.citations.sources.document.snippet message.citations.sources.id message.citations.sources.type
			message.citations.start message.citations.text message.citations.type message.content.reasoning_details.*
			message.role message.tool_calls.function.arguments message.tool_calls.type usage.billed_units`),
		"answered by converse": strings.Fields(`
			output.message.content.toolUse.input output.message.role serviceTier usage.totalTokens`),
		"answered by gemini": strings.Fields(`
			candidates.content.parts.functionCall.args candidates.content.parts.thought candidates.content.role candidates.index
			modelVersion responseId usageMetadata.promptTokensDetails.* usageMetadata.totalTokenCount`),
		"answered by ollama": strings.Fields(`
			created_at done_reason message.content message.reasoning_details.* message.role message.thinking
			message.tool_calls.function.arguments message.tool_calls.function.index model`),
		"answered by openai": strings.Fields(`
			choices.finish_reason choices.index choices.logprobs choices.message.annotations.type
			choices.message.annotations.url_citation.end_index choices.message.annotations.url_citation.start_index
			choices.message.annotations.url_citation.title choices.message.content choices.message.reasoning_content
			choices.message.reasoning_details.* choices.message.refusal choices.message.role
			choices.message.tool_calls.function.arguments choices.message.tool_calls.type created id model object service_tier
			usage.completion_tokens_details usage.completion_tokens_details.audio_tokens
			usage.completion_tokens_details.reasoning_tokens usage.prompt_tokens_details usage.prompt_tokens_details.audio_tokens
			usage.prompt_tokens_details.cached_tokens usage.total_tokens`),
		"answered by responses": strings.Fields(`
			background completed_at created_at error frequency_penalty id incomplete_details incomplete_details.reason
			instructions max_output_tokens max_tool_calls metadata model object output.arguments output.content.annotations
			output.content.annotations.end_index output.content.annotations.start_index output.content.annotations.title
			output.content.logprobs output.id output.role output.status parallel_tool_calls presence_penalty previous_response_id
			prompt_cache_key reasoning.* safety_identifier service_tier status store temperature text.* tool_choice.* tools.*
			top_logprobs top_p truncation usage.input_tokens_details usage.input_tokens_details.cache_write_tokens
			usage.input_tokens_details.cached_tokens usage.output_tokens_details usage.output_tokens_details.reasoning_tokens
			usage.total_tokens user`),
		"answered by xaigrpc": strings.Fields(`
			1 1.12 15 2.3.2 2.3.3.10.2 2.3.3.2 2.3.3.3 2.3.4 2.3.6.1 2.3.6.2 2.3.6.6 5 5.1 6 9.3 9.4`),
		"asked of anthropic": strings.Fields(`
			messages.content.cache_control.type output_config.format.type thinking.type tool_choice tools.input_schema`),
		"asked of cohere": strings.Fields(`
			messages.content.image_url.detail messages.tool_calls.type thinking.type tools.function.parameters tools.type`),
		"asked of converse": strings.Fields(`
			messages.content.cachePoint.type outputConfig.textFormat.structure.jsonSchema.name toolConfig.toolChoice
			toolConfig.tools.toolSpec.inputSchema`),
		"asked of gemini": strings.Fields(`
			contents.parts.functionResponse.id contents.parts.functionResponse.name contents.role
			generationConfig.responseMimeType toolConfig toolConfig.functionCallingConfig toolConfig.functionCallingConfig.mode
			tools.functionDeclarations.parametersJsonSchema`),
		"asked of ollama": strings.Fields(`
			messages.content messages.tool_call_id messages.tool_calls.function.index messages.tool_calls.id messages.tool_name stream
			tools.function.parameters tools.type`),
		"asked of openai": strings.Fields(`
			messages.content messages.content.image_url.detail messages.refusal messages.tool_calls.type
			response_format.json_schema.name response_format.json_schema.strict tool_choice tools.function.parameters
			tools.function.strict tools.type`),
		"asked of responses": strings.Fields(`
			include input.content.annotations input.content.detail input.content.logprobs input.id input.output.detail
			input.status input.summary input.type store text.format.name text.format.strict tool_choice tools.parameters
			tools.strict`),
		"asked of xaigrpc": strings.Fields(`
			1.1.2.2 1.3 1.4.2 1.4.3 1.7 17.1.4 18 18.1`),
	}
}

// frames reports whether a member only frames what is said.
func frames(list []string, path string) bool {
	return slices.ContainsFunc(list, func(known string) bool {
		whole, ok := strings.CutSuffix(known, ".*")
		return path == known || ok && (path == whole || strings.HasPrefix(path, whole+"."))
	})
}
