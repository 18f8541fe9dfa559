package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/index"
)

func newHoldCommand() *cli.Command {
	return &cli.Command{
		Name:      "hold",
		Usage:     "what must stay, whatever policies say: add, list, show, refresh, release",
		UsageText: "mailbrick hold add|list|show|refresh|release [flags]",
		Description: "A hold has a name and a reason, and covers items, whole mailboxes, or what a query finds. Nothing that is held is " +
			"forgotten, by `retention apply` or by `forget`, until the hold is released. Setting and releasing are records of the journal.\n\n" +
			"Example:\n  mailbrick hold list",
		Subcommands: []*cli.Command{newHoldAddCommand(), newHoldListCommand(), newHoldShowCommand(), newHoldRefreshCommand(), newHoldReleaseCommand()},
	}
}

func newHoldAddCommand() *cli.Command {
	return &cli.Command{
		Name:      "add",
		Args:      true,
		Usage:     "set a hold",
		UsageText: "mailbrick hold add --name N --reason R [--apply] [ID... | --query Q [--mailbox M]... | --mailbox M... | -]",
		Description: "Shows what would be held; with --apply it is. All versions of an item are held, also those to come, and after it was " +
			"deleted from the mailbox. --mailbox without a query holds all of a mailbox. --query holds the items of which any " +
			"version is found, and those that cannot be searched; what comes in later counts as held until `hold refresh` has asked " +
			"the query again (`retention apply` does so by itself).\n\n" +
			"Examples:\n  mailbrick hold add --name case-17 --reason \"letter of 2 March\" --query 'from:bob@example.com AND merger' --apply\n" +
			"  mailbrick hold add --name ann --reason \"left the company\" --mailbox ann@example.com --apply\n" +
			"  mailbrick search --json contract | jq -r .id | mailbrick hold add --name contracts --reason audit --apply -",
		Flags: commonFlags(append(lockFlags("what all holds cover"),
			&cli.StringFlag{Name: "name", Usage: "`N` by which the hold is known"},
			&cli.StringFlag{Name: "reason", Usage: "`R`, why; it is kept in the journal"},
			&cli.StringFlag{Name: "query", Usage: "the items that `QUERY` finds, in any of their versions"},
			&cli.StringSliceFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "all of mailbox `ADDRESS`, or only there what the query finds; again for more"},
			applyFlag("set the hold"))...),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			h := archive.Hold{Name: c.String("name"), Reason: c.String("reason"), Query: c.String("query"), Mailboxes: c.StringSlice("mailbox")}
			named, err := heldWords(c, o, &h)
			if err != nil {
				return err
			}
			lock, err := lockingOf(c, o)
			if err != nil {
				return err
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				return runHoldAdd(c.Context, o, a, newHold{h, named, c.Bool("apply"), lock})
			})
		},
	}
}

func applyFlag(what string) cli.Flag { return &cli.BoolFlag{Name: "apply", Usage: what} }

// heldWords checks what is to be held and gives the items that are named.
func heldWords(c *cli.Context, o *common, h *archive.Hold) (named []itemName, err error) {
	words := c.Args().Slice()
	fromInput := len(words) == 1 && words[0] == "-"
	each := slices.Values(words)
	if fromInput {
		var scanErr error
		each = inputLines(o.in, &scanErr)
		defer func() { err = cmp.Or(err, scanErr) }()
	}
	for w := range each {
		name, err := parseItemName(w)
		if err != nil {
			return nil, usagef("%s", err)
		}
		named = append(named, name)
	}
	switch {
	case h.Name == "":
		return nil, usagef("no name: give --name N, by which the hold is released")
	case h.Reason == "":
		return nil, usagef("no reason: give --reason R, so that others know later why")
	case len(named) > 0 && (h.Query != "" || len(h.Mailboxes) > 0):
		return nil, usagef("give item ids, or --query and --mailbox, not both")
	case len(named) == 0 && h.Query == "" && len(h.Mailboxes) == 0 && fromInput:
		return nil, usagef("no ids on standard input: there is nothing to hold")
	case len(named) == 0 && h.Query == "" && len(h.Mailboxes) == 0:
		return nil, usagef("nothing to hold: give ids, --query Q, --mailbox ADDRESS, or - for ids on standard input")
	}
	return named, nil
}

// itemName is what a person typed for an item: its id, perhaps with a version, of which there is none then that is 0. It is short: there
// may be a million on standard input.
type itemName struct {
	id      archive.ID
	pinned  bool
	version uint32
}

