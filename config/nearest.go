package config

import "github.com/plenum-foundry/plenum/internal/near"

// suggest returns `; did you mean "x"?` if one of the names is near enough, or nothing.
func suggest(name string, known []string) string { return near.Suggest(name, known) }
