package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/internal/token"
	"github.com/plenum-foundry/plenum/provider"
)

// The ways to authenticate besides a key.
const (
	entra            = "entra"
	managedIdentity  = "managed_identity"
	workloadIdentity = "workload_identity"
)

// What tokens are asked for: the resource's own scope, and that of Foundry, at whose door Claude is.
const (
	resourceScope = "https://cognitiveservices.azure.com/.default"
	foundryScope  = "https://ai.azure.com/.default"
)

// entraFields are the settings of Microsoft Entra ID.
func entraFields() []provider.Field {
	return []provider.Field{
		{
			Name: "auth", Title: "Authentication",
			Help: "How to authenticate instead of by a key: entra (a client secret if one is given, else as every Azure tool does), managed_identity or workload_identity.",
		},
		{Name: "tenant_id", Title: "Tenant", Env: []string{"AZURE_TENANT_ID"}, Help: "The id of the Entra tenant."},
		{Name: "client_id", Title: "Client", Env: []string{"AZURE_CLIENT_ID"}, Help: "The id of the application, or of the managed identity assigned by the user."},
		{Name: "client_secret", Title: "Client secret", Secret: true, Env: []string{"AZURE_CLIENT_SECRET"}, Help: "The secret of the application, for auth: entra."},
		{Name: "authority", Title: "Authority", Env: []string{"AZURE_AUTHORITY_HOST"}, Help: "The address of Entra ID in a cloud of its own, such as https://login.microsoftonline.us."},
		{Name: "scope", Title: "Scope", Help: "What tokens are asked for; left out it is " + resourceScope + ", and for Claude " + foundryScope + "."},
	}
}

// entraTokens returns what fetches tokens for a connection, or nil where it has a key. The way to the authority is
// client's; nil is a guarded one.
func entraTokens(in provider.Settings, client *http.Client) (func(scope string) *token.Source, error) {
	if in.Options["auth"] == "" {
		return nil, nil
	}
	cred, err := credential(in, options(in, client))
	if err != nil {
		return nil, err
	}
	return func(scope string) *token.Source {
		if s := in.Options["scope"]; s != "" {
			scope = s
		}
		return token.New(func(ctx context.Context) (token.Token, error) {
			t, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
			if err != nil {
				return token.Token{}, advise(err)
			}
			return token.Token{Value: t.Token, Expires: t.ExpiresOn}, nil
		}, nil)
	}, nil
}

// patience bounds one request for a token.
const patience = 30 * time.Second

// way is how tokens are asked for: the addresses of a machine's identity are for those who ask for it.
func way(in provider.Settings) *outbound.Route {
	switch auth := in.Options["auth"]; {
	case auth == managedIdentity, auth == entra && in.Credentials["client_secret"].Empty():
		return outbound.Identity(patience)
	}
	return outbound.Private.Leave(patience)
}

// options are what all credentials are made with.
func options(in provider.Settings, client *http.Client) azcore.ClientOptions {
	o := azcore.ClientOptions{Telemetry: policy.TelemetryOptions{Disabled: true}}
	if client == nil {
		client = way(in).Client(patience)
	}
	o.Transport = client
	if a := in.Options["authority"]; a != "" {
		o.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: strings.TrimRight(a, "/") + "/"}
	}
	return o
}

// credential returns the credential that a connection asks for. Making one sends nothing.
func credential(in provider.Settings, o azcore.ClientOptions) (azcore.TokenCredential, error) {
	tenant, client, secret := in.Options["tenant_id"], in.Options["client_id"], in.Credentials["client_secret"]
	own := in.Options["authority"] != "" // an authority of one's own is not looked up at Microsoft's
	var cred azcore.TokenCredential
	var err error
	switch in.Options["auth"] {
	case entra:
		switch {
		case secret.Empty():
			cred, err = azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o, TenantID: tenant, DisableInstanceDiscovery: own})
		case tenant == "" || client == "":
			return nil, errors.New("tenant_id and client_id belong to credentials.client_secret: one of them is missing")
		default:
			cred, err = azidentity.NewClientSecretCredential(tenant, client, secret.Reveal(), &azidentity.ClientSecretCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: own})
		}
	case managedIdentity:
		m := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o}
		if client != "" {
			m.ID = azidentity.ClientID(client)
		}
		cred, err = azidentity.NewManagedIdentityCredential(m)
	case workloadIdentity:
		cred, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: o, TenantID: tenant, ClientID: client, DisableInstanceDiscovery: own})
	default:
		return nil, fmt.Errorf("auth: %q is not %s, %s or %s", in.Options["auth"], entra, managedIdentity, workloadIdentity)
	}
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return cred, nil
}

// scopeOf returns what a token for a dialect is asked for.
func scopeOf(dialect string) string {
	if dialect == anthropic.Name {
		return foundryScope
	}
	return resourceScope
}

// advise says what to do about a token that could not be fetched.
func advise(err error) error {
	what := "check that Entra ID can be reached from here"
	if _, refused := errors.AsType[*azidentity.AuthenticationFailedError](err); refused {
		what = "Entra ID refused: check tenant_id and client_id, renew the client secret or the federated credential, and give the identity a role on the resource (Cognitive Services User)"
	} else if strings.Contains(err.Error(), "DefaultAzureCredential") {
		what = "no credential was found: give credentials.client_secret with tenant_id and client_id, run where a managed identity is assigned, or sign in (az login)"
	}
	return fmt.Errorf("fetching an access token from Entra ID: %w; %s", err, what)
}
