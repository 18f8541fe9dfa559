package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/restore"
)

type restoreOptions struct {
	*common
	server           destination
	selection        *selection
	toMailbox        string
	toFolder         string
	mode             restore.Mode
	dryRun, noVerify bool
	recoverable      bool // these too, though they are not named
	associated       bool
	each             func(restore.Result) // hears of every item that is settled, beside the user; may be nil
}

func newRestoreCommand() *cli.Command {
	flags := append(serverFlags(), selectionFlags()...)
	return &cli.Command{
		Name:      "restore",
		Usage:     "put items back into a mailbox",
		UsageText: "mailbrick restore (--ews URL --user U ... | --graph --client-id ID ...) [--to-mailbox ADDRESS] [IDs | --query Q | --mailbox ADDRESS [--at T] | -]",
		Description: "Uploads items as they were exported, into the folders they were in, and compares what the server then holds with\n" +
			"what was sent. Nothing is sent by mail and nothing is overwritten unless --mode update says so.\n" +
			"--mode skip leaves out what the folder holds already, new makes copies, update replaces items that still exist.\n\n" +
			"Examples:\n  mailbrick restore --ews URL --user svc --user-password-file F --impersonate --mailbox ann@example.com --at 2026-03-01\n" +
			"  mailbrick search --json 'subject:contract' | jq -r .id | mailbrick restore ... --to-mailbox bob@example.com --to-folder Restored -",
		Flags: commonFlags(append(flags,
			&cli.StringFlag{Name: "to-mailbox", Usage: "into mailbox `ADDRESS` (default: the one the items are of)"},
			&cli.StringFlag{Name: "to-folder", Usage: "everything below folder `PATH`"},
			&cli.StringFlag{Name: "mode", Value: "skip", Usage: "`MODE`: new, update or skip"},
			&cli.BoolFlag{Name: "recoverable-items", Usage: "what was in the recoverable items too (into a folder \"Recovered Items\"); else only if named by id or --folder"},
			&cli.BoolFlag{Name: "associated", Usage: "associated items too (rules, views, settings); else only if named by id"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done, change nothing"},
			&cli.BoolFlag{Name: "no-verify", Usage: "do not compare with what the server then holds"})...),
		Action: func(c *cli.Context) error {
			o := &restoreOptions{common: commonOf(c), toMailbox: strings.ToLower(c.String("to-mailbox")), toFolder: c.String("to-folder"),
				dryRun: c.Bool("dry-run"), noVerify: c.Bool("no-verify"), recoverable: c.Bool("recoverable-items"), associated: c.Bool("associated")}
			var err error
			if o.mode, err = restore.ParseMode(c.String("mode")); err != nil {
				return usagef("--mode: %s", err)
			}
			if o.selection, err = selectionOf(c, o.common); err != nil {
				return err
			}
			if o.server, err = destinationOf(c, o.common); err != nil {
				return err
			}
			return runRestore(c.Context, o)
		},
	}
}

// destination is a server that items go back to.
type destination interface {
	target(ctx context.Context, mailbox string) (t restore.Target, done func(), err error)
}

func destinationOf(c *cli.Context, o *common) (destination, error) {
	if c.IsSet("graph") {
		return graphOf(c, o)
	}
	return serverOf(c, o)
}

func runRestore(ctx context.Context, o *restoreOptions) error {
	var sum restore.Report
	err := o.withArchive(ctx, func(a *archive.Archive) error {
		return o.selection.items(ctx, o.common, a, func(items iter.Seq2[*archive.Version, error]) error {
			return o.byMailbox(items, func(mailbox string, items iter.Seq2[*archive.Version, error]) error {
				r, err := o.into(ctx, a, mailbox, items)
				sum.Items += r.Items
				sum.Restored += r.Restored
				sum.Skipped += r.Skipped
				sum.Failed += r.Failed
				sum.Differs += r.Differs
				return err
			})
		})
	})
	if err != nil {
		return err
	}
	if !o.json {
		o.say("%d items: %d restored, %d skipped, %d failed, %d differ", sum.Items, sum.Restored, sum.Skipped, sum.Failed, sum.Differs)
	}
	if sum.Failed+sum.Differs+o.selection.missed > 0 {
		return errPartly
	}
	return nil
}

// byMailbox hands the items on by the mailbox they go to: all at once to the one that is named, else each run of items of
// one mailbox to that mailbox.
func (o *restoreOptions) byMailbox(items iter.Seq2[*archive.Version, error], work func(string, iter.Seq2[*archive.Version, error]) error) error {
	if o.toMailbox != "" {
		return work(o.toMailbox, items)
	}
	if m := o.selection.mailbox; m != "" {
		if strings.HasPrefix(strings.ToLower(m), fetch.PartPublic) {
			return usagef("nobody's mailbox is called %q: say with --to-mailbox where its items go", m)
		}
		return work(strings.ToLower(m), items)
	}
	groups := map[string][]*archive.Version{}
	var order []string
	for v, err := range items {
		if err != nil {
			return err
		}
		if groups[v.Mailbox] == nil {
			order = append(order, v.Mailbox)
		}
		groups[v.Mailbox] = append(groups[v.Mailbox], v)
	}
	for _, m := range order {
		settled := map[archive.ID]bool{}
		o.each = func(r restore.Result) { settled[r.ID] = true }
		err := work(m, func(yield func(*archive.Version, error) bool) {
			for _, v := range groups[m] {
				if !yield(v, nil) {
					return
				}
			}
		})
		if err != nil && (len(order) == 1 || !ofMailbox(err)) {
			return err
		}
		if err := o.giveUp(groups[m], settled, err); err != nil {
			return err
		}
	}
	return nil
}

// giveUp settles what is left of a mailbox that cannot be worked on: it does not stop the others.
func (o *restoreOptions) giveUp(items []*archive.Version, settled map[archive.ID]bool, cause error) error {
	for _, v := range items {
		if cause == nil || settled[v.ID] {
			continue
		}
		o.selection.missed++
		r := restore.Result{ID: v.ID, Target: v.Mailbox, Status: restore.Failed, Reason: cause.Error()}
		if err := o.printResult(r, o.dryRun); err != nil {
			return err
		}
	}
	return nil
}

func (o *restoreOptions) into(ctx context.Context, a *archive.Archive, mailbox string, items iter.Seq2[*archive.Version, error]) (restore.Report, error) {
	target, done, err := o.server.target(ctx, mailbox)
	if err != nil {
		return restore.Report{}, err
	}
	defer done()
	return o.bring(ctx, a, target, items, restore.Options{
		Mode: o.mode, ToFolder: o.toFolder, DryRun: o.dryRun, NoVerify: o.noVerify, Each: o.each,
		LeaveRecoverable: !o.recoverable && !o.byID() && !o.fromDumpster(), LeaveAssociated: !o.associated && !o.byID()})
}

// byID tells whether the items were named one by one.
func (o *restoreOptions) byID() bool { return o.selection != nil && len(o.selection.words) > 0 }

// fromDumpster tells whether the folder of the recoverable items was named.
func (o *restoreOptions) fromDumpster() bool {
	if o.selection == nil {
		return false
	}
	path := strings.ToLower(strings.Trim(o.selection.folder, "/"))
	return strings.HasPrefix(strings.TrimPrefix(path, "in-place archive/"), "recoverable items")
}

// restoreLine is what became of one item.
type restoreLine struct {
	ID          string   `json:"id"`
	Target      string   `json:"target"`
	ItemID      string   `json:"item_id,omitempty"`
	Status      string   `json:"status"`
	Reason      string   `json:"reason"`
	Differences []string `json:"differences"`
	Warnings    []string `json:"warnings,omitempty"`
}

// bring runs a restore with its results printed as they come, before its own Each hears of them.
func (o *common) bring(ctx context.Context, a *archive.Archive, t restore.Target, items iter.Seq2[*archive.Version, error], ro restore.Options) (restore.Report, error) {
	bar := o.progress("restore", 0, "items")
	defer bar.done()
	var printErr error
	each := ro.Each
	ro.Each = func(r restore.Result) {
		bar.add(1, "")
		if each != nil {
			defer each(r)
		}
		if err := o.printResult(r, ro.DryRun); err != nil && printErr == nil {
			printErr = err
		}
	}
	report, err := restore.Run(ctx, a, t, items, ro)
	if err == nil {
		err = printErr
	}
	return report, err
}

func (o *common) printResult(r restore.Result, dryRun bool) error {
	if o.json {
		return o.print(restoreLine{r.ID.String(), r.Target, r.ItemID, string(r.Status), r.Reason, list(r.Differences), r.Warnings})
	}
	for _, w := range r.Warnings {
		o.warn("%s: %s", r.ID, w)
	}
	if r.Status == restore.Restored && !o.verbose && !dryRun {
		return nil
	}
	text := string(r.Status)
	if dryRun && r.Status == restore.Restored {
		text = "would be restored"
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	if len(r.Differences) > 0 {
		text += " (" + strings.Join(r.Differences, ", ") + ")"
	}
	_, err := fmt.Fprintf(o.out, "%s  %-30s %s\n", r.ID, plain(r.Target), plain(text))
	return err
}
