package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
)

func newInitCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "make an archive",
		UsageText: "mailbrick init --archive DIR|s3://BUCKET/PREFIX [--parity] [--password-file F]",
		Description: "Makes an encrypted archive in an empty or new folder, or in a bucket of an object store. Keep the password: without it nobody opens the archive.\n" +
			"In a folder packs and journal are kept with parity, a twentieth more, so that `mailbrick repair` mends what a disk damages. An object\n" +
			"store is taken to do so itself, unless --parity says otherwise.\n\nExample:\n  mailbrick init --archive /srv/mail --password-file /etc/mailbrick/password",
		Flags: commonFlags(
			&cli.BoolFlag{Name: "insecure-no-encryption", Usage: "make an archive that everybody who has its files can read"},
			&cli.BoolFlag{Name: "parity", Usage: "keep parity in an object store, too"},
			&cli.BoolFlag{Name: "no-parity", Usage: "keep no parity: for a disk that mends itself"}),
		Action: func(c *cli.Context) error {
			o := &initOptions{common: commonOf(c), insecure: c.Bool("insecure-no-encryption"), parity: !c.Bool("no-parity")}
			if c.Bool("parity") && c.Bool("no-parity") {
				return usagef("--parity or --no-parity, not both")
			}
			if strings.HasPrefix(o.archive, inStore) {
				o.parity = c.Bool("parity")
			}
			return runInit(c.Context, o)
		},
	}
}

type initOptions struct {
	*common
	insecure, parity bool
}

func runInit(ctx context.Context, o *initOptions) error {
	bucket, err := o.bucket(ctx)
	if err != nil {
		return err
	}
	if err := o.vacant(); err != nil {
		return err
	}
	opts := archive.Options{Bucket: bucket, Parity: o.parity}
	if !o.insecure {
		if opts.Passphrase, err = o.password(ctx, true); err != nil {
			return err
		}
	}
	if err := archive.Init(ctx, opts); err != nil {
		return fmt.Errorf("make archive %s: %w", o.archive, err)
	}
	if err := o.forget(); err != nil {
		return err
	}
	if o.json {
		return o.print(map[string]any{"archive": o.archive, "encrypted": !o.insecure, "parity": opts.Parity})
	}
	o.say("made archive %s", o.archive)
	return nil
}

// vacant refuses a folder that holds anything: a bucket sees only what could be its own.
func (o *common) vacant() error {
	if strings.HasPrefix(o.archive, inStore) {
		return nil // what is no object of ours cannot be in the way there
	}
	entries, err := os.ReadDir(o.archive)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("make archive: %w", err)
	}
	if len(entries) == 1 && entries[0].Name() == "keys" {
		return nil // of an init that was broken off; the bucket knows
	}
	return fmt.Errorf("make archive %s: %w: %s", o.archive, archive.ErrExists, entries[0].Name())
}
