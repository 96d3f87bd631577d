package xaigrpc

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// keyRoute is the call that tells of the caller's key.
func keyRoute() dialect.Route {
	return route(llm.OpKeyInfo, "/xai_api.Auth/get_api_key_info", keyInfo{&kept{&codec{}}})
}

// keyInfo tells of the caller's key.
type keyInfo struct{ *kept }

var _ dialect.KeyTeller = keyInfo{}

// TellKey implements dialect.KeyTeller: an ApiKey, whose team is the project.
func (keyInfo) TellKey(k plenum.Key) []byte {
	var m message
	m.text(1, k.Prefix+"...")
	m.text(3, k.Member)
	m.text(4, k.Name)
	if k.Created != 0 {
		m.sub(5, func(m *message) { m.int(1, k.Created/1000) })
	}
	m.text(6, k.Project)
	m.text(8, k.ID)
	return m.b
}
