package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
)

// openAPI returns the description of the API (OpenAPI 3.1), made from the table of its operations.
func (s *Server) openAPI() []byte {
	paths := map[string]map[string]any{}
	for _, o := range s.operations {
		path := Prefix + o.path
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(o.method)] = o.described()
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Plenum management API", "version": plenum.Version,
			"description": "What is declared, keys, what was called and what it cost. What a configuration file declares is read only here.",
		},
		"paths":    paths,
		"security": []any{map[string]any{"key": []string{}}},
		"components": map[string]any{
			"securitySchemes": map[string]any{"key": map[string]any{
				"type": "http", "scheme": "bearer", "description": "The admin key, or a key of the management API, whose member's roles count.",
			}},
			"schemas": map[string]any{"Problem": schemaOf(reflect.TypeFor[Problem]()), "Price": structSchema(reflect.TypeFor[catalog.Price]())},
		},
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("admin: describing the API: " + err.Error())
	}
	return append(b, '\n')
}

// described returns an operation as OpenAPI describes it.
func (o *operation) described() map[string]any {
	out := map[string]any{"operationId": o.id, "summary": o.summary, "tags": []string{o.noun}}
	if params := o.parameters(); len(params) > 0 {
		out["parameters"] = params
	}
	if o.body != nil {
		media := "application/json"
		if o.patch {
			media = "application/merge-patch+json"
		}
		out["requestBody"] = map[string]any{"required": true, "content": map[string]any{media: map[string]any{"schema": o.body}}}
	}
	answers := map[string]any{}
	for status, schema := range o.answers {
		answers[strconv.Itoa(status)] = o.answer(status, schema)
	}
	if o.etag && o.method == http.MethodGet {
		answers["304"] = map[string]any{"description": "It is as If-None-Match says."}
	}
	problem := map[string]any{"application/problem+json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}}}
	for _, status := range o.refusals() {
		answers[strconv.Itoa(status)] = map[string]any{"description": http.StatusText(status), "content": problem}
	}
	out["responses"] = answers
	return out
}

func (o *operation) answer(status int, schema map[string]any) map[string]any {
	answer := map[string]any{"description": http.StatusText(status)}
	content := map[string]any{}
	if schema != nil {
		content["application/json"] = map[string]any{"schema": schema}
	}
	if o.csv {
		content["text/csv"] = map[string]any{"schema": map[string]any{"type": "string"}}
	}
	if len(content) > 0 {
		answer["content"] = content
	}
	if o.etag && status < 300 && schema != nil {
		answer["headers"] = map[string]any{"ETag": map[string]any{"description": "For If-Match.", "schema": map[string]any{"type": "string"}}}
	}
	return answer
}

// refusals are the statuses that an operation may be refused with.
func (o *operation) refusals() []int {
	out := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}
	if strings.Contains(o.path, "{") {
		out = append(out, http.StatusNotFound)
	}
	if o.body != nil {
		out = append(out, http.StatusRequestEntityTooLarge)
	}
	if o.verb == write || o.body != nil {
		out = append(out, http.StatusUnprocessableEntity)
	}
	if o.verb == write {
		out = append(out, http.StatusConflict)
	}
	if o.etag && o.verb == write {
		out = append(out, http.StatusPreconditionFailed)
	}
	return out
}

// parameters are those of the path, the query and the head.
func (o *operation) parameters() []any {
	var out []any
	text := map[string]any{"type": "string"}
	if strings.Contains(o.path, "{name}") {
		out = append(out, map[string]any{"name": "name", "in": "path", "required": true, "schema": map[string]any{"type": "string", "minLength": 1}})
	}
	for _, p := range o.query {
		out = append(out, map[string]any{"name": p.name, "in": "query", "description": p.doc, "schema": p.schema})
	}
	head := func(name, doc string) {
		out = append(out, map[string]any{"name": name, "in": "header", "description": doc, "schema": text})
	}
	if o.etag && o.verb == write {
		head("If-Match", "Only where it is still the one of this ETag.")
	}
	if o.etag && o.method == http.MethodGet {
		head("If-None-Match", "Only where it is another than the one of this ETag.")
	}
	if o.method == http.MethodPost {
		head("Idempotency-Key", "Sent again within 24 hours, the request is answered as it was and nothing is done twice.")
	}
	return out
}
