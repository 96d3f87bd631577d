package xaigrpc

import "github.com/plenum-foundry/plenum/dialect"

// naming collects what a request names that xAI keeps: files, collections, and an earlier answer.
type naming struct{ dialect.Names }

func (n *naming) add(param string, f field) {
	if len(f.data) > 0 {
		n.Things = append(n.Things, dialect.Named{ID: string(f.data), Param: param})
	}
}

// field looks into a field of the request. What is malformed is refused by whoever reads all of it.
func (n *naming) field(f field) {
	switch f.tag {
	case 1<<3 | chars:
		within(f, 1<<3|chars, n.content)
	case 17<<3 | chars:
		within(f, 6<<3|chars, func(search field) {
			within(search, 1<<3|chars, func(id field) { n.add("tools.collections_search.collection_ids", id) })
		})
	case 22<<3 | chars:
		n.add("previous_response_id", f)
	case 23<<3 | varint:
		n.Brings, n.By = f.val != 0, told{} // an answer that is stored can be gone on from
	}
}

func (n *naming) content(f field) {
	within(f, 2<<3|chars, func(image field) {
		within(image, 3<<3|chars, func(id field) { n.add("messages.content.image_url.file_id", id) })
	})
	within(f, 3<<3|chars, func(file field) {
		within(file, 1<<3|chars, func(id field) { n.add("messages.content.file.file_id", id) })
	})
}

// within visits the fields of a message that have a tag.
func within(f field, tag int, visit func(field)) {
	_ = fields(f.data, func(in field) error {
		if in.tag == tag {
			visit(in)
		}
		return nil
	})
}

// told finds the id of an answer that xAI stores, in the whole answer and in each piece of one.
type told struct{}

var _ dialect.Teller = told{}

// Told implements dialect.Teller.
func (told) Told(body []byte) []dialect.Named {
	var out []dialect.Named
	within(field{data: body}, 1<<3|chars, func(id field) {
		out = append(out, dialect.Named{ID: string(id.data), Kind: "responses"})
	})
	return out
}
