package gemini

import "testing"

func TestAnAddressIsThatOfAFileOrAnyones(t *testing.T) {
	for uri, want := range map[string]string{
		"files/abc": "files/abc",
		"https://generativelanguage.googleapis.com/v1beta/files/abc":       "files/abc",
		"HTTPS://GenerativeLanguage.GoogleApis.com.:443/v1beta//files/abc": "files/abc",
		"https://generativelanguage.googleapis.com/v1beta/x/abc":           "https://generativelanguage.googleapis.com/v1beta/x/abc",
		"gs://bucket/a.png":                               "gs://bucket/a.png",
		"https://www.youtube.com/watch?v=1":               "",
		"https://storage.googleapis.com/public/a.png?s=1": "",
		" https://generativelanguage.googleapis.com/x":    " https://generativelanguage.googleapis.com/x",
	} {
		if got := fileOf(uri); got != want {
			t.Errorf("%q names %q, want %q", uri, got, want)
		}
	}
	if got := lastTwo("projects/p/locations/l/cachedContents/7"); got != "cachedContents/7" {
		t.Errorf("a cached content is %q", got)
	}
}
