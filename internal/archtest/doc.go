// Package archtest holds the rules of the house as tests: who may import whom, what every package and
// folder must have, what must not be there at all. It reads the source and runs nothing of it.
//
// Each rule is a function from a tree of files to its violations, and is itself tried on a small tree
// with the fault planted in it. Where a rule is wrong, change the rule and say why.
package archtest
