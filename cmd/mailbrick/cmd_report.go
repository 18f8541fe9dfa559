package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/index"
)

func newReportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "say what the archive has, and what it has not",
		UsageText: "mailbrick report exceptions",
		Description: "Reports read the archive and the index; no server is asked.\n\n" +
			"Example:\n  mailbrick report exceptions --archive /srv/mail --mailbox ann@example.com",
		Subcommands: []*cli.Command{newReportExceptionsCommand()},
	}
}

func newReportExceptionsCommand() *cli.Command {
	return &cli.Command{
		Name:      "exceptions",
		Usage:     "list what is not backed up, cannot be read or is not searched in full, and why",
		UsageText: "mailbrick report exceptions [--mailbox ADDRESS]",
		Description: "One line for each\n" +
			"  item       that could not be fetched; the next backup tries it again\n" +
			"  folder     that could not be read\n" +
			"  coverage   part of a mailbox that the last run did not cover, and folders left out\n" +
			"  unparsed   item that is kept as it is though it could not be read\n" +
			"  text       item of which not all text is searched\n\n" +
			"Example:\n  mailbrick report exceptions --json | jq -r 'select(.kind==\"item\") | .mailbox' | sort | uniq -c",
		Flags: commonFlags(&cli.StringFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "of `ADDRESS` only"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				return o.withIndex(c.Context, a, func(x *index.Index) error {
					return runExceptions(c.Context, o, a, x, strings.ToLower(c.String("mailbox")))
				})
			})
		},
	}
}

// exceptionLine is one thing that is not as it should be, or not there.
type exceptionLine struct {
	Kind    string `json:"kind"` // item, folder, coverage, unparsed, text
	Mailbox string `json:"mailbox"`
	ID      string `json:"id,omitempty"`      // the archive's
	ItemID  string `json:"item_id,omitempty"` // the server's
	Folder  string `json:"folder,omitempty"`
	Part    string `json:"part,omitempty"`
	State   string `json:"state,omitempty"`
	Cause   string `json:"cause,omitempty"`
	Since   string `json:"since,omitempty"`
	Retry   string `json:"retry,omitempty"`
}

// retryNext is when items and folders that failed are asked for again.
const retryNext = "next backup"

func failureLine(mailbox string, f fetch.Failure) exceptionLine {
	line := exceptionLine{Kind: "item", Mailbox: mailbox, ItemID: f.ItemID, Folder: f.Folder, Cause: f.Cause, Since: moment(f.Since.Truncate(time.Second)), Retry: retryNext}
	if f.ItemID == "" {
		line.Kind = "folder"
	}
	return line
}

func runExceptions(ctx context.Context, o *common, a *archive.Archive, x *index.Index, mailbox string) error {
	unsearched := map[[32]byte]string{}
	for sum, reason := range x.Exceptions() {
		unsearched[sum] = reason
	}
	found := false
	for _, s := range a.Mailboxes() {
		if mailbox != "" && s.Mailbox != mailbox {
			continue
		}
		found = true
		if err := o.missing(ctx, a, s); err != nil {
			return err
		}
		if err := o.unreadable(ctx, a, s, unsearched); err != nil {
			return err
		}
	}
	if !found && mailbox != "" {
		return fmt.Errorf("mailbox %s: %w", mailbox, archive.ErrNotFound)
	}
	return nil
}

// missing lists what the last run of a mailbox could not get or did not look at.
func (o *common) missing(ctx context.Context, a *archive.Archive, s archive.Snapshot) error {
	folders, err := a.Folders(ctx, s)
	if err != nil {
		return err
	}
	coverage, failures, err := fetch.Recorded(ctx, a, s.Mailbox, folders)
	if err != nil {
		return err
	}
	for _, f := range failures {
		if err := o.printException(failureLine(s.Mailbox, f)); err != nil {
			return err
		}
	}
	for _, line := range coverageLines(s.Mailbox, coverage) {
		if err := o.printException(line); err != nil {
			return err
		}
	}
	return nil
}

func coverageLines(mailbox string, c fetch.Coverage) (lines []exceptionLine) {
	for _, g := range c.Gaps {
		lines = append(lines, exceptionLine{Kind: "folder", Mailbox: mailbox, Folder: g.Folder, Cause: g.Cause, Since: moment(g.Since), Retry: retryNext})
	}
	for _, p := range c.Parts {
		if p.State != fetch.Covered && p.State != fetch.Apart {
			lines = append(lines, exceptionLine{Kind: "coverage", Mailbox: mailbox, Part: p.Name, State: string(p.State), Cause: p.Reason})
		}
	}
	for _, folder := range c.Skipped {
		lines = append(lines, exceptionLine{Kind: "coverage", Mailbox: mailbox, Folder: folder, State: "left out", Cause: "by --include or --exclude"})
	}
	return lines
}

// unreadable lists the items that are there and could not be read, or not in full.
func (o *common) unreadable(ctx context.Context, a *archive.Archive, s archive.Snapshot, unsearched map[[32]byte]string) error {
	for v, err := range a.Versions(ctx, s) {
		if err != nil {
			return err
		}
		line := exceptionLine{Kind: "unparsed", Mailbox: s.Mailbox, ID: v.ID.String(), ItemID: v.ItemID, Folder: v.Folder, Cause: v.Unparsed, Since: moment(v.FirstSeen)}
		if v.Unparsed == "" {
			if line.Cause = unsearched[v.SHA256]; line.Cause == "" {
				continue
			}
			line.Kind = "text"
		}
		if err := o.printException(line); err != nil {
			return err
		}
	}
	return nil
}

func (o *common) printException(l exceptionLine) error {
	if o.json {
		return o.print(l)
	}
	what := l.Folder
	for _, id := range []string{l.ItemID, l.ID} {
		if id != "" {
			what += "  " + id
		}
	}
	if l.Part != "" {
		what = l.Part
	}
	why := strings.Trim(l.State+": "+l.Cause, ": ")
	if l.Since != "" {
		why += " (since " + l.Since + ")"
	}
	_, err := fmt.Fprintf(o.out, "%-9s %-30s %s: %s\n", l.Kind, plain(l.Mailbox), plain(what), plain(why))
	return err
}
