package plenum_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
)

func TestASecretCannotBePrinted(t *testing.T) {
	type holder struct {
		Open   plenum.Secret
		hidden plenum.Secret
		list   []plenum.Secret
		byName map[string]plenum.Secret
	}
	s := plenum.NewSecret("hunter2")
	h := holder{s, s, []plenum.Secret{s}, map[string]plenum.Secret{"k": s}}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "h", h)
	j, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %#v", s, s, s, s, s, s, h, h, &h) + log.String() + string(j) + fmt.Sprint(h.hidden, h.list, h.byName)
	if strings.Contains(said, "hunter2") || strings.Contains(said, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("a secret was printed: %s", said)
	}
	if s.Reveal() != "hunter2" || s.Empty() || !(plenum.Secret{}).Empty() || (plenum.Secret{}).Reveal() != "" {
		t.Error("a secret must be revealed when it is asked for")
	}
}
