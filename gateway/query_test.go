package gateway

import "testing"

func TestWithQuery(t *testing.T) {
	for _, c := range []struct{ name, address, query, want string }{
		{"none", "http://h/p", "", "http://h/p"},
		{"the address's own alone", "http://h/p?api-version=1", "", "http://h/p?api-version=1"},
		{"as it came", "http://h/p", "beta=true&x=%20%2f+&empty=&bare&x=2", "http://h/p?beta=true&x=%20%2f+&empty=&bare&x=2"},
		{"after the address's own", "http://h/p?api-version=1", "beta=true", "http://h/p?api-version=1&beta=true"},
		{"the address wins", "http://h/p?api-version=1", "api-version=2&beta=true&API-Version=3&api%2Dversion=4", "http://h/p?api-version=1&beta=true"},
		{"credentials stay", "http://h/p", "api_key=s&beta=true&KEY=s&%6bey=s&x-api-key=s&access_token=s&X-Amz-Signature=s", "http://h/p?beta=true"},
		{"behind a semicolon too", "http://h/p", "a=1;key=s;b=2", "http://h/p?a=1&b=2"},
		{"nothing is left", "http://h/p", "key=s", "http://h/p"},
		{"what is not fit", "http://h/p", "a b=1&%zz=2&c=\r\n&d=1", "http://h/p?d=1"},
	} {
		if got := withQuery(c.address, c.query); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func BenchmarkWithQuery(b *testing.B) {
	for b.Loop() {
		withQuery("http://h/p", "beta=true")
	}
}
