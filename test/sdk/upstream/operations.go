package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
)

// operations answers OpenAI's operations besides chat, and hands all else on. It is as strict as the rest.
func operations(rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest)
	for path, answer := range map[string]func(*http.Request) (media, body string, err error){
		"POST /v1/embeddings":           embeddings,
		"POST /v1/rerank":               ranking,
		"POST /v1/moderations":          moderation,
		"POST /v1/images/generations":   images,
		"POST /v1/images/edits":         editedImage,
		"POST /v1/audio/speech":         speech,
		"POST /v1/audio/transcriptions": transcript,
		"POST /v1/audio/translations":   transcript,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+vendorKey {
				http.Error(w, `{"error":{"message":"Incorrect API key provided."}}`, http.StatusUnauthorized)
				return
			}
			media, body, err := answer(r)
			if err != nil {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				text, _ := json.Marshal(map[string]any{"error": map[string]any{"message": err.Error(), "type": "invalid_request_error"}})
				_, _ = w.Write(text)
				return
			}
			w.Header().Set("Content-Type", media)
			_, _ = io.WriteString(w, body)
		})
	}
	return mux
}

// decode reads a body that must have no other members than into has.
func decode(r *http.Request, into any) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("the content type is %q", r.Header.Get("Content-Type"))
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func embeddings(r *http.Request) (media, body string, err error) {
	var q struct {
		Model          string `json:"model"`
		Input          any    `json:"input"`
		EncodingFormat string `json:"encoding_format"`
		Dimensions     int    `json:"dimensions"`
		User           string `json:"user"`
	}
	if err := decode(r, &q); err != nil {
		return "", "", err
	}
	list, ok := q.Input.([]any)
	if !ok {
		list = []any{q.Input}
	}
	var data []any
	for i, x := range list {
		text, ok := x.(string)
		if !ok {
			return "", "", fmt.Errorf("input %d is no text", i)
		}
		vector := []float32{0.5, -1.25, float32(len(text))}
		var said any = vector
		if q.EncodingFormat == "base64" {
			var raw []byte
			for _, f := range vector {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
			}
			said = base64.StdEncoding.EncodeToString(raw)
		}
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": said})
	}
	return say(map[string]any{"object": "list", "data": data, "model": q.Model, "usage": map[string]any{"prompt_tokens": 7, "total_tokens": 7}})
}

func say(v any) (media, body string, err error) {
	text, err := json.Marshal(v)
	return "application/json", string(text), err
}

func ranking(r *http.Request) (media, body string, err error) {
	var q struct {
		Model     string   `json:"model"`
		Query     string   `json:"query"`
		Documents []string `json:"documents"`
		TopN      int      `json:"top_n"`
	}
	if err := decode(r, &q); err != nil {
		return "", "", err
	}
	var results []any
	for i, d := range q.Documents {
		if strings.Contains(d, q.Query) && (q.TopN == 0 || len(results) < q.TopN) {
			results = append(results, map[string]any{"index": i, "relevance_score": 0.75})
		}
	}
	return say(map[string]any{"model": q.Model, "results": results, "usage": map[string]any{"total_tokens": 9}})
}

func moderation(r *http.Request) (media, body string, err error) {
	var q struct {
		Model string `json:"model"`
		Input any    `json:"input"`
	}
	if err := decode(r, &q); err != nil {
		return "", "", err
	}
	bad := strings.Contains(fmt.Sprint(q.Input), "hate")
	return say(map[string]any{"id": "modr-1", "model": q.Model, "results": []any{map[string]any{
		"flagged": bad, "categories": map[string]any{"hate": bad}, "category_scores": map[string]any{"hate": 0.9},
		"category_applied_input_types": map[string]any{"hate": []string{"text"}},
	}}})
}

const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"

func images(r *http.Request) (media, body string, err error) {
	var q struct {
		Model         string `json:"model"`
		Prompt        string `json:"prompt"`
		N             int    `json:"n"`
		Size          string `json:"size"`
		Stream        bool   `json:"stream"`
		PartialImages int    `json:"partial_images"`
		Format        string `json:"response_format"`
		User          string `json:"user"`
	}
	if err := decode(r, &q); err != nil {
		return "", "", err
	}
	if q.Stream {
		return "text/event-stream", "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"partial_image_index\":0,\"b64_json\":\"" + onePixel + "\"}\n\n" +
			"event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"" + onePixel + "\",\"usage\":{\"input_tokens\":5,\"output_tokens\":9,\"total_tokens\":14}}\n\n", nil
	}
	var data []any
	for i := range max(1, q.N) {
		if q.Format == "url" {
			data = append(data, map[string]any{"url": fmt.Sprintf("https://images.example.com/%d.png", i)})
			continue
		}
		data = append(data, map[string]any{"b64_json": onePixel})
	}
	return say(map[string]any{"created": 1, "data": data, "usage": map[string]any{"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}})
}

// formFile returns the bytes of a file of a form.
func formFile(r *http.Request, name string) ([]byte, error) {
	f, _, err := r.FormFile(name)
	if err != nil {
		return nil, fmt.Errorf("the form's %s: %w", name, err)
	}
	defer f.Close()
	return io.ReadAll(f)
}

func editedImage(r *http.Request) (media, body string, err error) {
	b, err := formFile(r, "image")
	if err != nil {
		return "", "", err
	}
	return say(map[string]any{"created": 1, "data": []any{map[string]any{"b64_json": base64.StdEncoding.EncodeToString(b)}}})
}

func speech(r *http.Request) (media, body string, err error) {
	var q struct {
		Model          string `json:"model"`
		Input          string `json:"input"`
		Voice          string `json:"voice"`
		ResponseFormat string `json:"response_format"`
	}
	if err := decode(r, &q); err != nil {
		return "", "", err
	}
	return "audio/wav", "RIFF\x00\xff" + q.Input, nil
}

func transcript(r *http.Request) (media, body string, err error) {
	b, err := formFile(r, "file")
	if err != nil {
		return "", "", err
	}
	text := fmt.Sprintf("%d bytes for %s", len(b), r.FormValue("model"))
	switch {
	case r.FormValue("stream") == "true":
		delta, _ := json.Marshal(map[string]any{"type": "transcript.text.delta", "delta": text})
		done, _ := json.Marshal(map[string]any{"type": "transcript.text.done", "text": text, "usage": map[string]any{"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19}})
		return "text/event-stream", "data: " + string(delta) + "\n\ndata: " + string(done) + "\n\n", nil
	case r.FormValue("response_format") == "text":
		return "text/plain; charset=utf-8", text + "\n", nil
	}
	return say(map[string]any{"text": text, "usage": map[string]any{"type": "duration", "seconds": 3}})
}
