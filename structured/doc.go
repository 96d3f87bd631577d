// Package structured gets answers in the shape that a caller asks for, a JSON Schema or any JSON object, from
// hosts that have no such thing: by a tool whose input is the answer, or by words, with the answer checked and
// the model told what is wrong with it. It says how to ask ([Plan]), reads what comes back ([Job.Read]), and
// asks again ([Job.Again]); who sends all that is the route stage's business.
package structured
