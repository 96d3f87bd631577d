// Package bedrock reaches the models of Amazon Bedrock. There are two places, each in every region:
//
//	https://bedrock-runtime.REGION.amazonaws.com  Converse, for any model; InvokeModel, for Claude
//	https://bedrock-mantle.REGION.api.aws         OpenAI's dialect at /v1, Anthropic's at /anthropic; Grok and
//	                                              the models of OpenAI that are not open at /openai/v1
//
// The upstream model is a model's id, an inference profile's (us.anthropic.claude-..., which reaches several
// regions), or the ARN of either. A request carries a Bedrock API key as a bearer token, or is signed with
// AWS credentials (Signature Version 4), which are found as every AWS tool finds them.
//
// Callers who speak Anthropic's dialect reach Claude by InvokeModel, where their bytes pass; all others, and
// all other models, by Converse. Models of vectors, rankings and images are invoked as well. Grok and GPT are not behind
// Converse: they are found at the second place whatever the connection says, Grok in Chat Completions or Responses,
// GPT in Responses alone.
package bedrock

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/invoke"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"

	plenum "github.com/plenum-foundry/plenum"
)

// Kind is Amazon Bedrock.
var Kind = kind()

// The names of the services that requests are signed for.
const (
	runtimeService = "bedrock"
	mantleService  = "bedrock-mantle"
)

const defaultRegion = "us-east-1"

