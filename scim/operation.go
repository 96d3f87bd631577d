package scim

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/store"
)

// The sizes of a page.
const (
	usualPage   = 100
	largestPage = 1000
)

func errorsIsMoved(err error) bool { return errors.Is(err, store.ErrMoved) }

// list answers with a page of those that a filter means.
func (s *Server) list(q *request) (reply, error) {
	query := q.URL.Query()
	var f filter
	if text := query.Get("filter"); text != "" {
		var err error
		if f, err = readFilter(text, q.kind.attributes); err != nil {
			return reply{}, err
		}
	}
	start, count := 1, usualPage
	for name, to := range map[string]*int{"startIndex": &start, "count": &count} {
		if text := query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return reply{}, fail(http.StatusBadRequest, "invalidValue", "%s is a number", name)
			}
			*to = n
		}
	}
	start, count = max(start, 1), min(max(count, 0), largestPage)
	p, err := s.read(q.Context())
	if err != nil {
		return reply{}, err
	}
	groupsOf := p.groupsOf()
	total, page := 0, []any{}
	for _, t := range p.of(q.kind) {
		shown := p.shown(t, q.base, groupsOf)
		if f != nil && !f.fits(shown, q.kind.attributes) {
			continue
		}
		if total++; total >= start && len(page) < count {
			page = append(page, only(q.Request, shown))
		}
	}
	return reply{status: http.StatusOK, body: map[string]any{
		"schemas": []string{listURN}, "totalResults": total, "startIndex": start, "itemsPerPage": len(page), "Resources": page,
	}}, nil
}

// only leaves those attributes of a resource that are asked for. Who asks for a part of one gets it whole.
func only(r *http.Request, shown map[string]any) map[string]any {
	asked := func(name string) []string {
		var out []string
		for one := range strings.SplitSeq(r.URL.Query().Get(name), ",") {
			for _, urn := range [...]string{userURN, groupURN} {
				one = strings.TrimPrefix(strings.TrimSpace(one), urn+":")
			}
			if strings.HasPrefix(one, enterpriseURN) {
				one = enterpriseURN
			}
			if one, _, _ = strings.Cut(one, "."); one != "" && !strings.HasPrefix(one, "urn") {
				out = append(out, strings.ToLower(one))
			} else if one != "" {
				out = append(out, strings.ToLower(enterpriseURN))
			}
		}
		return out
	}
	want, unwanted := asked("attributes"), asked("excludedAttributes")
	for name := range shown {
		small := strings.ToLower(name)
		if small == "id" || small == "schemas" {
			continue
		}
		if len(want) > 0 && !slices.Contains(want, small) || slices.Contains(unwanted, small) {
			delete(shown, name)
		}
	}
	return shown
}

func (s *Server) get(q *request) (reply, error) {
	p, err := s.read(q.Context())
	if err != nil {
		return reply{}, err
	}
	t := p.things[q.PathValue("id")]
	if t == nil || t.kind.stored != q.kind.stored {
		return reply{}, noThing(q.kind)
	}
	return s.answer(q, p, t, false), nil
}

// create makes a user or a group.
func (s *Server) create(q *request) (reply, error) {
	has, err := known(q.body, q.kind.attributes)
	if err != nil {
		return reply{}, err
	}
	id := newID()
	return s.edit(q, "", func(p *people, _ *thing) (*thing, error) {
		now := s.clock.Now().UnixMilli()
		t := &thing{id: id, kind: q.kind, has: has, created: now, changed: now}
		return t, p.check(t)
	})
}

// replace puts what is sent in the place of what was there. Who is not said to be active or not stays what they are:
// nobody comes back because a directory left it out.
func (s *Server) replace(q *request) (reply, error) {
	sent, err := known(q.body, q.kind.attributes)
	if err != nil {
		return reply{}, err
	}
	return s.edit(q, q.PathValue("id"), func(p *people, was *thing) (*thing, error) {
		next := *was
		next.has = map[string]any{}
		for n, v := range sent {
			next.has[n] = v
		}
		if _, said := sent["active"]; !said && !was.active() {
			next.has["active"] = false
		}
		return &next, p.check(&next)
	})
}

func (s *Server) patch(q *request) (reply, error) {
	return s.edit(q, q.PathValue("id"), func(p *people, was *thing) (*thing, error) {
		next := *was
		next.has = copied(was.has).(map[string]any)
		if err := patched(next.has, q.body, q.kind.attributes); err != nil {
			return nil, err
		}
		return &next, p.check(&next)
	})
}

