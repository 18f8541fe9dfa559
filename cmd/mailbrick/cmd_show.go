package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func newShowCommand() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "show one item",
		UsageText:   "mailbrick show ID[@VERSION] [--props | --text | --headers]",
		Description: "Shows what an item is and where it was. --text shows its body as text, --headers the mail headers it came with,\n--props every property with its canonical name, type and value.\n\nExample:\n  mailbrick show ufafsgqo4sd6iw5xp4h5q6c2fa --text",
		Flags: commonFlags(
			&cli.BoolFlag{Name: "props", Usage: "every property"},
			&cli.BoolFlag{Name: "text", Usage: "the body as text"},
			&cli.BoolFlag{Name: "headers", Usage: "the mail headers"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			if c.NArg() != 1 {
				return usagef("show takes one item id")
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				v, err := itemOf(c.Context, a, c.Args().First())
				if err != nil {
					return err
				}
				switch {
				case c.Bool("props"):
					return o.showProps(c.Context, a, v)
				case c.Bool("text"):
					return o.showPart(c.Context, a, v, "text", (*mapi.Message).BodyText)
				case c.Bool("headers"):
					return o.showPart(c.Context, a, v, "headers", func(m *mapi.Message) string {
						return m.Properties.Text(mapi.PidTagTransportMessageHeaders)
					})
				}
				return o.showItem(v)
			})
		},
	}
}

func (o *common) showItem(v *archive.Version) error {
	if o.json {
		return o.printItem(v)
	}
	l, err := lineOf(v)
	if err != nil {
		return err
	}
	for _, row := range [][2]string{
		{"Item", fmt.Sprintf("%s@%d", l.ID, l.Version)}, {"Mailbox", l.Mailbox}, {"Folder", l.Folder}, {"Class", l.Class},
		{"Subject", l.Subject}, {"From", l.From}, {"To", strings.Join(l.To, "; ")}, {"Cc", strings.Join(l.CC, "; ")},
		{"Sent", l.Sent}, {"Received", l.Received}, {"Attachments", strings.Join(l.Attachments, "; ")},
		{"Size", fmt.Sprint(l.Size)}, {"SHA-256", fmt.Sprintf("%x", v.SHA256)}, {"Seen", l.FirstSeen + " .. " + l.LastSeen}, {"Unparsed", l.Unparsed},
	} {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(o.out, "%-12s %s\n", row[0]+":", plain(row[1])); err != nil {
			return err
		}
	}
	return nil
}

const (
	keepShown = 16 << 20 // the longest value that `show` prints
	roomShown = 64 << 20 // about the memory of all that it prints
)

func (o *common) showPart(ctx context.Context, a *archive.Archive, v *archive.Version, name string, part func(*mapi.Message) string) error {
	m, err := o.message(ctx, a, v)
	if err != nil {
		return err
	}
	text := part(m)
	if o.json {
		return o.print(map[string]string{"id": v.ID.String(), name: text})
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = plain(strings.ReplaceAll(l, "\t", "    "))
	}
	_, err = fmt.Fprintln(o.out, strings.Join(lines, "\n"))
	return err
}

// message reads an item's properties; long values are left out.
func (o *common) message(ctx context.Context, a *archive.Archive, v *archive.Version) (m *mapi.Message, err error) {
	r, err := a.OpenBlob(ctx, v)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return readMessage(r, o.say)
}

func readMessage(r io.Reader, say func(string, ...any)) (*mapi.Message, error) {
	m := &mapi.Message{}
	report, err := fasttransfer.Scan(r, fasttransfer.Visitor{Message: m, Keep: keepShown, Room: roomShown})
	switch {
	case err != nil:
	case report.State != fasttransfer.Complete:
		say("only the first %d bytes could be read: %s; `cat` gives all of it", report.Offset, report.Reason)
	case report.LeftOut > 0:
		say("%d recipients, attachments and properties are left out, behind what takes %d MiB of memory; `cat` gives all of it", report.LeftOut, roomShown>>20)
	}
	return m, err
}

func newCatCommand() *cli.Command {
	return &cli.Command{
		Name:        "cat",
		Usage:       "write an item as it was exported, byte for byte",
		UsageText:   "mailbrick cat ID[@VERSION] > item.fts",
		Description: "Writes the export stream that the server gave. The bytes are checked against the SHA-256 that was taken then.\n\nExample:\n  mailbrick cat ufafsgqo4sd6iw5xp4h5q6c2fa > item.fts",
		Flags:       commonFlags(),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			if c.NArg() != 1 {
				return usagef("cat takes one item id")
			}
			if f, ok := o.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				return usagef("cat writes binary data: send it to a file or another program")
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				v, err := itemOf(c.Context, a, c.Args().First())
				if err != nil {
					return err
				}
				return copyBlob(c.Context, a, v, o.out)
			})
		},
	}
}
