// Package testkit holds what tests of a gateway need around it: an [Upstream] that answers from a script
// and misbehaves on request, the [Corpus] of recorded vendor traffic, and [LeakCheck].
//
//	up := testkit.NewUpstream(t,
//		testkit.OpenAIError(429, "rate_limit", "slow down").WithHeader("Retry-After", "1"),
//		testkit.SSE(`{"choices":[]}`, "[DONE]").SplitEvery(1),
//	)
//	// point a connection at up.URL, make calls, then look at up.Requests()
package testkit
