package vertex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/internal/token"
	"github.com/plenum-foundry/plenum/provider"
)

// scope is what tokens are asked for.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// patience bounds one request to a token endpoint.
const patience = 20 * time.Second

// credentials returns what fetches tokens for a connection, and fills in what only the credentials say: the
// project. They are read when a token is fetched, so that a file may change, and nowhere kept where something
// that prints a provider comes upon them.
func credentials(in *provider.Settings) (token.Fetch, error) {
	given := in.Credentials["credentials_json"]
	path := in.Options["credentials_file"]
	switch {
	case !in.Credentials["access_token"].Empty():
		return nil, nil
	case !given.Empty() && path != "":
		return nil, errors.New("credentials.credentials_json and credentials_file: only one of them can be given")
	case !given.Empty():
		text, err := oneLine(given)
		if err != nil {
			return nil, err
		}
		creds := copied(in.Credentials)
		creds["credentials_json"] = text
		in.Credentials = creds
		fill(in, []byte(text.Reveal()))
		return func(ctx context.Context) (token.Token, error) {
			return fetch(ctx, []byte(text.Reveal()), outbound.Private.Leave(patience))
		}, nil
	case path != "":
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("credentials_file: %w", err)
		}
		if err := known(raw); err != nil {
			return nil, fmt.Errorf("credentials_file: %w", err)
		}
		fill(in, raw)
		return func(ctx context.Context) (token.Token, error) {
			raw, err := os.ReadFile(path)
			if err != nil {
				return token.Token{}, advise(err)
			}
			return fetch(ctx, raw, outbound.Identity(patience)) // whoever runs the machine put the file there
		}, nil
	}
	return func(ctx context.Context) (token.Token, error) {
		return fetch(ctx, nil, outbound.Identity(patience))
	}, nil
}

func copied(in map[string]plenum.Secret) map[string]plenum.Secret {
	out := make(map[string]plenum.Secret, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

// oneLine returns credentials without the line breaks between their members, with which people have them.
// What is no JSON at all is found out when a token is fetched with it.
func oneLine(s plenum.Secret) (plenum.Secret, error) {
	var b bytes.Buffer
	if !strings.HasPrefix(strings.TrimSpace(s.Reveal()), "{") {
		return s, nil
	}
	err := json.Compact(&b, []byte(s.Reveal()))
	if err == nil {
		err = known(b.Bytes())
	}
	if err != nil {
		return plenum.Secret{}, errors.New("credentials.credentials_json is not the JSON of a service account's key or of a workload identity federation")
	}
	return plenum.NewSecret(b.String()), nil
}

// kinds are the kinds of credentials that tokens are fetched with.
func kinds() []google.CredentialsType {
	return []google.CredentialsType{
		google.ServiceAccount, google.AuthorizedUser, google.ExternalAccount, google.ExternalAccountAuthorizedUser,
		google.ImpersonatedServiceAccount, google.GDCHServiceAccount,
	}
}

// known checks what credentials say that they are. It repeats nothing of them.
func known(raw []byte) error {
	typ, _, err := about(raw)
	if err != nil {
		return errors.New("it does not hold credentials in JSON")
	}
	for _, k := range kinds() {
		if typ == k {
			return nil
		}
	}
	return errors.New("it holds no kind of credentials that is known")
}

// about reads what credentials say of themselves.
func about(raw []byte) (typ google.CredentialsType, project string, err error) {
	var f struct {
		Type    google.CredentialsType `json:"type"`
		Project string                 `json:"project_id"`
	}
	err = json.Unmarshal(raw, &f)
	return f.Type, f.Project, err
}

// fill sets the project where only the credentials name it.
func fill(in *provider.Settings, raw []byte) {
	if _, project, err := about(raw); err == nil && project != "" && in.Options["project"] == "" {
		options := map[string]string{"project": project}
		for k, v := range in.Options {
			if v != "" {
				options[k] = v
			}
		}
		in.Options = options
	}
}

// fetch gets a new token, with credentials or with those that every Google tool finds. A source of Google's
// library keeps its token to the last; a new one each time does not.
func fetch(ctx context.Context, raw []byte, by *outbound.Route) (token.Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, by.Client(patience))
	creds, err := source(ctx, raw)
	if err != nil {
		return token.Token{}, advise(err)
	}
	t, err := creds.TokenSource.Token()
	if err != nil {
		return token.Token{}, advise(err)
	}
	return token.Token{Value: t.AccessToken, Expires: t.Expiry}, nil
}

func source(ctx context.Context, raw []byte) (*google.Credentials, error) {
	params := google.CredentialsParams{Scopes: []string{scope}}
	if raw == nil {
		return google.FindDefaultCredentialsWithParams(ctx, params)
	}
	typ, _, err := about(raw)
	if err != nil {
		return nil, errors.New("the credentials are not in JSON")
	}
	return google.CredentialsFromJSONWithTypeAndParams(ctx, raw, typ, params)
}

// advise says what to do about a token that could not be fetched.
func advise(err error) error {
	what := "check that the token endpoint can be reached and that the credentials still hold"
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		what = "the credentials were refused: make a new key of the service account, renew the federation, or sign in again (gcloud auth application-default login)"
		if refused.ErrorCode == "" && refused.Response != nil && refused.Response.StatusCode >= http.StatusInternalServerError {
			what = "the token endpoint has a fault of its own; the next call tries again"
		}
	}
	if noneFound(err) {
		what = "give credentials.credentials_json or credentials_file, set GOOGLE_APPLICATION_CREDENTIALS, sign in (gcloud auth application-default login), or run where a service account is attached"
	}
	return fmt.Errorf("fetching an access token from Google: %w; %s", err, what)
}

// noneFound reports whether there were no credentials at all. The library has no error of its own for it.
func noneFound(err error) bool {
	return bytes.Contains([]byte(err.Error()), []byte("could not find default credentials"))
}
