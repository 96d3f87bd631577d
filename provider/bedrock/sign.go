package bedrock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/provider"
)

// chain finds AWS credentials and signs with them. What it finds it keeps until shortly before that expires.
// The credentials are reached through a function alone, where nothing that prints a provider comes upon them.
type chain struct {
	region   string // of the environment or the profile; "" where there is none
	retrieve func(context.Context) (aws.Credentials, error)
	signer   *v4.Signer
	now      func() time.Time
}

// loadFor is how long reading the AWS configuration files may take.
const loadFor = 10 * time.Second

// newChain reads the configuration of a connection, and AWS's own: the environment, the shared files, and
// what runs around this process. Credentials themselves are fetched with the first request.
func newChain(in provider.Settings) (*chain, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadFor)
	defer cancel()
	with := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client(in)),
		// What asks a container's endpoint makes a client of its own unless it is given one here.
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client(in) }),
	}
	if region := in.Options["region"]; region != "" {
		with = append(with, config.WithRegion(region))
	}
	if profile := in.Options["profile"]; profile != "" {
		with = append(with, config.WithSharedConfigProfile(profile))
	}
	if id := in.Credentials["access_key_id"]; !id.Empty() {
		token := in.Credentials["session_token"]
		with = append(with, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			id.Reveal(), in.Credentials["secret_access_key"].Reveal(), token.Reveal())))
	}
	cfg, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if role := in.Options["role_arn"]; role != "" {
		if cfg.Region == "" {
			cfg.Region = defaultRegion
		}
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "plenum"
			if id := in.Options["external_id"]; id != "" {
				o.ExternalID = &id
			}
		}))
	}
	c := &chain{region: cfg.Region, signer: v4.NewSigner(), now: time.Now}
	if cfg.Credentials != nil {
		c.retrieve = cfg.Credentials.Retrieve
	}
	return c, nil
}

// client asks for credentials. The addresses of a machine's identity are for connections without credentials of their own.
func client(in provider.Settings) *awshttp.BuildableClient {
	by := outbound.Identity(loadFor)
	if !in.Credentials["access_key_id"].Empty() {
		by = outbound.Private.Leave(loadFor)
	}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.Proxy, t.DialContext = by.Proxy, by.DialContext })
}

// sign signs a request and its body. All headers that the request has are signed, so it must be complete.
func (c *chain) sign(ctx context.Context, r *http.Request, body []byte, service, region string) error {
	if c.retrieve == nil {
		return fmt.Errorf("finding AWS credentials: there are none")
	}
	creds, err := c.retrieve(ctx)
	if err != nil {
		return fmt.Errorf("finding AWS credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	r.Header.Del("Authorization")
	if err := c.signer.SignHTTP(ctx, creds, r, hex.EncodeToString(sum[:]), service, region, c.now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	return nil
}
