package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
)

// JSON returns a text in YAML, of which JSON is a kind, as JSON.
func JSON(text []byte) ([]byte, error) {
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("it is not YAML: %w", err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("it cannot be said as JSON: %w", err)
	}
	return b, nil
}

// WriteYAML writes JSON as YAML for people, its members in their order.
func WriteYAML(w io.Writer, b []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	plainStyle(&root)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	return errors.Join(enc.Encode(&root), enc.Close())
}

// plainStyle lets a document that was JSON look like YAML: blocks, and texts without quotes where they need none.
func plainStyle(n *yaml.Node) {
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Style == yaml.DoubleQuotedStyle {
		var back yaml.Node
		if err := yaml.Unmarshal([]byte(n.Value), &back); err == nil && len(back.Content) == 1 && back.Content[0].Tag == "!!str" && back.Content[0].Value == n.Value {
			n.Style = 0
		}
	}
	for _, c := range n.Content {
		plainStyle(c)
	}
}