// copied returns a copy of what was JSON.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for n, one := range v {
			out[n] = copied(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = copied(one)
		}
		return out
	}
	return v
}

func (s *Server) remove(q *request) (reply, error) {
	return s.edit(q, q.PathValue("id"), func(*people, *thing) (*thing, error) { return nil, nil })
}

// check says what is wrong with a thing beside all others.
func (p *people) check(t *thing) error {
	name := "userName"
	if t.kind.stored == storedGroups {
		name = "displayName"
	}
	called := t.called()
	if called == "" || len(called) > 256 || strings.ContainsFunc(called, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fail(http.StatusBadRequest, "invalidValue", "%s has 1 to 256 bytes and no control characters", name)
	}
	for _, other := range p.of(t.kind) {
		if other.id != t.id && strings.EqualFold(other.called(), called) {
			return fail(http.StatusConflict, "uniqueness", "there is a %s with this %s already", strings.ToLower(t.kind.name), name)
		}
	}
	for _, id := range t.memberIDs() {
		if p.things[id] == nil {
			return fail(http.StatusBadRequest, "invalidValue", "there is no user or group of the id %q", id)
		}
	}
	return nil
}

// discovery answers what a server says of itself.
func (s *Server) discovery() {
	kinds := []*kind{users(), groups()}
	s.route("GET /ServiceProviderConfig", nil, "config", func(q *request) (reply, error) {
		no := map[string]any{"supported": false}
		return reply{status: http.StatusOK, body: map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
			"patch":   map[string]any{"supported": true}, "etag": map[string]any{"supported": true}, "sort": no, "changePassword": no,
			"bulk":   map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
			"filter": map[string]any{"supported": true, "maxResults": largestPage},
			"authenticationSchemes": []any{map[string]any{
				"type": "oauthbearertoken", "name": "Bearer token", "description": "A key of the management API, made with the scope scim.", "primary": true,
			}},
			"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": q.base + "/ServiceProviderConfig"},
		}}, nil
	})
	s.described("ResourceTypes", func(base string) map[string]any {
		out := map[string]any{}
		for _, k := range kinds {
			one := map[string]any{
				"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": k.name, "name": k.name, "endpoint": "/" + k.path, "schema": k.urn,
				"meta": map[string]any{"resourceType": "ResourceType", "location": base + "/ResourceTypes/" + k.name},
			}
			if k.stored == storedUsers {
				one["schemaExtensions"] = []any{map[string]any{"schema": enterpriseURN, "required": false}}
			}
			out[k.name] = one
		}
		return out
	})
	s.described("Schemas", func(base string) map[string]any {
		extension := attributeOf(userAttributes(), enterpriseURN)
		out := map[string]any{enterpriseURN: schema(base, enterpriseURN, "EnterpriseUser", extension.sub)}
		for _, k := range kinds {
			out[k.urn] = schema(base, k.urn, k.name, k.attributes)
		}
		return out
	})
}

func schema(base, urn, name string, all []attribute) map[string]any {
	return map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": urn, "name": name, "description": name, "attributes": documents(all),
		"meta": map[string]any{"resourceType": "Schema", "location": base + "/Schemas/" + urn},
	}
}

// described answers a list of descriptions, and each by its id.
func (s *Server) described(path string, make func(base string) map[string]any) {
	s.route("GET /"+path, nil, "describe", func(q *request) (reply, error) {
		if q.URL.Query().Get("filter") != "" { // as RFC 7644 section 4 has it
			return reply{}, fail(http.StatusForbidden, "", "these are not filtered")
		}
		all := make(q.base)
		list := []any{}
		var ids []string
		for id := range all {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			list = append(list, all[id])
		}
		return reply{status: http.StatusOK, body: map[string]any{
			"schemas": []string{listURN}, "totalResults": len(list), "startIndex": 1, "itemsPerPage": len(list), "Resources": list,
		}}, nil
	})
	s.route("GET /"+path+"/{id}", nil, "describe", func(q *request) (reply, error) {
		one, ok := make(q.base)[q.PathValue("id")]
		if !ok {
			return reply{}, fail(http.StatusNotFound, "", "there is none of that id")
		}
		return reply{status: http.StatusOK, body: one}, nil
	})
}