func parseItemName(word string) (n itemName, err error) {
	name, version, pinned := strings.Cut(word, "@")
	n.pinned = pinned
	if n.id, err = archive.ParseID(name); err != nil || !pinned {
		return n, err
	}
	v, err := strconv.ParseUint(version, 10, 32)
	if err != nil {
		return n, fmt.Errorf("item %s: %q is no number of a version", name, version)
	}
	n.version = uint32(v)
	return n, nil
}

// find finds the item.
func (n *itemName) find(ctx context.Context, a *archive.Archive) (*archive.Version, error) {
	word := n.id.String()
	if n.pinned {
		word += "@" + strconv.FormatUint(uint64(n.version), 10)
	}
	return itemOf(ctx, a, word)
}

// newHold is a hold that is to be.
type newHold struct {
	archive.Hold
	named []itemName
	apply bool
	lock  *locking
}

func runHoldAdd(ctx context.Context, o *common, a *archive.Archive, n newHold) error {
	if _, err := a.Hold(ctx, n.Name); !errors.Is(err, archive.ErrNoHold) {
		return errors.Join(err, fmt.Errorf("hold %s: %w", n.Name, archive.ErrHoldExists))
	}
	err := o.toHold(ctx, a, &n, func(items heldItems) (err error) {
		if n.apply {
			return a.AddHold(ctx, n.Hold, items)
		}
		n.Items, err = countItems(items)
		return err
	})
	if err == nil && n.apply {
		n.Hold, err = a.Hold(ctx, n.Name)
	}
	if err != nil {
		return err
	}
	if err := o.printHold(a, n.Hold, &n.apply); err != nil {
		return err
	}
	if n.apply {
		return o.lock(ctx, a, n.lock, nil)
	}
	o.warn("nothing is held yet: the same command with --apply does it")
	return nil
}

// heldItems are items on their way into a hold, each once.
type heldItems = iter.Seq2[archive.HeldItem, error]

