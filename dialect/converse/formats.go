package converse

import (
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// documents pairs the formats of documents with their media types.
func documents() [9][2]string {
	return [...][2]string{
		{"pdf", "application/pdf"},
		{"csv", "text/csv"},
		{"doc", "application/msword"},
		{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"xls", "application/vnd.ms-excel"},
		{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"html", "text/html"},
		{"txt", "text/plain"},
		{"md", "text/markdown"},
	}
}

// mimeOf returns the media type of a format.
func mimeOf(kind llm.MediaKind, format string) string {
	switch kind {
	case llm.Image:
		return "image/" + format
	case llm.Video:
		if format == "three_gp" {
			return "video/3gpp"
		}
		return "video/" + format
	case llm.Audio:
		return "audio/" + format
	}
	for _, d := range documents() {
		if d[0] == format {
			return d[1]
		}
	}
	return ""
}

// formatOf returns the word for a medium's type here, or "" where there is none.
func formatOf(b llm.Media) string {
	mime, _, _ := strings.Cut(strings.ToLower(b.MIME), ";")
	switch b.Kind {
	case llm.Image:
		switch f := strings.TrimPrefix(mime, "image/"); f {
		case "png", "jpeg", "gif", "webp":
			return f
		case "jpg":
			return "jpeg"
		}
		return ""
	case llm.Video:
		switch f := strings.TrimPrefix(mime, "video/"); f {
		case "mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv":
			return f
		case "3gpp":
			return "three_gp"
		case "quicktime":
			return "mov"
		}
		return ""
	case llm.Audio:
		if b.Format != "" {
			return b.Format
		}
		return strings.TrimPrefix(mime, "audio/")
	}
	for _, d := range documents() {
		if d[1] == mime {
			return d[0]
		}
	}
	return ""
}

// sniff returns the media type that the first bytes of base64 data tell, or what is said of it: the vendor
// refuses what is called by another name.
func sniff(b llm.Media) string {
	for _, known := range [...]struct{ start, mime string }{
		{"iVBORw0KGgo", "image/png"},
		{"/9j/", "image/jpeg"},
		{"R0lGOD", "image/gif"},
		{"JVBERi0", "application/pdf"},
	} {
		if strings.HasPrefix(b.Data, known.start) {
			return known.mime
		}
	}
	if strings.HasPrefix(b.Data, "UklGR") && len(b.Data) > 16 && b.Data[12:16] == "RUJQ" {
		return "image/webp"
	}
	return b.MIME
}

// documentName makes a name that the vendor takes: letters, digits, single spaces, hyphens, parentheses and
// brackets. Names in one request must differ.
func documentName(name string, taken map[string]int) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-()[]", r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	fit := strings.Join(strings.Fields(b.String()), " ")
	if fit == "" {
		fit = "document"
	}
	if len(fit) > 190 {
		fit = fit[:190]
	}
	taken[fit]++
	if n := taken[fit]; n > 1 {
		fit += " " + itoa(n)
	}
	return fit
}
