package dialect_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/form"
	"github.com/plenum-foundry/plenum/internal/splice"
)

func naming() *dialect.Naming {
	asks := append(dialect.MembersAt("tools.*.ids.*", "box", "mask.file_id"),
		dialect.NamingMember{Path: "skills.*", ID: dialect.Skill},
		dialect.NamingMember{Path: "tools.*.type", Brings: func(s string) bool { return s == "code" }},
	)
	return dialect.NewNaming(asks, []dialect.NamingMember{{Path: "box.id", Kind: "boxes"}})
}

func TestANamingFindsWhatARequestNames(t *testing.T) {
	for body, want := range map[string][]dialect.Named{
		`{"model":"m"}`:                 nil,
		`{"box":{"id":"b"},"mask":"x"}`: nil,
		`{"box":"b\u0031"}`:             {{ID: "b1", Param: "box"}},
		`{"tools":[{"ids":["a","b",""]},{"ids":["c"]}],"box":null}`: {
			{ID: "a", Param: "tools[].ids"}, {ID: "b", Param: "tools[].ids"}, {ID: "c", Param: "tools[].ids"},
		},
		`{"skills":["pptx","skill_1"]}`: {{ID: "skill_1", Param: "skills"}},
		`{"box":"a","box":"b"}`:         {{ID: "a", Param: "box"}, {ID: "b", Param: "box"}},
		`{"box":`:                       nil,
	} {
		got := naming().Read(dialect.Inbound{Body: []byte(body)})
		if d := cmp.Diff(want, got.Things); d != "" {
			t.Errorf("%s (-want +got):\n%s", body, d)
		}
	}
	var none *dialect.Naming
	if got := none.Read(dialect.Inbound{Body: []byte(`{"box":"b"}`)}); len(got.Things) != 0 {
		t.Errorf("without a naming: %v", got)
	}
}

func TestANamingFindsWhatAFormNames(t *testing.T) {
	body := form.AppendField(nil, "b", "model", "m")
	body = form.AppendField(body, "b", "mask[file_id]", "file-1")
	body = form.AppendField(body, "b", "images[0][file_id]", "file-2")
	body = form.AppendFile(body, "b", form.Part{Name: "mask[file_id]", File: "x.png"}, []byte("pixels"))
	body = form.AppendEnd(body, "b")
	got := naming().Read(dialect.Inbound{Body: body, Header: http.Header{"Content-Type": {"Multipart/form-data; boundary=b"}}})
	want := []dialect.Named{{ID: "file-1", Param: "mask.file_id"}, {ID: "file-2", Param: "mask.file_id"}}
	if d := cmp.Diff(want, got.Things); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestANamingKnowsWhatAnAnswerTells(t *testing.T) {
	n := naming()
	_, names, err := n.Scan([]byte(`{"tools":[{"type":"code"}]}`), 0, nil, []splice.Member{})
	if err != nil || !names.Brings || len(names.Things) != 0 {
		t.Errorf("%+v %v", names, err)
	}
	if _, names, _ = n.Scan([]byte(`{"tools":[{"type":"other"}]}`), 0, nil, nil); names.Brings {
		t.Errorf("%+v", names)
	}
	if d := cmp.Diff([]dialect.Named{{ID: "b9", Param: "box.id", Kind: "boxes"}}, n.Told([]byte(`{"box":{"id":"b9"}}`))); d != "" {
		t.Error(d)
	}
	for _, none := range []string{`{"box":{"id":7}}`, `{"box":{}}`, `nothing`, ``} {
		if got := n.Told([]byte(none)); got != nil {
			t.Errorf("%s tells of %v", none, got)
		}
	}
}

func TestOnlyWhatSomeoneHasSetUpIsSomeones(t *testing.T) {
	if dialect.Connector("connector_dropbox") != "" || dialect.Connector("conn_1") != "conn_1" || dialect.Skill("pptx") != "" || !strings.HasPrefix(dialect.Skill("skill_1"), "skill_") {
		t.Error("a vendor's own is taken for someone's, or the other way round")
	}
}
