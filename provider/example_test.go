package provider_test

import (
	"context"
	"fmt"
	"net/http"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
	"github.com/plenum-foundry/plenum/provider/xai"
)

// A provider says where a call goes and in which dialect, and signs it.
func Example() {
	grok, err := xai.Kind.New(provider.Settings{Connection: "xai", Credentials: map[string]plenum.Secret{"api_key": plenum.NewSecret("xai-key")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := grok.Plan("grok-4.7", llm.OpGenerate, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequestWithContext(context.Background(), plan.Method, plan.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := grok.Sign(req.Context(), req, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Dialect.Name, req.Method, req.URL, req.Header.Get("Authorization") != "")
	// Output:
	// openai POST https://api.x.ai/v1/chat/completions true
}
