// Package corpus takes recorded traffic of every vendor through every dialect: each request, answer, stream and
// error is read in its own dialect and said there again as it was, and then crosses to each other dialect and
// back. What an llm value holds must be found in what is read of the other side's bytes, or be named as a loss;
// a stream must tell what the whole answer does. docs/corpus.md is made from it.
//
// The recordings are no part of the project: PLENUM_CORPUS names the directory that holds them, and without it
// the tests of what was recorded are skipped. Those of the detector are not.
package corpus
