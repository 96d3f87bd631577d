// Package awskms takes master keys from AWS's Key Management Service: what seals and opens data keys there never leaves it.
//
// The address of a key is aws-kms:// and its ARN (Tink's form, https://developers.google.com/tink/get-key-uri). Who Plenum is
// to AWS comes from where the AWS SDKs look: the environment, the shared files, the container's or the machine's identity.
package awskms

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/plenum-foundry/plenum/internal/outbound"
)

const prefix = "aws-kms://"

// patience bounds one request to the service; the SDK tries again.
const patience = 10 * time.Second

// Service is AWS's Key Management Service.
type Service struct{}

// Supported reports whether an address is that of a key there.
func (Service) Supported(uri string) bool { return strings.HasPrefix(uri, prefix) }

// GetAEAD returns what has the service seal and open with a key.
func (Service) GetAEAD(uri string) (tink.AEAD, error) {
	region, err := regionOf(uri)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	identity := client(outbound.Identity(patience))
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(region), config.WithHTTPClient(identity),
		// What asks a container's endpoint makes a client of its own unless it is given one here.
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = identity }),
	)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	// A private network may have an endpoint of the service within it.
	service := kms.NewFromConfig(cfg, func(o *kms.Options) { o.HTTPClient = client(outbound.Private.Leave(patience)) })
	c, err := awskms.NewClientWithOptions(ctx, uri, awskms.WithKMS(service))
	if err != nil {
		return nil, err
	}
	return c.GetAEAD(uri)
}

// regionOf returns where a key is, which its ARN says: arn:aws:kms:REGION:ACCOUNT:key/ID.
func regionOf(uri string) (string, error) {
	parts := strings.Split(strings.TrimPrefix(uri, prefix), ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "kms" || parts[3] == "" || parts[5] == "" {
		return "", fmt.Errorf("%q is no address of a key of AWS KMS: it is %sarn:aws:kms:REGION:ACCOUNT:key/ID", uri, prefix)
	}
	return parts[3], nil
}

// client sends requests by a route.
func client(by *outbound.Route) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(patience).
		WithTransportOptions(func(t *http.Transport) { t.Proxy, t.DialContext = by.Proxy, by.DialContext })
}