func countItems(items heldItems) (n int, err error) {
	for _, err := range items {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// toHold finds the items of a hold that is to be, and through which record its query was asked. What is named must be there.
func (o *common) toHold(ctx context.Context, a *archive.Archive, n *newHold, work func(heldItems) error) error {
	for _, m := range n.Mailboxes {
		if _, err := a.Latest(m); err != nil {
			return err
		}
	}
	if n.Query == "" {
		named, err := namedItems(ctx, a, n.named)
		if err != nil {
			return err
		}
		n.named = nil
		return work(named.items())
	}
	return o.evaluate(ctx, a, n.Hold, func(position uint64, items heldItems) error {
		n.Position = position
		return work(items)
	})
}

// itemSet are items in order of their ids, each once. Mailboxes are by their place in a list.
type itemSet struct {
	mailboxes []string
	list      []setItem
}

type setItem struct {
	id      archive.ID
	mailbox uint32
	found   bool
}

func (s *itemSet) add(mailbox string, id archive.ID) {
	n := slices.Index(s.mailboxes, mailbox)
	if n < 0 {
		n = len(s.mailboxes)
		s.mailboxes = append(s.mailboxes, mailbox)
	}
	s.list = append(s.list, setItem{id: id, mailbox: uint32(n)})
}

func (s *itemSet) sort() {
	slices.SortFunc(s.list, func(x, y setItem) int { return compareIDs(x.id, y.id) })
	s.list = slices.Compact(s.list)
}

func compareIDs(x, y archive.ID) int { return slices.Compare(x[:], y[:]) }

// take notes that an item was found, if it is one of them.
func (s *itemSet) take(id archive.ID) {
	if i, ok := slices.BinarySearchFunc(s.list, id, func(it setItem, id archive.ID) int { return compareIDs(it.id, id) }); ok {
		s.list[i].found = true
	}
}

// items yields those that were not found.
func (s *itemSet) items() heldItems {
	return func(yield func(archive.HeldItem, error) bool) {
		for _, it := range s.list {
			if !it.found && !yield(archive.HeldItem{Mailbox: s.mailboxes[it.mailbox], ID: it.id}, nil) {
				return
			}
		}
	}
}

func namedItems(ctx context.Context, a *archive.Archive, names []itemName) (*itemSet, error) {
	s := &itemSet{list: make([]setItem, 0, len(names))}
	for i := range names {
		v, err := names[i].find(ctx, a)
		if err != nil {
			return nil, err
		}
		s.add(v.Mailbox, v.ID)
	}
	s.sort()
	return s, nil
}

// evaluate asks a hold's query: through which record of the journal, the items of which any version is found, and those that cannot be
// searched.
func (o *common) evaluate(ctx context.Context, a *archive.Archive, h archive.Hold, work func(position uint64, items heldItems) error) error {
	return o.withIndex(ctx, a, func(x *index.Index) error {
		position, err := x.Position()
		if err != nil {
			return err
		}
		so := &searchOptions{common: o, query: h.Query, mailboxes: h.Mailboxes, all: true}
		q, err := so.plan(ctx, a, x)
		if err != nil {
			return err
		}
		q.Sort, q.Items, q.Filter = index.Unsorted, true, stillThere(ctx, a)
		blind, err := unsearchable(ctx, a, x, h)
		if err != nil {
			return err
		}
		return work(position, func(yield func(archive.HeldItem, error) bool) {
			found := 0
			for hit, err := range x.Search(ctx, q) {
				blind.take(hit.ID)
				if found++; !yield(archive.HeldItem{Mailbox: hit.Mailbox, ID: hit.ID}, err) || err != nil {
					return
				}
			}
			more := 0
			for it, err := range blind.items() {
				if more++; !yield(it, err) {
					return
				}
			}
			if len(blind.list) > 0 {
				o.warn("hold %s: the query finds %d items; %d more are held because not all of their text can be searched", h.Name, found, more)
			}
		})
	})
}

// stillThere tells of what the index has whether the archive has it: it may have been forgotten.
func stillThere(ctx context.Context, a *archive.Archive) func(index.Hit) (bool, error) {
	return func(h index.Hit) (bool, error) {
		_, err := a.Version(ctx, h.Mailbox, h.ID, h.From)
		if isNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
}

// unsearchable are the items in a hold's mailboxes of which a version is not wholly in the index.
func unsearchable(ctx context.Context, a *archive.Archive, x *index.Index, h archive.Hold) (*itemSet, error) {
	blind := &itemSet{}
	some := false
	for range x.Exceptions() {
		some = true
		break
	}
	if !some {
		return blind, nil
	}
	for _, m := range a.Mailboxes() {
		if len(h.Mailboxes) > 0 && !slices.ContainsFunc(h.Mailboxes, func(name string) bool { return strings.EqualFold(name, m.Mailbox) }) {
			continue
		}
		for v, err := range a.Histories(ctx, m.Mailbox) {
			excepted := false
			if err == nil {
				excepted, err = x.Excepts(v.SHA256)
			}
			if err != nil {
				return nil, err
			}
			if excepted {
				blind.add(v.Mailbox, v.ID)
			}
		}
	}
	blind.sort()
	return blind, nil
}

// printHold writes a hold as a line. applied says whether it is so already, where that is the question.
func (o *common) printHold(a *archive.Archive, h archive.Hold, applied *bool) error {
	if o.json {
		return o.print(struct {
			Name      string   `json:"name"`
			Reason    string   `json:"reason"`
			Query     string   `json:"query"`
			Mailboxes []string `json:"mailboxes"`
			Items     int      `json:"items"`
			Position  uint64   `json:"position"`
			Lags      bool     `json:"lags"`
			Since     string   `json:"since"`
			Applied   *bool    `json:"applied,omitempty"`
		}{h.Name, h.Reason, h.Query, list(h.Mailboxes), h.Items, h.Position, a.Lags(h), moment(h.Since), applied})
	}
	what := []string{fmt.Sprintf("%d items", h.Items)}
	switch {
	case h.Query != "":
		where := "all mailboxes"
		if len(h.Mailboxes) > 0 {
			where = strings.Join(h.Mailboxes, ", ")
		}
		what = append(what, fmt.Sprintf("query %s in %s", h.Query, where))
	case len(h.Mailboxes) > 0:
		what[0] = "all of " + strings.Join(h.Mailboxes, ", ")
	}
	if a.Lags(h) {
		what = append(what, "and all that came in since it was last evaluated")
	}
	_, err := fmt.Fprintf(o.out, "%-20s  %-24s  %s  (%s)\n", plain(h.Name), moment(h.Since), plain(strings.Join(what, ", ")), plain(h.Reason))
	return err
}

func newHoldListCommand() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the holds",
		UsageText:   "mailbrick hold list",
		Description: "Each with since when it is, what it covers and why.\n\nExample:\n  mailbrick hold list --json",
		Flags:       commonFlags(),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				holds, err := a.Holds(c.Context)
				if err != nil {
					return err
				}
				for _, h := range holds {
					if err := o.printHold(a, h, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func newHoldShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Args:      true,
		Usage:     "list the items of a hold",
		UsageText: "mailbrick hold show NAME",
		Description: "Lists the items that the hold names, as `ls` does, each in its latest version. What a hold of a mailbox covers, " +
			"`ls --mailbox` lists.\n\nExample:\n  mailbrick hold show case-17",
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			name, err := holdName(c)
			if err != nil {
				return err
			}
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runHoldShow(c.Context, o, a, name) })
		},
	}
}

