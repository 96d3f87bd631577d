package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

const ann = `{"id":"u1","externalId":"A-1","userName":"Ann@example.com","displayName":"Ann Lee","active":true,
"name":{"givenName":"Ann","familyName":"Lee"},"emails":[{"value":"ann@example.com","type":"work","primary":true},{"value":"a@home.example","type":"home"}],
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Physics","manager":{"value":"7"}}}`

func TestFiltersMeanWhatTheStandardSays(t *testing.T) {
	for text, want := range map[string]bool{
		`userName eq "ann@EXAMPLE.com"`:                               true,
		`userName Eq "bob"`:                                           false,
		`externalId eq "A-1"`:                                         true,
		`externalId eq "a-1"`:                                         false, // case counts there
		`active eq true`:                                              true,
		`active eq "True"`:                                            true, // as Entra ID writes it
		`active eq False`:                                             false,
		`displayName sw "ann" and emails co "home"`:                   true,
		`displayName co "zed" or name.familyName eq "lee"`:            true,
		`not (displayName co "zed") and not(userName sw "ann")`:       false,
		`emails[type eq "work" and value co "@example.com"]`:          true,
		`emails[type eq "home"].value eq "ann@example.com"`:           false,
		`emails[type eq "work"].value eq "ann@example.com"`:           true,
		`emails.type eq "home"`:                                       true,
		`title pr`:                                                    false,
		`title eq null`:                                               true,
		`userName ne "bob"`:                                           true,
		`userName ew ".com"`:                                          true,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "an"`: true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "physics"`: true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7"`:    true,
		`userName eq "and" or (userName sw "a" and (active eq true))`:                        true,
	} {
		f, err := readFilter(text, userAttributes())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.fits(object(t, ann), userAttributes()); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestWhatIsNoFilterIsRefused(t *testing.T) {
	for _, text := range []string{
		`userName`, `userName eq`, `userName eq ann`, `nothing eq "a"`, `userName is "a"`, `(userName eq "a"`, `userName eq "a")`, `userName eq {"a":1}`,
		`emails[type eq "a"`, `userName[type eq "a"] pr`, `userName.sub eq "a"`, `not userName eq "a"`, `userName eq "a" and`, strings.Repeat("(", 100) + `userName pr`,
		`userName eq "` + strings.Repeat("a", longestFilter) + `"`, `[`, `.`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User eq "a"`,
	} {
		if f, err := readFilter(text, userAttributes()); err == nil {
			t.Errorf("%.60s is taken as %v", text, f)
		}
	}
}

// The bodies are what Entra ID and Okta document that they send.
func TestPatchesOfEntraAndOkta(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"entra: a user is disabled, with a text for false": {
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
			`{"userName":"a","active":false,"emails":[{"type":"work","value":"a@x"}]}`,
		},
		"entra: several at once, with paths that filter": {
			`{"Operations":[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"b@x"},{"op":"Add","path":"name.familyName","value":"Lee"},
			{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}]}`,
			`{"userName":"a","active":true,"emails":[{"type":"work","value":"b@x"}],"name":{"familyName":"Lee"},"phoneNumbers":[{"type":"mobile","value":"1"}]}`,
		},
		"entra: no path, and names of members that are paths": {
			`{"Operations":[{"op":"Add","value":{"displayName":"Ann","name.givenName":"A","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"P","of.nobody":"x","id":"x"}}]}`,
			`{"userName":"a","active":true,"emails":[{"type":"work","value":"a@x"}],"displayName":"Ann","name":{"givenName":"A"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"P"}}`,
		},
		"entra: a manager is a text": {
			`{"Operations":[{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"7"}]}`,
			`{"userName":"a","active":true,"emails":[{"type":"work","value":"a@x"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}`,
		},
		"okta: a user is deactivated": {
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`,
			`{"userName":"a","active":false,"emails":[{"type":"work","value":"a@x"}]}`,
		},
		"what is removed is gone": {
			`{"Operations":[{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"title"}]}`,
			`{"userName":"a","active":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			has := object(t, `{"userName":"a","active":true,"emails":[{"type":"work","value":"a@x"}]}`)
			if err := patched(has, object(t, c.body), userAttributes()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(object(t, c.want), has); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMembersOfAGroupComeAndGo(t *testing.T) {
	has := object(t, `{"displayName":"g","members":[{"value":"1"},{"value":"2"},{"value":"3"}]}`)
	for _, op := range []string{
		`{"op":"Add","path":"members","value":[{"$ref":null,"value":"4"},{"value":"1"}]}`,
		`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"2"}]}`, // Entra ID
		`{"op":"remove","path":"members[value eq \"3\"]"}`,                     // Okta, and Entra ID as the standard has it
		`{"op":"replace","value":{"id":"g1","displayName":"physics"}}`,         // Okta
	} {
		if err := patched(has, object(t, `{"Operations":[`+op+`]}`), groups().attributes); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	want := object(t, `{"displayName":"physics","members":[{"value":"1"},{"value":"4"}]}`)
	if diff := cmp.Diff(want, has); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoPatchIsRefused(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"Operations":[]}`, `{"Operations":["a"]}`, `{"Operations":[{"op":"move","path":"title"}]}`, `{"Operations":[{"op":"remove"}]}`,
		`{"Operations":[{"op":"add","value":"a"}]}`, `{"Operations":[{"op":"replace","path":"id","value":"x"}]}`, `{"Operations":[{"op":"replace","path":"of.nobody","value":"x"}]}`,
		`{"Operations":[{"op":"replace","path":"active","value":"perhaps"}]}`, `{"Operations":[{"op":"replace","path":"userName","value":{"a":1}}]}`,
		`{"Operations":[{"op":"replace","path":"emails[value sw \"z\"].value","value":"x"}]}`, `{"Operations":[{"op":"add","path":"name[givenName eq \"x\"]","value":"x"}]}`,
	} {
		if err := patched(object(t, ann), object(t, body), userAttributes()); err == nil {
			t.Errorf("%s is taken", body)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`emails[type eq "work"].value eq "x" and not (a pr)`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readFilter(text, userAttributes())
		if (got == nil) == (err == nil) && err == nil {
			t.Error("neither a filter nor an error")
		}
		if err == nil {
			got.fits(object(t, ann), userAttributes())
		}
		has := object(t, ann)
		_ = apply(has, "replace", text, "x", userAttributes())
		_ = apply(has, "remove", text, nil, userAttributes())
	})
}
