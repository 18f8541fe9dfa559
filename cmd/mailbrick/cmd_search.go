package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/index"
)

type searchOptions struct {
	*common
	query     string
	mailboxes []string
	at        string
	all       bool
	count     bool
	distinct  bool
	limit     int
	sort      index.Sort
}

func newSearchCommand() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "find items",
		UsageText: "mailbrick search [--mailbox ADDRESS]... [--at T | --all-versions] [--count] QUERY",
		Description: "Keyword Query Language: words, \"phrases\", prefix*, AND OR NOT, parentheses,\n" +
			"from: to: cc: bcc: participants: recipients: subject: attachmentnames: sent: received: hasattachment: size: folder:\n" +
			"Every copy in every mailbox is an item; --distinct gives one line for each distinct message.\n\n" +
			"Examples:\n  mailbrick search 'merger AND from:ann@example.com sent:2021-04-01..2021-04-30'\n" +
			"  mailbrick search --count --at 2026-03-01 'subject:\"quarterly report\"'\n  mailbrick search -- -merger",
		Flags: commonFlags(
			&cli.StringSliceFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "only in `ADDRESS`; again for more"},
			&cli.StringFlag{Name: "at", Usage: "in the mailboxes as they were at `T`"},
			&cli.BoolFlag{Name: "all-versions", Usage: "in every state of every item"},
			&cli.BoolFlag{Name: "count", Usage: "tell only how many"},
			&cli.BoolFlag{Name: "distinct", Usage: "one line for each distinct message"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N` items (0: all)"},
			&cli.StringFlag{Name: "sort", Value: "newest", Usage: "`ORDER`: " + sortNames}),
		Action: func(c *cli.Context) error {
			o := &searchOptions{common: commonOf(c), query: strings.Join(c.Args().Slice(), " "), mailboxes: c.StringSlice("mailbox"),
				at: c.String("at"), all: c.Bool("all-versions"), count: c.Bool("count"), distinct: c.Bool("distinct"), limit: c.Int("limit")}
			var known bool
			o.sort, known = sortOf(c.String("sort"))
			switch {
			case strings.TrimSpace(o.query) == "":
				return usagef("no query")
			case o.all && o.at != "":
				return usagef("--at and --all-versions exclude each other")
			case !known:
				return usagef("--sort %q: %s", c.String("sort"), sortNames)
			case o.limit < 0:
				return usagef("--limit %d: 0 or more", o.limit)
			}
			return runSearch(c.Context, o)
		},
	}
}

func runSearch(ctx context.Context, o *searchOptions) error {
	return o.withArchive(ctx, func(a *archive.Archive) error {
		return o.withIndex(ctx, a, func(x *index.Index) error {
			q, err := o.plan(ctx, a, x)
			if err != nil {
				return err
			}
			if o.count {
				return o.printCount(ctx, x, q)
			}
			return o.printHits(ctx, a, x, q)
		})
	})
}

// sortOf gives the order by a name that --sort takes.
func sortOf(name string) (index.Sort, bool) {
	switch name {
	case "newest":
		return index.NewestReceived, true
	case "oldest":
		return index.OldestReceived, true
	case "newest-sent":
		return index.NewestSent, true
	case "oldest-sent":
		return index.OldestSent, true
	case "largest":
		return index.Largest, true
	case "smallest":
		return index.Smallest, true
	}
	return 0, false
}

const sortNames = "newest, oldest, newest-sent, oldest-sent, largest or smallest"

// plan says which state of which mailbox is searched.
func (o *searchOptions) plan(ctx context.Context, a *archive.Archive, x *index.Index) (index.Query, error) {
	q := index.Query{AllVersions: o.all, Distinct: o.distinct, Limit: o.limit, View: map[string]uint32{}}
	parsed, err := x.Parse(o.query)
	if err != nil {
		return q, err
	}
	q.Node = parsed.Root
	for _, w := range parsed.Warnings {
		o.say("query, column %d: %s", w.Column, w.Text)
	}
	q.Sort = o.sort
	for _, m := range o.mailboxes {
		m = strings.ToLower(m)
		if _, err := a.Latest(m); err != nil {
			return q, err
		}
		q.Mailboxes = append(q.Mailboxes, m)
	}
	snapshots, err := viewAt(ctx, a, o.at)
	if err != nil {
		return q, err
	}
	for name, s := range snapshots {
		q.View[name] = s.Ordinal
	}
	if o.at != "" && len(snapshots) == 0 {
		return q, fmt.Errorf("no mailbox has a snapshot at or before %s: %w", o.at, archive.ErrNotFound)
	}
	if index.UsesFolders(parsed.Root) {
		q.Folders, err = folderPaths(ctx, a, snapshots)
	}
	return q, err
}

// folderPaths are the paths of all folders as the snapshots show them: a folder may have been renamed since its items came.
func folderPaths(ctx context.Context, a *archive.Archive, snapshots map[string]archive.Snapshot) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	for name, s := range snapshots {
		folders, err := a.Folders(ctx, s)
		if err != nil {
			return nil, err
		}
		out[name] = map[string]string{}
		for id := range folders {
			out[name][id] = archive.Path(folders, id)
		}
	}
	return out, nil
}

// viewAt is the snapshot of each mailbox at a moment, or now. A mailbox that had none yet is not in it.
func viewAt(ctx context.Context, a *archive.Archive, at string) (map[string]archive.Snapshot, error) {
	view := map[string]archive.Snapshot{}
	for _, latest := range a.Mailboxes() {
		s, err := snapshotOf(ctx, a, latest.Mailbox, at)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		view[latest.Mailbox] = s
	}
	return view, nil
}

func (o *searchOptions) printCount(ctx context.Context, x *index.Index, q index.Query) error {
	n, err := x.Count(ctx, q)
	if err != nil {
		return err
	}
	if o.json {
		return o.print(map[string]int{"count": n})
	}
	_, err = fmt.Fprintln(o.out, n)
	return err
}

func (o *searchOptions) printHits(ctx context.Context, a *archive.Archive, x *index.Index, q index.Query) error {
	return o.printItems(versionsOf(ctx, a, x.Search(ctx, q)))
}
