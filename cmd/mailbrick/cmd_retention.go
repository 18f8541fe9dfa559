package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/archive/retention"
	"mailbrick/fetch/mapi"
)

func newRetentionCommand() *cli.Command {
	return &cli.Command{
		Name:      "retention",
		Usage:     "what may go by a policy: plan, apply",
		UsageText: "mailbrick retention plan|apply --policy FILE",
		Description: "A policy is a file of rules, of which the first that fits a version says how long it stays:\n\n" +
			"  [[rule]]\n  name    = \"finance\"\n  mailbox = [\"*@finance.example.com\"]   # also folder, class; left out: all\n" +
			"  keep    = \"90d\"      # every version of the last 90 days\n" +
			"  daily   = 30         # then the mailbox as it was at the beginning of 30 days,\n" +
			"  monthly = 24         # of 24 months (also weekly, yearly)\n" +
			"  deleted = \"7y\"       # deleted items for 7 years; left out: for ever\n\n" +
			"What a mailbox holds now never goes, nor what is held (`mailbrick hold`), nor what no rule fits.\n\n" +
			"Example:\n  mailbrick retention plan --policy policy.toml",
		Subcommands: []*cli.Command{newRetentionPlanCommand(), newRetentionApplyCommand()},
	}
}

func newRetentionPlanCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show what would go, and why",
		UsageText: "mailbrick retention plan --policy FILE [--kept] [--at T]",
		Description: "Lists each version and snapshot that would go with the rule that says so, then counts and bytes (as exported) by rule and " +
			"mailbox. Nothing is changed.\n\nExample:\n  mailbrick retention plan --policy policy.toml --json",
		Flags: commonFlags(policyFlag(),
			&cli.BoolFlag{Name: "kept", Usage: "list also what stays, and why"},
			&cli.StringFlag{Name: "at", Usage: "what would go at `T`"}),
		Action: func(c *cli.Context) error {
			o := &retentionOptions{common: commonOf(c), now: time.Now(), kept: c.Bool("kept"), list: true}
			if at := c.String("at"); at != "" {
				var err error
				if o.now, err = parseTime(at); err != nil {
					return err
				}
			}
			return o.run(c.Context, c.String("policy"))
		},
	}
}

func newRetentionApplyCommand() *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "remove from history what a policy lets go",
		UsageText: "mailbrick retention apply --policy FILE [--lock SPAN]",
		Description: "Removes what `retention plan` shows, by records of the journal that name the rule; queries of holds are asked again first. " +
			"`mailbrick prune` then frees the space. --lock has the object store lock what the policy keeps so long in any case, and what is\n" +
			"held; run it again well before the locks end.\n\nExample:\n  mailbrick retention apply --policy policy.toml && mailbrick prune --apply",
		Flags: commonFlags(append(lockFlags("what stays"), policyFlag(), applyFlag("said by the verb already; taken because `hold` and `forget` take it"))...),
		Action: func(c *cli.Context) error {
			o := &retentionOptions{common: commonOf(c), now: time.Now(), apply: true}
			var err error
			if o.lock, err = lockingOf(c, o.common); err != nil {
				return err
			}
			return o.run(c.Context, c.String("policy"))
		},
	}
}

func policyFlag() cli.Flag {
	return &cli.StringFlag{Name: "policy", Usage: "the rules in `FILE`"}
}

type retentionOptions struct {
	*common
	now               time.Time
	kept, list, apply bool
	lock              *locking
	plan              *retention.Plan
	totals            map[totalKey]*total
}

// totalKey is by what a plan's counts are told apart.
type totalKey struct{ rule, mailbox string }

type total struct{ versions, snapshots, held, bytes, kept int64 }

func (o *retentionOptions) run(ctx context.Context, file string) error {
	policy, err := readPolicy(file)
	if err != nil {
		return err
	}
	o.plan, o.totals = policy.At(o.now), map[totalKey]*total{}
	return o.withArchive(ctx, func(a *archive.Archive) error {
		if err := o.queries(ctx, a); err != nil {
			return err
		}
		for _, m := range a.Mailboxes() {
			if err := o.mailbox(ctx, a, m.Mailbox); err != nil {
				return errors.Join(err, o.printTotals())
			}
		}
		if err := o.printTotals(); err != nil {
			return err
		}
		return o.common.lock(ctx, a, o.lock, policy)
	})
}

