package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
)

// socketPath is where the `watch` of an archive listens. The folder is closed to others.
func socketPath(local string) string { return filepath.Join(local, "catalog", "watch.sock") }

// socket is where other processes have their verbs run on the archive that `watch` has open.
type socket struct {
	lent  *lent
	log   *slog.Logger
	at    net.Listener
	seats chan struct{} // verbs at once
}

const verbsAtOnce = 16

// listenSocket begins to listen. The archive's lock is ours, so whatever is there is left over from a `watch` that was killed.
func listenSocket(path string, l *lent, log *slog.Logger) (*socket, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	at, err := listenAt(path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, at.Close())
	}
	return &socket{lent: l, log: log, at: at, seats: make(chan struct{}, verbsAtOnce)}, nil
}

// serve runs verbs until the context ends; those at hand have ended when it returns.
func (s *socket) serve(ctx context.Context) {
	var verbs sync.WaitGroup
	defer verbs.Wait()
	defer context.AfterFunc(ctx, func() { s.at.Close() })()
	for {
		conn, err := s.at.Accept()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Warn("socket closed", "cause", err)
			return
		}
		verbs.Go(func() {
			defer conn.Close()
			if err := s.one(ctx, conn); err != nil && ctx.Err() == nil {
				s.log.Warn("verb not run", "cause", err)
			}
		})
	}
}

// patience is how long a client may take to say what it wants.
const patience = 10 * time.Second

// one runs the verb that a client asks for.
func (s *socket) one(ctx context.Context, conn net.Conn) error {
	uid, err := peer(conn)
	if err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	f := newFrames(conn)
	kind, text, err := f.next()
	if err != nil || kind != frameArgs {
		return fmt.Errorf("a client that makes no request: %w", err)
	}
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("a client's request: %w", err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	select {
	case s.seats <- struct{}{}:
		defer func() { <-s.seats }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return f.send(frameExit, []byte{byte(s.run(ctx, f, r.Args, uid))})
}

// run runs a verb whose input and output are the client's.
func (s *socket) run(ctx context.Context, f *frames, args []string, uid int) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, feed := io.Pipe()
	defer in.Close()
	go feedInput(f, feed, cancel) // ends when the connection is closed
	talk := frameWriter{f, frameTalk}
	app := newApp(in, frameWriter{f, frameOut}, talk)
	app.Metadata = map[string]any{lentKey: s.lent}
	if err := s.allowed(app, args, uid); err != nil {
		return report(talk, wantsJSON(args), err)
	}
	return runWith(ctx, args, app)
}

// feedInput gives the client's input to the verb, and ends it when the client is gone.
func feedInput(f *frames, feed *io.PipeWriter, gone func()) {
	defer gone()
	for {
		kind, data, err := f.next()
		switch {
		case err != nil || kind != frameIn:
			feed.CloseWithError(io.ErrUnexpectedEOF)
			return
		case len(data) == 0:
			feed.Close()
		default:
			_, _ = feed.Write(data) // who does not read it does not miss it
		}
	}
}

func (s *socket) allowed(app *cli.App, args []string, uid int) error {
	verb, _ := verbOf(app, args)
	name := ""
	if verb != nil {
		name = fullName(app, verb)
	}
	switch {
	case !slices.Contains(sharedVerbs(), name):
		return usagef("a running `mailbrick watch` does not do this: stop it first")
	case uid != os.Getuid() && slices.Contains(filingVerbs(), name):
		return usagef("%s uses files, and would do so as another user, that of the running `mailbrick watch`: run it as that user", name)
	}
	return nil
}

// fullName is a verb with those above it.
func fullName(app *cli.App, verb *cli.Command) string {
	for _, c := range app.Commands {
		if c == verb {
			return c.Name
		}
		for _, below := range c.Subcommands {
			if below == verb {
				return c.Name + " " + below.Name
			}
		}
	}
	return ""
}

// sunPath is how long a socket's path may be where there are shortest limits, with its end.
const sunPath = 100

func listenAt(path string) (net.Listener, error) {
	short, done, err := shortened(path)
	if err != nil {
		return nil, err
	}
	defer done()
	at, err := net.Listen("unix", short)
	if u, ok := at.(*net.UnixListener); ok && short != path {
		u.SetUnlinkOnClose(false) // by then the short path means nothing
	}
	return at, err
}

func dialSocket(path string) (net.Conn, error) {
	if _, err := os.Lstat(path); err != nil {
		return nil, err
	}
	short, done, err := shortened(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return net.DialTimeout("unix", short, patience)
}

// shortened is another path to the same socket where the limit of paths is too short for it.
func shortened(path string) (short string, done func(), err error) {
	if len(path) <= sunPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if _, err := os.Stat(filepath.Dir(short)); err != nil {
		return "", nil, errors.Join(fmt.Errorf("the path %s is too long for a socket", path), dir.Close())
	}
	return short, func() { dir.Close() }, nil
}
