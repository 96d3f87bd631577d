package resolve

import (
	"encoding/json"
	"strings"
)

// numbered returns the ids in a body that look like nothing but numbers, as Mistral's libraries and conversations are
// called (UUIDs): they are known by the name of the member that they stand in. What callers keep for themselves may be a
// UUID as well.
func numbered(body []byte) []string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil // whoever reads it says so
	}
	var out []string
	walkIDs("", v, &out)
	return out
}

func walkIDs(key string, v any, out *[]string) {
	switch v := v.(type) {
	case string:
		if (strings.HasSuffix(key, "_id") || strings.HasSuffix(key, "_ids") || key == "handoffs") && isUUID(v) {
			*out = append(*out, v)
		}
	case []any:
		for _, x := range v {
			walkIDs(key, x, out)
		}
	case map[string]any:
		for k, x := range v {
			if k != "metadata" {
				walkIDs(k, x, out)
			}
		}
	}
}

// isUUID reports whether a text is a UUID, in its usual form.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
