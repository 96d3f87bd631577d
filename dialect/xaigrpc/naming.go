package xaigrpc

import "github.com/plenum-foundry/plenum/dialect"

// naming collects what a request names that xAI keeps: files and collections. An earlier answer is the Keeper's matter.
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
