package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/archive/seal"
)

func newKeyCommand() *cli.Command {
	return &cli.Command{
		Name:      "key",
		Usage:     "who can open the archive: list, add, remove, rotate",
		UsageText: "mailbrick key list|add|remove|rotate [flags]",
		Description: "An archive has one key and any number of holders who can open it, each with a password or a key of his own. " +
			"Holders' names are read only by those who can open the archive.\n\nExample:\n  mailbrick key list",
		Subcommands: []*cli.Command{newKeyListCommand(), newKeyAddCommand(), newKeyRemoveCommand(), newKeyRotateCommand()},
	}
}

func newKeyListCommand() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the holders",
		UsageText:   "mailbrick key list",
		Description: "Fingerprints of SSH keys are those of `ssh-keygen -l`.\n\nExample:\n  mailbrick key list --json",
		Flags:       commonFlags(),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withKeys(c.Context, func(k *archive.Keys) error { return o.listHolders(c.Context, k) })
		},
	}
}

func newKeyAddCommand() *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "let somebody, or a machine, open the archive",
		UsageText: "mailbrick key add --name N [--passphrase-file F | --recipient age1...|\"ssh-...\" | --host-identity FILE]",
		Description: "Adds a holder: another password (asked for if nothing else is said), a public key of age, of a plugin of age or of SSH, " +
			"or this machine, by an identity in FILE that is made if it is not there. With --identity FILE, or MAILBRICK_IDENTITY, " +
			"a command needs no password, and no tenth of a second to try it.\n\n" +
			"Example:\n  mailbrick key add --name \"backup server\" --host-identity /etc/mailbrick/identity\n" +
			"  mailbrick key add --name ann --recipient \"$(cat ann.pub)\"",
		Flags: commonFlags(
			&cli.StringFlag{Name: "name", Usage: "`N` says who it is"},
			&cli.StringFlag{Name: "passphrase-file", Usage: "read the new password from `F`"},
			&cli.StringFlag{Name: "recipient", Usage: "public key `R`: age1..., or a line of an SSH .pub file (ed25519, RSA)"},
			&cli.StringFlag{Name: "host-identity", Usage: "identity of this machine in `FILE`, which is made if it is not there"}),
		Action: func(c *cli.Context) error {
			return runKeyAdd(c.Context, commonOf(c), newHolder{name: c.String("name"), passphraseFile: c.String("passphrase-file"),
				recipient: c.String("recipient"), hostIdentity: c.String("host-identity")})
		},
	}
}

func newKeyRemoveCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "take a holder's key away",
		UsageText: "mailbrick key remove ID",
		Description: "The holder cannot open the archive any more, unless he kept a copy of the archive's files: with such a copy he can go on " +
			"reading what was stored until the key is rotated, and then until packs are written anew. The last holder stays.\n\n" +
			"Example:\n  mailbrick key remove 5f3a9c0d1e2b4a67",
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("name one holder by its id; `mailbrick key list` shows them")
			}
			return runKeyRemove(c.Context, commonOf(c), c.Args().First())
		},
	}
}

func newKeyRotateCommand() *cli.Command {
	return &cli.Command{
		Name:      "rotate",
		Usage:     "make a new generation of the key",
		UsageText: "mailbrick key rotate",
		Description: "What is stored from then on is sealed under the new generation, which only the holders of now get. What was stored before " +
			"stays as it is and can be read by them; holders need do nothing. It refuses where somebody has a key file whom the journal has not added.\n\nExample:\n  mailbrick key rotate",
		Flags:  commonFlags(),
		Action: func(c *cli.Context) error { return runKeyRotate(c.Context, commonOf(c)) },
	}
}

// withKeys opens the keys, which needs no catalog, and works beside a command that has the archive.
func (o *common) withKeys(ctx context.Context, work func(k *archive.Keys) error) error {
	bucket, err := o.bucket(ctx)
	if err != nil {
		return err
	}
	k, err := archive.OpenKeys(ctx, archive.Options{Bucket: bucket, Catalog: filepath.Join(o.local, "catalog"), Secrets: o.secrets, Machine: machine(), AnyClock: anyClock()})
	if err != nil {
		return fmt.Errorf("open archive %s: %w", o.archive, err)
	}
	return work(k)
}