func kind() provider.Kind {
	k := provider.Compat(spec(addressOf(converse.Name, defaultRegion)))
	k.BaseURL = ""
	for i := range k.Fields {
		switch f := &k.Fields[i]; f.Name {
		case "api_key":
			f.Help = "A Bedrock API key; left out, requests are signed with AWS credentials."
		case "base_url":
			f.Required, f.Default = false, ""
			f.Env = []string{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME"}
			f.Help = "The address of an endpoint of your own (a VPC endpoint, a proxy); left out it is the region's."
		case "dialect":
			f.Default = ""
			f.Help = "converse; or openai or anthropic, at Bedrock's compatible address (bedrock-mantle). Left out it is converse, " +
				"and for callers who speak anthropic and models whose id tells that they are Claude, InvokeModel."
		}
	}
	k.Fields = append(k.Fields, fields()...)
	k.New = func(in provider.Settings) (provider.Provider, error) {
		if err := provider.Check(k.Fields, in); err != nil {
			return nil, err
		}
		return open(in)
	}
	return k
}

// fields are the settings besides those of every kind.
func fields() []provider.Field {
	return []provider.Field{
		{Name: "region", Title: "Region", Env: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, Help: "The AWS region; left out it is the profile's, or " + defaultRegion + "."},
		{Name: "access_key_id", Title: "Access key id", Secret: true, Env: []string{"AWS_ACCESS_KEY_ID"}, Help: "The id of an AWS access key; left out, credentials are found as every AWS tool finds them."},
		{Name: "secret_access_key", Title: "Secret access key", Secret: true, Env: []string{"AWS_SECRET_ACCESS_KEY"}, Help: "The secret of the access key."},
		{Name: "session_token", Title: "Session token", Secret: true, Env: []string{"AWS_SESSION_TOKEN"}, Help: "The token that comes with a temporary access key."},
		{Name: "invoke", Title: "InvokeModel", Help: "claude: every model of the connection is Claude and is reached by InvokeModel, also where its id does not tell (application inference profiles)."},
		{Name: "profile", Title: "Profile", Env: []string{"AWS_PROFILE"}, Help: "A profile of the AWS configuration files."},
		{Name: "role_arn", Title: "Role", Help: "The ARN of a role to take on with those credentials."},
		{Name: "external_id", Title: "External id", Help: "The external id that the role asks for."},
	}
}

// spec describes the places at one address each. Streams have a path of their own in Converse.
func spec(runtime string) provider.Spec {
	return provider.Spec{
		Name:        "bedrock",
		Title:       "Amazon Bedrock",
		BaseURL:     runtime,
		Env:         []string{"AWS_BEARER_TOKEN_BEDROCK"},
		Dialect:     converse.Dialect,
		Paths:       map[llm.Op]string{llm.OpGenerate: "/model/{model}/converse", llm.OpCountTokens: "/model/{model}/count-tokens"},
		StreamPaths: map[llm.Op]string{llm.OpGenerate: "/model/{model}/converse-stream"},
		KeyOptional: true,
		Vendor:      true,
		Also: []provider.Face{
			{Dialect: openai.Dialect, BaseURL: runtime, Paths: map[llm.Op]string{llm.OpGenerate: "/v1/chat/completions"}},
			{Dialect: anthropic.Dialect, BaseURL: runtime, Paths: map[llm.Op]string{llm.OpGenerate: "/anthropic/v1/messages"}},
		},
	}
}

// invokes describes Claude by InvokeModel.
func invokes(runtime string) provider.Spec {
	return provider.Spec{
		Name:        "bedrock",
		Title:       "Amazon Bedrock",
		BaseURL:     runtime,
		Dialect:     invoke.Claude,
		Paths:       map[llm.Op]string{llm.OpGenerate: "/model/{model}/invoke"},
		StreamPaths: map[llm.Op]string{llm.OpGenerate: "/model/{model}/invoke-with-response-stream"},
		KeyOptional: true,
	}
}

// vectorsOf describes the models of vectors and rankings.
func vectorsOf(runtime string) provider.Spec {
	return provider.Spec{
		Name:        "bedrock",
		Title:       "Amazon Bedrock",
		BaseURL:     runtime,
		Dialect:     invoke.Vectors,
		Paths:       map[llm.Op]string{llm.OpEmbed: "/model/{model}/invoke", llm.OpRerank: "/model/{model}/invoke"},
		KeyOptional: true,
	}
}

// imagesOf describes the models of images.
func imagesOf(runtime string) provider.Spec {
	return provider.Spec{
		Name:        "bedrock",
		Title:       "Amazon Bedrock",
		BaseURL:     runtime,
		Dialect:     invoke.Images,
		Paths:       map[llm.Op]string{llm.OpImage: "/model/{model}/invoke", llm.OpImageEdit: "/model/{model}/invoke", llm.OpImageVary: "/model/{model}/invoke"},
		KeyOptional: true,
	}
}

// mantleOf describes the models that are at the compatible address alone, and below a path of their own. whole
// says that they know Responses and nothing else.
func mantleOf(at string, whole bool) provider.Spec {
	s := provider.Spec{
		Name: "bedrock", Title: "Amazon Bedrock", BaseURL: at, KeyOptional: true,
		Dialect: openai.Dialect,
		Paths:   map[llm.Op]string{llm.OpGenerate: "/openai/v1/chat/completions"},
	}
	face := provider.Face{
		Beside: true, BaseURL: at, Dialect: responses.Dialect, Paths: map[llm.Op]string{llm.OpGenerate: "/openai/v1/responses"},
	}
	if whole {
		s.Dialect, s.Paths = face.Dialect, face.Paths
		return s
	}
	s.Also = []provider.Face{face}
	return s
}

// onMantle tells the models that Converse does not have, and which of them know Responses alone.
func onMantle(model string) (is, whole bool) {
	if strings.Contains(model, "xai.grok") {
		return true, false
	}
	_, rest, found := strings.Cut(model, "openai.gpt-")
	is = found && rest != "" && rest[0] >= '0' && rest[0] <= '9' // the open ones are called gpt-oss
	return is, is
}

// addressOf returns the address of a dialect's place in a region.
func addressOf(dialect, region string) string {
	if dialect != "" && dialect != converse.Name {
		return "https://bedrock-mantle." + region + ".api.aws"
	}
	if strings.HasPrefix(region, "cn-") {
		return "https://bedrock-runtime." + region + ".amazonaws.com.cn"
	}
	return "https://bedrock-runtime." + region + ".amazonaws.com"
}

// open makes the provider of a connection whose settings have been checked.
func open(in provider.Settings) (provider.Provider, error) {
	id, secret := in.Credentials["access_key_id"], in.Credentials["secret_access_key"]
	if in.Credentials["api_key"].Empty() && id.Empty() != secret.Empty() {
		return nil, fmt.Errorf("credentials.access_key_id and credentials.secret_access_key belong together: one of them is missing")
	}
	key := in.Credentials["api_key"]
	if key.Empty() && id.Empty() && in.Options["profile"] == "" && in.Options["role_arn"] == "" {
		key = plenum.NewSecret(os.Getenv("AWS_BEARER_TOKEN_BEDROCK"))
	}
	var chain *chain
	region := in.Options["region"]
	if key.Empty() {
		var err error
		if chain, err = newChain(in); err != nil {
			return nil, err
		}
		if region == "" {
			region = chain.region
		}
	}
	region = firstOf(region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), defaultRegion)
	if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(region) {
		return nil, fmt.Errorf("region: %q is not the name of an AWS region", region)
	}
	switch v := in.Options["invoke"]; {
	case v != "" && v != "claude":
		return nil, fmt.Errorf("invoke: %q is not claude", v)
	case v != "" && in.Options["dialect"] != "":
		return nil, fmt.Errorf("invoke and dialect: only one of them can be chosen")
	}
	p := &place{chain: chain, region: region, service: runtimeService}
	if d := in.Options["dialect"]; d != "" && d != converse.Name {
		p.service = mantleService
	}
	return p, p.open(in, key)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// place is a connection to Bedrock.
type place struct {
	runtime provider.Provider // the dialect that the connection chose, or Converse
	claude  provider.Provider // InvokeModel; nil where the connection chose another
	vectors provider.Provider // embeddings and rankings, which are invoked; nil likewise
	images  provider.Provider // likewise
	grok    provider.Provider // models that are at the compatible address alone; nil likewise
	gpt     provider.Provider // those of them that know Responses alone
	always  bool              // of all models
	chain   *chain            // nil where a key is sent
	region  string
	service string
}

var (
	_ provider.Provider = (*place)(nil)
	_ provider.Polyglot = (*place)(nil)
	_ provider.Warner   = (*place)(nil)
)

func (p *place) open(in provider.Settings, key plenum.Secret) error {
	name := in.Options["dialect"]
	at := addressOf(name, p.region)
	plain := provider.Settings{
		Connection: in.Connection, BaseURL: firstOf(in.BaseURL, at), Header: in.Header,
		Credentials: map[string]plenum.Secret{}, Options: map[string]string{},
	}
	if !key.Empty() {
		plain.Credentials["api_key"] = key
	}
	var err error
	if name == "" {
		if p.claude, err = provider.Compat(invokes(at)).New(plain); err != nil {
			return err
		}
		if p.vectors, err = provider.Compat(vectorsOf(at)).New(plain); err != nil {
			return err
		}
		if p.images, err = provider.Compat(imagesOf(at)).New(plain); err != nil {
			return err
		}
		p.always = in.Options["invoke"] == "claude"
	} else {
		plain.Options["dialect"] = name
	}
	if name == "" || name == openai.Name {
		mantle := addressOf(openai.Name, p.region)
		bare := plain
		bare.BaseURL, bare.Options = firstOf(in.BaseURL, mantle), map[string]string{}
		if p.grok, err = provider.Compat(mantleOf(mantle, false)).New(bare); err != nil {
			return err
		}
		if p.gpt, err = provider.Compat(mantleOf(mantle, true)).New(bare); err != nil {
			return err
		}
	}
	p.runtime, err = provider.Compat(spec(at)).New(plain)
	return err
}

// Plan implements provider.Provider.
func (p *place) Plan(model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.PlanIn("", model, op, stream)
}

func (p *place) plan(model string, op llm.Op, stream bool) (*provider.Plan, error) {
	if p.always && op == llm.OpGenerate {
		return p.claude.Plan(model, op, stream)
	}
	if p.vectors != nil && (op == llm.OpEmbed || op == llm.OpRerank) {
		return p.vectors.Plan(model, op, stream)
	}
	if p.images != nil && (op == llm.OpImage || op == llm.OpImageEdit || op == llm.OpImageVary) {
		return p.images.Plan(model, op, stream)
	}
	return p.runtime.Plan(model, op, stream)
}

// PlanIn implements provider.Polyglot: Claude is invoked for callers who speak its own dialect.
func (p *place) PlanIn(dialect, model string, op llm.Op, stream bool) (*provider.Plan, error) {
	if is, whole := onMantle(model); is && p.grok != nil && op == llm.OpGenerate {
		if whole {
			return p.gpt.Plan(model, op, stream)
		}
		return provider.PlanFor(p.grok, dialect, model, op, stream)
	}
	if dialect == anthropic.Name && op == llm.OpGenerate && p.claude != nil && strings.Contains(model, "anthropic.claude") {
		return p.claude.Plan(model, op, stream)
	}
	return p.plan(model, op, stream)
}

// Sign implements provider.Provider: the key, or a signature over the request as it stands.
func (p *place) Sign(ctx context.Context, r *http.Request, body []byte) error {
	if err := p.runtime.Sign(ctx, r, body); err != nil {
		return err
	}
	if p.chain == nil {
		return nil
	}
	service := p.service
	if strings.Contains(r.URL.Path, "/openai/v1/") {
		service = mantleService
	}
	return p.chain.sign(ctx, r, body, service, p.region)
}

// Warnings implements provider.Warner.
func (p *place) Warnings() []string {
	if w, ok := p.runtime.(provider.Warner); ok {
		return w.Warnings()
	}
	return nil
}
