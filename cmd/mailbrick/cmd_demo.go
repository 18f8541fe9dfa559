package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/fetch/exchangetest"
)

func newDemoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "show the whole story on a simulated Exchange",
		UsageText: "mailbrick demo [--keep]",
		Description: "Makes mail, serves it with a simulated Exchange on loopback, backs it up, changes it, backs it up again, searches then\n" +
			"and now, puts a deleted message back, exports it and checks everything. Everything lies in a scratch folder that is\n" +
			"removed at the end.\n\nExample:\n  mailbrick demo --keep",
		Flags:  append(talkFlags(), &cli.BoolFlag{Name: "keep", Usage: "leave the scratch folder and say where it is"}),
		Action: func(c *cli.Context) error { return runDemo(c.Context, commonOf(c), c.Bool("keep")) },
	}
}

// demo is the story with what it has made so far.
type demo struct {
	*common
	dir    string
	mail   *demoMail
	server *server
	before time.Time // after the first backup
	lost   *archive.Version
	step   int
}

func runDemo(ctx context.Context, o *common, keep bool) (err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "mailbrick-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() {
		if keep {
			o.say("kept: %s (the archive's password is in the file password)", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	d := &demo{common: o, dir: dir, mail: newDemoMail(filepath.Join(dir, "mail"))}
	stop, err := d.exchange(ctx)
	if err != nil {
		return err
	}
	err = d.story(ctx)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	return d.figure("demo", fmt.Sprintf("done in %.1f s", time.Since(start).Seconds()), map[string]any{"seconds": time.Since(start).Seconds()})
}

// exchange makes the mail and serves it.
func (d *demo) exchange(ctx context.Context) (stop func() error, err error) {
	if err := d.mail.write(); err != nil {
		return nil, err
	}
	s := exchangetest.New(exchangetest.Options{TempDir: d.dir})
	s.AddAccount("backup", "secret")
	for _, p := range d.mail.people {
		if err := s.Load(d.mail.address(p), filepath.Join(d.mail.dir, p)); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	d.server = &server{url: ewsURL(l), impersonate: true, endpoints: endpoints{sign: &signIn{how: "basic", user: "backup", password: "secret"}}}
	d.archive = filepath.Join(d.dir, "archive")
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, s.HTTPServer()) }()
	err = d.figure("simulated Exchange", fmt.Sprintf("%d mailboxes, %d messages", len(d.mail.people), d.mail.written), nil)
	return func() error {
		cancel()
		return errors.Join(<-done, s.Close())
	}, err
}

// figure prints a step of the story.
func (d *demo) figure(what, text string, more map[string]any) error {
	d.step++
	if d.json {
		line := map[string]any{"step": d.step, "what": what, "text": text}
		for k, v := range more {
			line[k] = v
		}
		return d.print(line)
	}
	_, err := fmt.Fprintf(d.out, "%2d  %-22s %s\n", d.step, what, text)
	return err
}

// quietly is the demo's options for a verb whose own output is not part of the story.
func (d *demo) quietly() *common {
	o := *d.common
	o.quiet, o.out = true, io.Discard
	return &o
}

func (d *demo) story(ctx context.Context) error {
	d.passwordFile = filepath.Join(d.dir, "password")
	if err := os.WriteFile(d.passwordFile, []byte("demo\n"), 0o600); err != nil {
		return err
	}
	if err := runInit(ctx, &initOptions{common: d.quietly(), parity: true}); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.firstBackup, d.changes, d.secondBackup, d.thirdBackup, d.search, d.bringBack, d.export, d.check} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
