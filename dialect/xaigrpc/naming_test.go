package xaigrpc

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/dialect"
)

// nested is a message of one field that holds text or another message.
func nested(num protowire.Number, data string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), data))
}

func TestARequestsNamesAreFound(t *testing.T) {
	body := nested(2, "m") +
		nested(1, nested(1, nested(1, "a text"))+nested(1, nested(2, nested(1, "https://x")))) +
		nested(1, nested(1, nested(2, nested(3, "file_image")))+nested(1, nested(3, nested(1, "file_doc")))) +
		nested(17, nested(1, nested(1, "a_function"))) +
		nested(17, nested(6, nested(1, "collection_1")+nested(1, "collection_2"))) + nested(22, "resp_1")
	h, err := (&codec{}).Peek(dialect.Inbound{Body: []byte(body)}, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, n := range h.Names.Things {
		ids = append(ids, n.ID)
	}
	if d := cmp.Diff([]string{"file_image", "file_doc", "collection_1", "collection_2"}, ids); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
