package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"mailbrick/archive"
	"mailbrick/archive/seal"
)

// secrets gives what the archive is opened with: an identity, a password, or both. Nobody is asked for a password who named
// an identity.
func (o *common) secrets(ctx context.Context, opts *archive.Options) (err error) {
	opts.Talk = o.sealTalk(ctx)
	if o.identity != "" {
		if opts.Identities, err = o.readIdentities(o.identity, opts.Talk); err != nil || !o.passwordGiven() {
			return err
		}
	}
	opts.Passphrase, err = o.password(ctx, false)
	return err
}

func (o *common) passwordGiven() bool {
	return o.passwordFile != "" || os.Getenv("MAILBRICK_PASSWORD") != ""
}

// sealTalk lets a plugin, or an SSH key with a passphrase, reach the person at the terminal.
func (o *common) sealTalk(ctx context.Context) seal.Talk {
	return seal.Talk{
		Show: func(message string) { o.warn("%s", message) },
		Ask: func(prompt string) (string, error) {
			return o.ask(ctx, plain(prompt), "use an identity that asks for nothing")
		},
	}
}

func (o *common) readIdentities(file string, talk seal.Talk) ([]seal.Identity, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode()&0o077 != 0 && runtime.GOOS != "windows" {
		o.warn("%s opens the archive, and others than its owner may read it: chmod 600 it", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, secretLimit+1))
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	identities, err := seal.ParseIdentities(data, talk)
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", file, err)
	}
	return identities, nil
}

// hostIdentity gives the recipient of an identity file, and makes one where there is none. The file is durable before
// anything is made for it.
func (o *common) hostIdentity(file string) (seal.Recipient, error) {
	if _, err := os.Lstat(file); err == nil {
		identities, err := o.readIdentities(file, seal.Talk{})
		if err != nil {
			return seal.Recipient{}, err
		}
		return identities[0].Recipient()
	}
	identity, text, err := seal.NewIdentity()
	if err != nil {
		return seal.Recipient{}, err
	}
	head := "# Identity of this machine for Mailbrick archives. Whoever reads this file can read them.\n"
	if err := writeSecret(file, append([]byte(head), text...)); err != nil {
		return seal.Recipient{}, fmt.Errorf("write identity: %w", err)
	}
	o.say("made %s", file)
	return identity.Recipient()
}

// writeSecret makes a file that only its owner may read, and never writes over one.
func writeSecret(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(file) // half of an identity is none; the first error is the one to tell
		return err
	}
	return syncFolder(filepath.Dir(file))
}

// syncFolder makes a new file's name durable; Windows has no way to and needs none.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
