package gemini

import (
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
)

// naming says what requests name that Google keeps: files, cached contents, stores and corpora that are searched. A
// request for a count or for embeddings has the same parts in other places. Each name is understood in camel case and
// with underscores, and where there may be a list a single one is as good.
func naming() *dialect.Naming {
	const parts = "parts.+.fileData.fileUri"
	var asks []dialect.NamingMember
	add := func(id func(string) string, paths ...string) {
		for _, p := range paths {
			for _, said := range spellings(p) {
				asks = append(asks, dialect.NamingMember{Path: said, ID: id})
			}
		}
	}
	for _, in := range [...]string{"", noteWrapped + "."} {
		add(fileOf, in+"contents.+."+parts, in+"contents.+.parts.+.functionResponse."+parts, in+"systemInstruction."+parts)
		add(lastTwo, in+"cachedContent")
		tool := in + "tools.+."
		add(lastTwo, tool+"fileSearch.fileSearchStoreNames.+", tool+"retrieval.vertexRagStore.ragCorpora.+", tool+"retrieval.vertexRagStore.ragResources.+.ragCorpus")
		add(nil, tool+"retrieval.vertexRagStore.ragResources.+.ragFileIds.+", tool+"retrieval.vertexAiSearch.datastore",
			tool+"retrieval.vertexAiSearch.engine", tool+"retrieval.vertexAiSearch.dataStoreSpecs.+.dataStore")
	}
	add(fileOf, "content."+parts, "requests.+.content."+parts)
	add(fileOf, "instances.+.image.gcsUri", "instances.+.referenceImages.+.referenceImage.gcsUri", "parameters.storageUri")
	return dialect.NewNaming(asks, nil)
}

// spellings returns a path with each of its words in both spellings.
func spellings(path string) []string {
	out := []string{""}
	for step := range strings.SplitSeq(path, ".") {
		words := []string{step}
		if s := snake(step); s != step {
			words = append(words, s)
		}
		var longer []string
		for _, o := range out {
			for _, w := range words {
				longer = append(longer, strings.TrimPrefix(o+"."+w, "."))
			}
		}
		out = longer
	}
	return out
}

// fileOf returns the file that is meant by an address: one of the Files API by its name, "files/abc", one in a bucket
// by its address. What anyone may fetch, such as a video at YouTube, is nobody's.
func fileOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	switch host := strings.TrimRight(strings.ToLower(u.Hostname()), "."); {
	case u.Scheme == "" || u.Scheme != "http" && u.Scheme != "https":
		return uri
	case !strings.HasSuffix(host, "googleapis.com") || host == "storage.googleapis.com":
		return ""
	}
	if name := lastTwo(u.Path); strings.HasPrefix(name, "files/") {
		return name
	}
	return uri
}

// lastTwo returns the last two segments of a resource's name: "cachedContents/abc" of a longer one with a project.
func lastTwo(name string) string {
	segments := strings.Split(strings.Trim(name, "/"), "/")
	return strings.Join(segments[max(0, len(segments)-2):], "/")
}
