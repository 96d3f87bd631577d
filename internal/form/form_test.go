package form_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/form"
)

const boundary = "xYzZY"

const contentType = `multipart/form-data; boundary="` + boundary + `"`

func sample() string {
	return strings.ReplaceAll("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"+
		"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.wav\"\r\nContent-Type: audio/wav\r\n\r\n\x00\r\n--Bx\xff\r\n\r\n"+
		"--B\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--B--\r\n", "--B", "--"+boundary)
}

func TestParse(t *testing.T) {
	f, err := form.Parse([]byte(sample()), contentType)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Parts) != 3 {
		t.Fatalf("%d parts", len(f.Parts))
	}
	if v, ok := f.Value("model"); v != "m" || !ok {
		t.Errorf("model is %q", v)
	}
	if v, ok := f.Value("empty"); v != "" || !ok {
		t.Errorf("empty is %q", v)
	}
	file := f.Parts[1]
	if file.File != "a b.wav" || file.Type != "audio/wav" || string(f.Content(file)) != "\x00\r\n--"+boundary+"x\xff\r\n" {
		t.Errorf("the file is %+v %q", file, f.Content(file))
	}
}

func TestApply(t *testing.T) {
	f, err := form.Parse([]byte(sample()), contentType)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		edit form.Edit
		want string
	}{
		{form.Edit{}, sample()},
		{form.Edit{Set: map[string]string{"model": "longer name"}}, strings.Replace(sample(), "\r\nm\r\n", "\r\nlonger name\r\n", 1)},
		{form.Edit{Set: map[string]string{"empty": "x"}}, strings.Replace(sample(), "\"empty\"\r\n\r\n\r\n", "\"empty\"\r\n\r\nx\r\n", 1)},
		{form.Edit{Drop: []string{"model"}}, sample()[strings.Index(sample()[3:], "--")+3:]},
		{form.Edit{Set: map[string]string{"new": "v"}}, strings.Replace(sample(), "--"+boundary+"--", "--"+boundary+"\r\nContent-Disposition: form-data; name=\"new\"\r\n\r\nv\r\n--"+boundary+"--", 1)},
	} {
		if got := string(f.Apply(nil, x.edit)); got != x.want {
			t.Errorf("%+v:\n%q\n%q", x.edit, got, x.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{"", "--" + boundary, "--" + boundary + "\r\n", "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx", "--" + boundary + "\r\n\r\nx\r\n--" + boundary + "--"} {
		if _, err := form.Parse([]byte(body), contentType); err == nil {
			t.Errorf("%q was taken", body)
		}
	}
	for _, ct := range []string{"", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"} {
		if _, err := form.Parse([]byte(sample()), ct); err == nil {
			t.Errorf("%q was taken", ct)
		}
	}
	many := strings.Repeat("--"+boundary+"\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n", 300) + "--" + boundary + "--\r\n"
	if _, err := form.Parse([]byte(many), contentType); err == nil {
		t.Error("300 parts were taken")
	}
}

// What is taken is read alike by the standard library, also after an edit.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample()))
	f.Add([]byte("--" + boundary + "\r\n\r\nx\r\n--" + boundary + "--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := form.Parse(body, contentType)
		if err != nil {
			return
		}
		if got := x.Apply(nil, form.Edit{}); !bytes.Equal(got, body) {
			t.Fatalf("%q became %q", body, got)
		}
		edited := x.Apply(nil, form.Edit{Set: map[string]string{"model": "up"}})
		again, err := form.Parse(edited, contentType)
		if err != nil {
			t.Fatalf("%q: %v", edited, err)
		}
		if v, _ := again.Value("model"); v != "up" && again.Count("model") < 2 {
			t.Fatalf("%q: the model is %q", edited, v)
		}
	})
}

func TestReadsWhatTheStandardLibraryWrites(t *testing.T) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", `ä"b.mp3`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, "sound"); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteField("model", "m"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := form.Parse(b.Bytes(), w.FormDataContentType())
	if err != nil {
		t.Fatal(err)
	}
	if f.Parts[0].File != `ä"b.mp3` || string(f.Content(f.Parts[0])) != "sound" {
		t.Errorf("%+v", f.Parts[0])
	}
}
