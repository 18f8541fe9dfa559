package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// elsewhere says that a `watch` has the archive open, and runs the verb for others.
type elsewhere struct{ conn net.Conn }

func (e *elsewhere) Error() string { return "this verb is run by `mailbrick watch`" }

// request is what a client asks a `watch` to run. It holds no secret: those are read from the files that it names.
type request struct {
	Args []string `json:"args"`
}

// sharedVerbs are what a `watch` runs for others: what reads, and what only adds.
func sharedVerbs() []string {
	return []string{"backup", "mailboxes", "snapshots", "ls", "versions", "show", "cat", "search", "report exceptions", "hold refresh",
		"export", "restore", "hold add", "hold list", "hold show", "hold release", "retention plan", "stats", "log"}
}

// filingVerbs read or write files of the user's: they are for him who is the same user as the `watch`.
func filingVerbs() []string { return []string{"backup", "export", "restore", "log"} }

func verbName(c *cli.Context) string {
	_, verb, _ := strings.Cut(c.Command.HelpName, " ")
	return verb
}

// lookElsewhere looks for a `watch` that has the archive open. Where there is none, or it does not run this verb, nothing comes of it.
func lookElsewhere(c *cli.Context) error {
	o := commonOf(c)
	if o.lent != nil || o.archive == "" || !slices.Contains(sharedVerbs(), verbName(c)) {
		return nil
	}
	if f, ok := o.out.(*os.File); ok && c.Command.Name == "cat" && term.IsTerminal(int(f.Fd())) {
		return nil // it will be refused
	}
	local, err := o.place()
	if err != nil {
		return nil // what is wrong with the place, the verb will say
	}
	conn, err := dialSocket(socketPath(local))
	if err != nil {
		return nil // nobody is there
	}
	return &elsewhere{conn}
}

// run has the verb run there and gives its exit code.
func (e *elsewhere) run(ctx context.Context, app *cli.App, args []string) int {
	defer e.conn.Close()
	defer context.AfterFunc(ctx, func() { e.conn.Close() })() // it ends there too, then
	f := newFrames(e.conn)
	code, err := e.ask(f, app, args)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return report(app.ErrWriter, wantsJSON(args), err)
	}
	return code
}

func (e *elsewhere) ask(f *frames, app *cli.App, args []string) (code int, err error) {
	text, err := json.Marshal(request{Args: absolute(app, args)})
	if err != nil {
		return 0, err
	}
	if len(text) > maxArgs {
		return 0, usagef("too many arguments for a running `mailbrick watch`: give ids on standard input")
	}
	if err := f.send(frameArgs, text); err != nil {
		return 0, lostWatch(err)
	}
	go sendInput(f, app.Reader) // ends with the process: nothing can end a read from a terminal
	for {
		kind, data, err := f.next()
		switch {
		case err != nil:
			return 0, lostWatch(err)
		case kind == frameOut:
			_, err = app.Writer.Write(data)
		case kind == frameTalk:
			_, err = app.ErrWriter.Write(data)
		case kind == frameExit && len(data) == 1:
			return int(data[0]), nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func lostWatch(err error) error {
	if errors.Is(err, io.EOF) {
		err = errors.New("it ended")
	}
	return fmt.Errorf("the `mailbrick watch` that has the archive open: %w", err)
}

// sendInput passes standard input on, and its end. An error shows where the answer is read.
func sendInput(f *frames, in io.Reader) {
	if in != nil {
		_, _ = io.Copy(frameWriter{f, frameIn}, in)
	}
	_ = f.send(frameIn, nil)
}

// fileFlags are the flags whose values are paths.
func fileFlags() []string {
	return []string{"archive", "a", "cache", "password-file", "identity", "config", "from", "mailboxes", "user-password-file",
		"client-secret-file", "client-cert", "output", "o", "file", "f", "policy", "checkpoint"}
}

// absolute makes paths mean the same in another working directory. The arguments are as flagsFirst gives them.
func absolute(app *cli.App, args []string) []string {
	verb, at := verbOf(app, args)
	if verb == nil {
		return args
	}
	out, takesValue := slices.Clone(args), valueFlags(verb)
	for i := at; i < len(out) && out[i] != "--"; i++ {
		dashes, name, value, joined := splitFlag(out[i])
		switch {
		case joined && slices.Contains(fileFlags(), name):
			out[i] = dashes + name + "=" + absolutePath(value)
		case !joined && takesValue[name] && i+1 < len(out):
			i++
			if slices.Contains(fileFlags(), name) {
				out[i] = absolutePath(out[i])
			}
		}
	}
	return out
}

func splitFlag(arg string) (dashes, name, value string, joined bool) {
	name = strings.TrimLeft(arg, "-")
	dashes = arg[:len(arg)-len(name)]
	name, value, joined = strings.Cut(name, "=")
	return dashes, name, value, joined
}

func absolutePath(p string) string {
	if p == "" || p == "-" || strings.HasPrefix(p, inStore) {
		return p
	}
	if full, err := filepath.Abs(p); err == nil {
		return full
	}
	return p
}
