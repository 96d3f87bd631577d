// Package platform has what the two APIs of OpenAI's platform, Chat Completions and Responses, have in common: the
// shape of an error, the classes of a bill, what hosts ask of a schema. Each of them is a dialect of its own,
// and says with its own words what it alone has.
package platform
