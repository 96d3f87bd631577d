package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/signin"
)

// keptSession is how a command line is signed in to one Plenum.
type keptSession struct {
	Token   string    `json:"token"`
	Member  string    `json:"member"`
	Expires time.Time `json:"expires"`
}

// sessionsFile is where sessions of the command line are kept, by the addresses of the Plenums.
func sessionsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding where to keep the session: %w", err)
	}
	return filepath.Join(dir, "plenum", "sessions.json"), nil
}

func keptSessions() (map[string]keptSession, string, error) {
	path, err := sessionsFile()
	if err != nil {
		return nil, "", err
	}
	all := map[string]keptSession{}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return all, path, nil
	}
	if err != nil {
		return nil, path, err
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, path, fmt.Errorf("%s cannot be read; remove it and sign in again: %w", path, err)
	}
	return all, path, nil
}

// keepSessions writes them, for nobody else to read.
func keepSessions(all map[string]keptSession, path string) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the session: %w", err)
	}
	next := path + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return fmt.Errorf("keeping the session: %w", err)
	}
	return os.Rename(next, path)
}

// keptToken returns the token of the session at a Plenum; empty where there is none.
func keptToken(base string) plenum.Secret {
	all, _, err := keptSessions()
	if err != nil {
		return plenum.Secret{}
	}
	return plenum.NewSecret(all[base].Token)
}

func loginCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in to a running Plenum",
		Long: "Sign in to a running Plenum, by the identity provider that is declared there. It prints an address and a code; open the\n" +
			"address in any browser, sign in, and allow the code. From then on the commands that manage that Plenum act as you, as long\n" +
			"as its sessions last.",
		Example: "  plenum login --url https://plenum.example",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return login(cmd.Context(), r.address(), cmd.OutOrStdout())
		}),
	}
	r.flags(cmd)
	return cmd
}

// login signs in to a Plenum and keeps the session.
func login(ctx context.Context, base string, out io.Writer) error {
	if !plenum.SafeURL(base) {
		return fmt.Errorf("%s is neither https:// nor this machine: over a network, anybody could read the session", base)
	}
	var asked struct {
		Device  string `json:"device_code"`
		Code    string `json:"user_code"`
		Page    string `json:"verification_uri_complete"`
		Expires int    `json:"expires_in"`
		Every   int    `json:"interval"`
	}
	if _, err := post(ctx, base+signin.Path+"/device", nil, &asked); err != nil {
		return err
	}
	if asked.Device == "" {
		return fmt.Errorf("%s has no sign-in; is it a Plenum?", base)
	}
	fmt.Fprintf(out, "  Open     %s\n  Code     %s\n\nWaiting until it is allowed there ...\n", asked.Page, asked.Code)
	until := time.Now().Add(time.Duration(asked.Expires) * time.Second)
	for time.Now().Before(until) {
		if err := clock.Real.Sleep(ctx, time.Duration(max(asked.Every, 1))*time.Second); err != nil {
			return err
		}
		var given struct {
			Token   string `json:"access_token"`
			Expires int    `json:"expires_in"`
			Member  string `json:"member"`
			Error   string `json:"error"`
			Why     string `json:"error_description"`
		}
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {asked.Device}}
		status, err := post(ctx, base+signin.Path+"/token", form, &given)
		switch {
		case given.Error == "authorization_pending":
			continue
		case given.Error != "":
			return errors.New(given.Why)
		case err != nil:
			return err
		case status != http.StatusOK || given.Token == "":
			return fmt.Errorf("%s answers with status %d", base, status)
		}
		all, path, err := keptSessions()
		if err != nil {
			return err
		}
		all[base] = keptSession{Token: given.Token, Member: given.Member, Expires: time.Now().Add(time.Duration(given.Expires) * time.Second)}
		if err := keepSessions(all, path); err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "Signed in to %s as %s, until %s at most.\n", base, given.Member, when(all[base].Expires))
		return err
	}
	return errors.New("nobody allowed it in time; begin again")
}

// post sends a form, or nothing, and reads JSON.
func post(ctx context.Context, address string, form url.Values, into any) (int, error) {
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return 0, fmt.Errorf("the address %q is not usable: %w", address, err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, fmt.Errorf("asking the Plenum, which must be running: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return resp.StatusCode, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return resp.StatusCode, fmt.Errorf("%s answers with status %d; is it a Plenum?", address, resp.StatusCode)
	}
	return resp.StatusCode, nil
}

func logoutCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Sign out of a running Plenum",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			base := r.address()
			all, path, err := keptSessions()
			if err != nil {
				return err
			}
			kept, ok := all[base]
			if !ok {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "You are not signed in to %s.\n", base)
				return err
			}
			q, err := http.NewRequestWithContext(cmd.Context(), http.MethodPost, base+signin.Out, http.NoBody)
			if err != nil {
				return err
			}
			q.Header.Set("Authorization", "Bearer "+kept.Token)
			resp, err := http.DefaultClient.Do(q)
			if err != nil {
				return fmt.Errorf("asking the Plenum, which must be running: %w", err)
			}
			resp.Body.Close()
			if resp.StatusCode >= http.StatusInternalServerError {
				return fmt.Errorf("%s answers with status %d; the session goes on", base, resp.StatusCode)
			}
			delete(all, base)
			if err := keepSessions(all, path); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Signed out of %s.\n", base)
			return err
		}),
	}
	r.flags(cmd)
	return cmd
}

func whoamiCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Say as whom a running Plenum knows you, and what you may do",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			b, err := r.send(cmd.Context(), http.MethodGet, "/me", nil, nil)
			if err != nil {
				return err
			}
			var me admin.Me
			if err := json.Unmarshal(b, &me); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", me.Name)
			for _, role := range me.Roles {
				where := "everywhere"
				switch {
				case role.Project != "":
					where = "in the project " + role.Project
				case role.Publisher != "":
					where = "for the publisher " + role.Publisher
				}
				fmt.Fprintf(cmd.OutOrStdout(), "  %s %s\n", role.Role, where)
			}
			return nil
		}),
	}
	r.flags(cmd)
	return cmd
}
