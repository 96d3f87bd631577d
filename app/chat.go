package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/app/chat"
	"github.com/plenum-foundry/plenum/config"
)

// caller is where a running Plenum is called and with which key.
type caller struct {
	url string
	key string
}

func (c *caller) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.url, "url", "", "the `address` of the Plenum; PLENUM_URL if left out, or else http://"+config.New().Listen)
	cmd.Flags().StringVar(&c.key, "key", "", "the `key` to call with; PLENUM_KEY if left out")
}

// address returns where the Plenum is.
func (c *caller) address() string {
	if c.url != "" {
		return c.url
	}
	if env := os.Getenv("PLENUM_URL"); env != "" {
		return env
	}
	return "http://" + config.New().Listen
}

// secret returns the key.
func (c *caller) secret() plenum.Secret {
	if c.key != "" {
		return plenum.NewSecret(c.key)
	}
	return plenum.NewSecret(os.Getenv("PLENUM_KEY"))
}

func (c *caller) client() (*chat.Client, error) {
	key := c.secret()
	if key.Empty() {
		return nil, errors.New("a key is missing: `plenum up` shows one at its first start, `plenum create key NAME` makes another; give it as PLENUM_KEY, or with --key")
	}
	return chat.NewClient(c.address(), key)
}

func chatCommand() *cobra.Command {
	var c caller
	var system string
	var forget bool
	cmd := &cobra.Command{
		Use:   "chat [DEPLOYMENT]",
		Short: "Talk to a model in the terminal",
		Long: "Talk to a model of a running Plenum in the terminal. /help there tells what can be done.\n\n" +
			"Where the input or the output is no terminal, the whole input is one prompt and the bare answer is the output.",
		Example: "  plenum chat\n" +
			"  plenum chat grok --url https://plenum.example.com\n" +
			"  git diff | plenum chat --system 'Write a commit message for this change.'",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client()
			if err != nil {
				return err
			}
			s := &chat.Session{Client: client, Out: cmd.OutOrStdout(), Model: strings.Join(args, ""), System: system}
			return talk(cmd, s, forget)
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&system, "system", "", "the `instructions` that the model is given")
	cmd.Flags().BoolVar(&forget, "no-history", false, "do not remember what was asked for the next time")
	return cmd
}

// talk holds a conversation where there is a terminal, and asks once where there is none.
func talk(cmd *cobra.Command, s *chat.Session, forget bool) error {
	in, out := cmd.InOrStdin(), cmd.OutOrStdout()
	if !isTerminal(out) || !readsTerminal(in) {
		return askOnce(cmd, s, in)
	}
	s.Style = chat.Style{Color: colorful()}
	if os.Getenv("TERM") == "dumb" {
		// Ctrl-C is the session's: it ends an answer. Being told to end from outside ends all.
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
		defer stop()
		s.In = chat.NewLines(in, out)
		return s.Run(ctx)
	}
	// Ctrl-C is a key like any other here, so that every signal comes from outside.
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	path := ""
	if !forget {
		path = historyPath()
	}
	h, err := chat.OpenHistory(path)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "plenum: %v\n", err)
	}
	editor, err := chat.OpenEditor(in, out)
	if err != nil {
		return err
	}
	defer editor.Close()
	editor.Style, editor.History, editor.Complete = s.Style, h, s.Complete
	s.In = editor
	return s.Run(ctx)
}

// maxPrompt is the longest prompt that is read from a file or a pipe.
const maxPrompt = 32 << 20

func askOnce(cmd *cobra.Command, s *chat.Session, in io.Reader) error {
	return stoppable(func(cmd *cobra.Command, _ []string) error {
		text, err := readAll(cmd.Context(), in)
		if err != nil {
			return fmt.Errorf("reading the prompt: %w", err)
		}
		if strings.TrimSpace(text) == "" {
			return errors.New("the prompt is empty; write it to the input: echo 'What is gravity?' | plenum chat")
		}
		var notes io.Writer
		if w := cmd.ErrOrStderr(); isTerminal(w) {
			notes, s.Style = w, chat.Style{Color: colorful()}
		}
		return s.Once(cmd.Context(), text, notes)
	})(cmd, nil)
}

// readAll reads the input to its end, or until ctx ends.
func readAll(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(in, maxPrompt+1))
		if err == nil && len(text) > maxPrompt {
			err = fmt.Errorf("it is longer than %s", config.Size(maxPrompt))
		}
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return string(r.text), r.err
	case <-ctx.Done():
		return "", ctx.Err() // the process ends, and the read with it
	}
}

func readsTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colorful reports whether words may be set off by color; see no-color.org.
func colorful() bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// historyPath is where what was asked is remembered; "" where there is no such place.
func historyPath() string {
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, plenum.Product, "chat_history")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", plenum.Product, "chat_history")
}