func holdName(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usagef("name one hold; `mailbrick hold list` shows them")
	}
	return c.Args().First(), nil
}

func runHoldShow(ctx context.Context, o *common, a *archive.Archive, name string) error {
	h, err := a.Hold(ctx, name)
	if err != nil {
		return err
	}
	if h.Query == "" {
		for _, m := range h.Mailboxes {
			o.say("all of %s is held", m)
		}
	}
	return o.printItems(func(yield func(*archive.Version, error) bool) {
		for it, err := range a.HeldItems(ctx, name) {
			var v *archive.Version
			if err == nil {
				v, err = a.Item(ctx, it.ID)
			}
			if !yield(v, err) {
				return
			}
		}
	})
}

func newHoldRefreshCommand() *cli.Command {
	return &cli.Command{
		Name:      "refresh",
		Args:      true,
		Usage:     "ask the queries of holds again",
		UsageText: "mailbrick hold refresh [NAME...]",
		Description: "Adds to the holds, or to those named, what their queries find now. What was held stays held. Until then everything that " +
			"came in since counts as held. --lock locks what all holds cover in the store anew; run it well before the locks end.\n\n" +
			"Examples:\n  mailbrick hold refresh\n  mailbrick hold refresh --lock 30d",
		Flags: commonFlags(lockFlags("what all holds cover")...),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			lock, err := lockingOf(c, o)
			if err != nil {
				return err
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				if err := runHoldRefresh(c.Context, o, a, c.Args().Slice()); err != nil {
					return err
				}
				return o.lock(c.Context, a, lock, nil)
			})
		},
	}
}

func runHoldRefresh(ctx context.Context, o *common, a *archive.Archive, names []string) error {
	for _, name := range names {
		h, err := a.Hold(ctx, name)
		if err == nil && h.Query == "" {
			err = usagef("hold %s has no query", name)
		}
		if err != nil {
			return err
		}
	}
	if err := o.refreshHolds(ctx, a, names); err != nil {
		return err
	}
	holds, err := a.Holds(ctx)
	for _, h := range holds {
		if h.Query == "" || len(names) > 0 && !slices.Contains(names, h.Name) {
			continue
		}
		if err := o.printHold(a, h, nil); err != nil {
			return err
		}
	}
	return err
}

// refreshHolds asks the queries again of the holds that lag, of all or of those named.
func (o *common) refreshHolds(ctx context.Context, a *archive.Archive, names []string) error {
	holds, err := a.Holds(ctx)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if !a.Lags(h) || len(names) > 0 && !slices.Contains(names, h.Name) {
			continue
		}
		err := o.evaluate(ctx, a, h, func(position uint64, items heldItems) error {
			return a.RefreshHold(ctx, h.Name, position, items)
		})
		if err != nil {
			return fmt.Errorf("evaluate hold %s: %w", h.Name, err)
		}
	}
	return nil
}

func newHoldReleaseCommand() *cli.Command {
	return &cli.Command{
		Name:      "release",
		Args:      true,
		Usage:     "end a hold",
		UsageText: "mailbrick hold release NAME --reason R [--apply]",
		Description: "Shows the hold; with --apply it ends. What it covered may then go when a policy says so, unless another hold covers it too.\n\n" +
			"Example:\n  mailbrick hold release case-17 --reason \"settled\" --apply",
		Flags: commonFlags(
			&cli.StringFlag{Name: "reason", Usage: "`R`, why; it is kept in the journal"},
			applyFlag("end the hold")),
		Action: func(c *cli.Context) error {
			name, err := holdName(c)
			if err != nil {
				return err
			}
			if c.String("reason") == "" {
				return usagef("no reason: give --reason R, so that others know later why")
			}
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				return runHoldRelease(c.Context, o, a, archive.Hold{Name: name, Reason: c.String("reason")}, c.Bool("apply"))
			})
		},
	}
}

func runHoldRelease(ctx context.Context, o *common, a *archive.Archive, want archive.Hold, apply bool) error {
	h, err := a.Hold(ctx, want.Name)
	if err != nil {
		return err
	}
	if apply {
		if err := a.ReleaseHold(ctx, want.Name, want.Reason); err != nil {
			return err
		}
	}
	if err := o.printHold(a, h, &apply); err != nil {
		return err
	}
	if apply {
		o.say("released")
		return nil
	}
	o.warn("nothing is released yet: the same command with --apply does it")
	return nil
}