func readPolicy(file string) (*retention.Policy, error) {
	if file == "" {
		return nil, usagef("no policy: give --policy FILE; `mailbrick retention --help` shows one")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	p, err := retention.Parse(text)
	if err != nil {
		return nil, &policyMistake{fmt.Errorf("%s: %w", file, err)}
	}
	return p, nil
}

// policyMistake is a policy that makes no sense.
type policyMistake struct{ error }

// queries sees to the holds with a query that was not asked about all there is.
func (o *retentionOptions) queries(ctx context.Context, a *archive.Archive) error {
	if o.apply {
		return o.refreshHolds(ctx, a, nil)
	}
	holds, err := a.Holds(ctx)
	for _, h := range holds {
		if a.Lags(h) {
			o.warn("hold %s was evaluated before the latest snapshots: all that came in since counts as held; `mailbrick hold refresh` asks again", h.Name)
		}
	}
	return err
}

// mailbox plans for a mailbox, and removes what may go when that is the verb.
func (o *retentionOptions) mailbox(ctx context.Context, a *archive.Archive, mailbox string) error {
	goes := map[string]*archive.Forget{}
	by := func(rule string) *archive.Forget {
		if goes[rule] == nil {
			goes[rule] = &archive.Forget{Reason: "retention: " + rule}
		}
		return goes[rule]
	}
	sizes := map[string]int64{}
	err := o.versions(ctx, a, mailbox, func(v *archive.Version, d retention.Decision) {
		f := by(d.Rule)
		f.Versions = append(f.Versions, archive.VersionRef{Mailbox: mailbox, ID: v.ID, From: v.From})
		sizes[d.Rule] += v.Size
	})
	if err != nil {
		return err
	}
	err = o.snapshots(ctx, a, mailbox, func(s archive.Snapshot, d retention.Decision) {
		f := by(d.Rule)
		f.Snapshots = append(f.Snapshots, archive.SnapshotRef{Mailbox: mailbox, Ordinal: s.Ordinal})
	})
	for _, rule := range slices.Sorted(maps.Keys(goes)) {
		f := goes[rule]
		if o.apply && err == nil {
			err = forgetAll(ctx, a, f)
		}
		if err != nil {
			return err
		}
		t := o.total(rule, mailbox)
		t.versions, t.snapshots, t.bytes = int64(len(f.Versions)), int64(len(f.Snapshots)), sizes[rule]
	}
	return err
}

// maxForgotten is how many versions one record of the journal forgets.
const maxForgotten = 1 << 20

// forgetAll forgets snapshots no later than what they showed.
func forgetAll(ctx context.Context, a *archive.Archive, f *archive.Forget) error {
	part := archive.Forget{Reason: f.Reason, Snapshots: f.Snapshots}
	versions := f.Versions
	for len(versions)+len(part.Snapshots) > 0 {
		n := min(len(versions), maxForgotten)
		part.Versions, versions = versions[:n], versions[n:]
		if _, err := a.Forget(ctx, part); err != nil {
			return err
		}
		part.Snapshots = nil
	}
	return nil
}

func (o *retentionOptions) total(rule, mailbox string) *total {
	key := totalKey{rule, mailbox}
	if o.totals[key] == nil {
		o.totals[key] = &total{}
	}
	return o.totals[key]
}

// versions judges the versions of a mailbox.
func (o *retentionOptions) versions(ctx context.Context, a *archive.Archive, mailbox string, goes func(*archive.Version, retention.Decision)) error {
	var before *archive.Version // whether it is the last of its item is known when the next one is there
	judge := func(v, next *archive.Version) error {
		d, class, err := o.judge(ctx, a, v, next == nil || next.ID != v.ID)
		if err != nil {
			return err
		}
		if d.Remove {
			goes(v, d)
		}
		if !o.list || !d.Remove && !o.kept {
			return nil
		}
		return o.printVersion(v, class, d)
	}
	for v, err := range a.Histories(ctx, mailbox) {
		if err == nil && before != nil {
			err = judge(before, v)
		}
		if err != nil {
			return err
		}
		before = v
	}
	if before == nil {
		return nil
	}
	return judge(before, nil)
}

// judge asks for holds only about what would go.
func (o *retentionOptions) judge(ctx context.Context, a *archive.Archive, v *archive.Version, last bool) (d retention.Decision, class string, err error) {
	summary, err := mapi.DecodeSummary(v.Summary)
	if err != nil {
		return retention.Decision{Why: "what it is cannot be read"}, "", nil
	}
	rv := retention.Version{Version: v, Class: summary.Class, Last: last}
	if d = o.plan.Judge(rv); d.Remove {
		if rv.Hold, err = a.HeldBy(ctx, archive.VersionRef{Mailbox: v.Mailbox, ID: v.ID, From: v.From}); err != nil {
			return d, "", err
		}
		if d = o.plan.Judge(rv); !d.Remove {
			o.total(d.Rule, v.Mailbox).held++
		}
	}
	if !d.Remove {
		o.total(d.Rule, v.Mailbox).kept++
	}
	return d, summary.Class, nil
}

// snapshots judges the snapshots of a mailbox. Those of one that is held as a whole stay.
func (o *retentionOptions) snapshots(ctx context.Context, a *archive.Archive, mailbox string, goes func(archive.Snapshot, retention.Decision)) error {
	holds, err := a.Holds(ctx)
	if err != nil || slices.ContainsFunc(holds, func(h archive.Hold) bool { return h.Query == "" && slices.Contains(h.Mailboxes, mailbox) }) {
		return err
	}
	var before archive.Snapshot
	for s, err := range a.Snapshots(ctx, mailbox) {
		if err != nil {
			return err
		}
		if before.Ordinal > 0 {
			if d := o.plan.JudgeSnapshot(before, s.Time); d.Remove || o.kept {
				if d.Remove {
					goes(before, d)
				}
				if err := o.printSnapshotOf(before, d); err != nil {
					return err
				}
			}
		}
		before = s
	}
	return nil
}

// mark says in a listing what becomes of a thing.
func mark(remove bool) string {
	if remove {
		return "goes "
	}
	return "stays"
}

func (o *retentionOptions) printVersion(v *archive.Version, class string, d retention.Decision) error {
	if o.json {
		return o.print(struct {
			ID        string `json:"id"`
			Version   uint32 `json:"version"`
			Mailbox   string `json:"mailbox"`
			Folder    string `json:"folder"`
			Class     string `json:"class"`
			Size      int64  `json:"size"`
			FirstSeen string `json:"first_seen"`
			Ended     string `json:"ended"`
			Remove    bool   `json:"remove"`
			Rule      string `json:"rule"`
			Why       string `json:"why"`
		}{v.ID.String(), v.From, v.Mailbox, v.Folder, class, v.Size, moment(v.FirstSeen), moment(v.Ended), d.Remove, d.Rule, d.Why})
	}
	_, err := fmt.Fprintf(o.out, "%s  %s@%-4d %-28s %-24s %8s  %s: %s\n", mark(d.Remove), v.ID, v.From, plain(v.Mailbox), plain(v.Folder), bytes(v.Size), plain(cmp.Or(d.Rule, "-")), plain(d.Why))
	return err
}

func (o *retentionOptions) printSnapshotOf(s archive.Snapshot, d retention.Decision) error {
	if !o.list {
		return nil
	}
	if o.json {
		return o.print(struct {
			Snapshot uint32 `json:"snapshot"`
			Mailbox  string `json:"mailbox"`
			Time     string `json:"time"`
			Remove   bool   `json:"remove"`
			Rule     string `json:"rule"`
			Why      string `json:"why"`
		}{s.Ordinal, s.Mailbox, moment(s.Time), d.Remove, d.Rule, d.Why})
	}
	_, err := fmt.Fprintf(o.out, "%s  snapshot %-5d %-28s %s  %s: %s\n", mark(d.Remove), s.Ordinal, plain(s.Mailbox), moment(s.Time), plain(cmp.Or(d.Rule, "-")), plain(d.Why))
	return err
}

// printTotals writes counts and bytes by rule and mailbox: of what goes, or went.
func (o *retentionOptions) printTotals() error {
	keys := slices.SortedFunc(maps.Keys(o.totals), func(x, y totalKey) int {
		return cmp.Or(strings.Compare(x.rule, y.rule), strings.Compare(x.mailbox, y.mailbox))
	})
	var all total
	for _, k := range keys {
		t := o.totals[k]
		all.versions, all.snapshots, all.bytes, all.held = all.versions+t.versions, all.snapshots+t.snapshots, all.bytes+t.bytes, all.held+t.held
		if err := o.printTotal(k, t); err != nil {
			return err
		}
	}
	verb := "would go"
	if o.apply {
		verb = "went"
	}
	o.say("%d versions of %s and %d snapshots %s; holds keep %d versions", all.versions, bytes(all.bytes), all.snapshots, verb, all.held)
	if o.apply && all.versions > 0 {
		o.say("`mailbrick prune` frees the space")
	}
	return nil
}

func (o *retentionOptions) printTotal(k totalKey, t *total) error {
	if o.json {
		type line struct {
			Rule      string `json:"rule"`
			Mailbox   string `json:"mailbox"`
			Versions  int64  `json:"versions"`
			Bytes     int64  `json:"bytes"`
			Snapshots int64  `json:"snapshots"`
			Kept      int64  `json:"kept"`
			Held      int64  `json:"held"`
		}
		return o.print(struct {
			Total line `json:"total"`
		}{line{k.rule, k.mailbox, t.versions, t.bytes, t.snapshots, t.kept, t.held}})
	}
	_, err := fmt.Fprintf(o.out, "%-20s %-40s %8d versions %10s %6d snapshots; %d stay, %d of them held\n", plain(cmp.Or(k.rule, "no rule")), plain(k.mailbox),
		t.versions, bytes(t.bytes), t.snapshots, t.kept, t.held)
	return err
}