func (o *common) listHolders(ctx context.Context, k *archive.Keys) error {
	holders, err := k.Holders(ctx)
	if err != nil {
		return err
	}
	for _, h := range holders {
		if err := o.printHolder(h); err != nil {
			return err
		}
	}
	return nil
}

func (o *common) printHolder(h archive.Holder) error {
	trouble := ""
	if h.Err != nil {
		trouble = h.Err.Error()
	}
	if o.json {
		return o.print(struct {
			ID          string `json:"id"`
			Kind        string `json:"kind"`
			Name        string `json:"name"`
			Created     string `json:"created"`
			Fingerprint string `json:"fingerprint"`
			Generation  uint32 `json:"generation"`
			Error       string `json:"error,omitempty"`
		}{h.ID, string(h.Kind), h.Name, moment(h.Created), h.Fingerprint(), h.Generation, trouble})
	}
	if trouble != "" {
		_, err := fmt.Fprintf(o.out, "%s  %-11s  opens nothing: %s\n", h.ID, h.Kind, plain(trouble))
		return err
	}
	_, err := fmt.Fprintf(o.out, "%s  %-11s  %s  %s  %s\n", h.ID, h.Kind, moment(h.Created), h.Fingerprint(), plain(h.Name))
	return err
}

// newHolder is who is to be added.
type newHolder struct{ name, passphraseFile, recipient, hostIdentity string }

func runKeyAdd(ctx context.Context, o *common, n newHolder) error {
	if n.name == "" {
		return usagef("no name: give --name N, so that you know later who it is")
	}
	ways := 0
	for _, way := range []string{n.passphraseFile, n.recipient, n.hostIdentity} {
		if way != "" {
			ways++
		}
	}
	if ways > 1 {
		return usagef("give one of --passphrase-file, --recipient and --host-identity")
	}
	var to seal.Recipient
	if n.recipient != "" {
		var err error
		if to, err = seal.ParseRecipient(n.recipient, o.sealTalk(ctx)); err != nil {
			return &usage{fmt.Errorf("--recipient: %w", err)}
		}
	}
	return o.withKeys(ctx, func(k *archive.Keys) (err error) {
		if n.recipient == "" {
			if to, err = o.madeRecipient(ctx, n); err != nil {
				return err
			}
		}
		h, err := k.Add(ctx, to, n.name)
		if errors.Is(err, seal.ErrName) {
			return &usage{err}
		}
		if err != nil {
			return err
		}
		o.say("added")
		return o.printHolder(h)
	})
}

// madeRecipient makes the key of a holder who brings none. It comes after the archive was opened: a wrong key leaves nothing
// behind.
func (o *common) madeRecipient(ctx context.Context, n newHolder) (seal.Recipient, error) {
	switch {
	case n.hostIdentity != "":
		return o.hostIdentity(n.hostIdentity)
	case n.passphraseFile != "":
		p, err := readSecret(n.passphraseFile)
		if err != nil {
			return seal.Recipient{}, err
		}
		return seal.PassphraseRecipient(p, 0)
	}
	p, err := o.askTwice(ctx, "new password: ", "give --passphrase-file, --recipient or --host-identity")
	if err != nil {
		return seal.Recipient{}, err
	}
	return seal.PassphraseRecipient(p, 0)
}

func runKeyRemove(ctx context.Context, o *common, id string) error {
	return o.withKeys(ctx, func(k *archive.Keys) error {
		if err := k.Remove(ctx, id); err != nil {
			return err
		}
		if o.json {
			if err := o.print(map[string]string{"removed": id}); err != nil {
				return err
			}
		}
		o.say("removed %s", id)
		o.warn("who had this key and a copy of the archive's files can go on reading what was stored, " +
			"until the key is rotated and the packs are written anew")
		return nil
	})
}

func runKeyRotate(ctx context.Context, o *common) error {
	return o.withKeys(ctx, func(k *archive.Keys) error {
		generation, err := k.Rotate(ctx)
		if err != nil {
			return err
		}
		o.say("generation %d of the key; these can open the archive:", generation)
		return o.listHolders(ctx, k)
	})
}
