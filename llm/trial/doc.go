// Package trial holds no code: its test decodes recorded traffic of dialects that Plenum does not speak
// yet into the vocabulary of package llm, to see whether the words suffice before others build on them.
package trial
