package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/index"
	"mailbrick/restore"
)

// selection names items: by id, by query, by mailbox, all there are, or by ids on standard input ("-").
type selection struct {
	words   []string
	query   string
	mailbox string
	all     bool // of all mailboxes
	folder  string
	at      string
	missed  int // items that are not there, or whose mailbox cannot be worked on
}

func selectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "query", Usage: "the items that `QUERY` finds"},
		&cli.StringFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "the items of mailbox `ADDRESS`"},
		&cli.StringFlag{Name: "folder", Usage: "of the mailbox, only `PATH` and what lies below it"},
		&cli.StringFlag{Name: "at", Usage: "as it was at `T`"},
	}
}

func selectionOf(c *cli.Context, o *common) (*selection, error) {
	s := &selection{words: c.Args().Slice(), query: c.String("query"), mailbox: c.String("mailbox"), folder: c.String("folder"), at: c.String("at"),
		all: c.Bool("all")}
	fromInput := len(s.words) == 1 && s.words[0] == "-"
	if fromInput {
		var err error
		if s.words, err = readLines(o.in); err != nil {
			return nil, err
		}
	}
	switch {
	case s.all && (len(s.words) > 0 || s.query != "" || s.mailbox != ""):
		return nil, usagef("--all goes without ids, --query and --mailbox")
	case s.all: // whatever there is
	case fromInput && s.query == "" && s.mailbox == "" && len(s.words) == 0: // a pipe that found nothing: nothing to do
	case len(s.words) > 0 && (s.query != "" || s.mailbox != ""):
		return nil, usagef("give item ids, or --query, or --mailbox, not several")
	case len(s.words) == 0 && s.query == "" && s.mailbox == "":
		return nil, usagef("no items: give ids, --query Q, --mailbox ADDRESS, or - for ids on standard input")
	case s.folder != "" && s.mailbox == "":
		return nil, usagef("--folder goes with --mailbox")
	case len(s.words) > 0 && s.at != "":
		return nil, usagef("--at goes with --mailbox or --query; name a version of an item as ID@VERSION")
	}
	for _, w := range s.words {
		name, _, _ := strings.Cut(w, "@")
		if _, err := archive.ParseID(name); err != nil {
			return nil, usagef("%s", err)
		}
	}
	return s, nil
}

// items finds what is selected and hands it to work.
func (s *selection) items(ctx context.Context, o *common, a *archive.Archive, work func(iter.Seq2[*archive.Version, error]) error) error {
	switch {
	case s.query != "":
		return s.found(ctx, o, a, work)
	case s.all:
		return work(arranged(ctx, a, s.everywhere(ctx, o, a)))
	case s.mailbox != "":
		items, err := s.inMailbox(ctx, a, s.mailbox)
		if err != nil {
			return err
		}
		return work(arranged(ctx, a, items))
	}
	seen := map[string]bool{} // an item that is named twice is meant once
	return work(func(yield func(*archive.Version, error) bool) {
		for _, w := range s.words {
			v, err := itemOf(ctx, a, w)
			if err == nil {
				key := fmt.Sprint(v.ID, v.From)
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			if isNotFound(err) {
				s.missed++
				err = o.printMissing(w, err)
				if err == nil {
					continue
				}
			}
			if !yield(v, err) {
				return
			}
		}
	})
}

// inMailbox are the items of a mailbox at the selection's moment.
func (s *selection) inMailbox(ctx context.Context, a *archive.Archive, mailbox string) (iter.Seq2[*archive.Version, error], error) {
	snap, err := snapshotOf(ctx, a, mailbox, s.at)
	if err != nil {
		return nil, err
	}
	return itemsIn(ctx, a, snap, s.folder)
}

// everywhere are the items of all mailboxes; one that had no snapshot yet at the moment has none.
func (s *selection) everywhere(ctx context.Context, o *common, a *archive.Archive) iter.Seq2[*archive.Version, error] {
	return func(yield func(*archive.Version, error) bool) {
		for _, m := range a.Mailboxes() {
			items, err := s.inMailbox(ctx, a, m.Mailbox)
			if isNotFound(err) {
				o.say("%s: left out: %s", m.Mailbox, err)
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for v, err := range items {
				if !yield(v, err) {
					return
				}
			}
		}
	}
}

// arrangedAtOnce is how many items are put in order together; their descriptions are in memory.
const arrangedAtOnce = 1 << 15

// arranged gives items in the order in which the archive reads them at the least cost.
func arranged(ctx context.Context, a *archive.Archive, items iter.Seq2[*archive.Version, error]) iter.Seq2[*archive.Version, error] {
	return func(yield func(*archive.Version, error) bool) {
		var some []*archive.Version
		flush := func() bool {
			if err := a.Arrange(ctx, some); err != nil {
				return yield(nil, err) && false
			}
			for _, v := range some {
				if !yield(v, nil) {
					return false
				}
			}
			some = some[:0]
			return true
		}
		for v, err := range items {
			if err != nil {
				yield(nil, err)
				return
			}
			if some = append(some, v); len(some) == arrangedAtOnce && !flush() {
				return
			}
		}
		flush()
	}
}

// printMissing settles an item that is not in the archive.
func (o *common) printMissing(word string, cause error) error {
	if o.json {
		return o.print(restoreLine{ID: word, Status: string(restore.Failed), Reason: cause.Error(), Differences: []string{}})
	}
	_, err := fmt.Fprintf(o.out, "%s  failed: %s\n", plain(word), cause)
	return err
}

// found are the items of a query, in all mailboxes or in one.
func (s *selection) found(ctx context.Context, o *common, a *archive.Archive, work func(iter.Seq2[*archive.Version, error]) error) error {
	return o.withIndex(ctx, a, func(x *index.Index) error {
		so := &searchOptions{common: o, query: s.query, at: s.at}
		if s.mailbox != "" {
			so.mailboxes = []string{s.mailbox}
		}
		q, err := so.plan(ctx, a, x)
		if err != nil {
			return err
		}
		return work(inFolder(versionsOf(ctx, a, x.Search(ctx, q)), s.folder))
	})
}

// versionsOf reads from the archive what a search found.
func versionsOf(ctx context.Context, a *archive.Archive, hits iter.Seq2[index.Hit, error]) iter.Seq2[*archive.Version, error] {
	return func(yield func(*archive.Version, error) bool) {
		for h, err := range hits {
			var v *archive.Version
			if err == nil {
				if v, err = a.Version(ctx, h.Mailbox, h.ID, h.From); isNotFound(err) {
					continue // it was forgotten, which the index may not know
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func isNotFound(err error) bool { return errors.Is(err, archive.ErrNotFound) }
