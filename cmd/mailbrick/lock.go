package main

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/archive/blob"
	"mailbrick/archive/retention"
	"mailbrick/fetch/mapi"
)

// locking is how long the bucket is to keep, from everybody, what must stay; nil where it is not told to.
type locking struct {
	now, until time.Time
	mode       blob.LockMode
}

func lockFlags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "lock", EnvVars: []string{"MAILBRICK_LOCK"}, Usage: "have the object store lock " + what + " for `SPAN` from now (30d, 12w, 6m, 7y); its bucket must have Object Lock"},
		&cli.StringFlag{Name: "lock-mode", EnvVars: []string{"MAILBRICK_LOCK_MODE"}, Value: "governance", Usage: "`MODE` of these locks: governance, or compliance, which nobody can lift"},
	}
}

func lockingOf(c *cli.Context, o *common) (*locking, error) {
	l := &locking{now: time.Now()}
	switch mode := c.String("lock-mode"); mode {
	case "governance":
	case "compliance":
		l.mode = blob.Compliance
	default:
		return nil, usagef("--lock-mode %s: it is governance or compliance", mode)
	}
	text := c.String("lock")
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(o.archive, inStore) {
		return nil, usagef("--lock: only an object store has locks, and %s is none", o.archive)
	}
	var span retention.Span
	if err := span.UnmarshalText([]byte(text)); err != nil {
		return nil, usagef("--lock: %w", err)
	}
	l.until = span.After(l.now)
	if !l.until.After(l.now) {
		return nil, usagef("--lock %s: a lock has an end, and lasts; a hold without end is locked by renewing it in time", text)
	}
	return l, nil
}

// lock has the bucket keep the versions that holds cover, and those that a policy, which may be nil, keeps so long whatever the
// mailbox does.
func (o *common) lock(ctx context.Context, a *archive.Archive, l *locking, p *retention.Policy) error {
	if l == nil {
		return nil
	}
	var plan *retention.Plan
	if p != nil {
		plan = p.At(l.until)
	}
	bar := o.progress("lock", 0, "objects")
	r, err := a.Protect(ctx, archive.Protection{Lock: blob.Lock{Until: l.until, Mode: l.mode}, Progress: func(n int) { bar.set(int64(n)) }},
		l.wanted(ctx, a, plan))
	bar.done()
	if err != nil {
		return err
	}
	if r.InDoubt {
		o.warn("damage hides what is needed, so all packs are locked: run `mailbrick verify`")
	}
	if o.json {
		return o.print(struct {
			Objects  int    `json:"locked_objects"`
			Packs    int    `json:"locked_packs"`
			Versions int    `json:"locked_versions"`
			Until    string `json:"locked_until"`
		}{r.Objects, r.Packs, r.Versions, moment(l.until)})
	}
	o.say("%d versions are locked in the store until %s: %d packs, %d objects in all", r.Versions, moment(l.until), r.Packs, r.Objects)
	return nil
}

// wanted are the versions that must stay.
func (l *locking) wanted(ctx context.Context, a *archive.Archive, plan *retention.Plan) iter.Seq2[*archive.Version, error] {
	return func(yield func(*archive.Version, error) bool) {
		for _, m := range a.Mailboxes() {
			var before *archive.Version
			for v, err := range a.Histories(ctx, m.Mailbox) {
				if err != nil {
					yield(nil, err)
					return
				}
				if before != nil && !l.visit(ctx, a, plan, before, before.ID != v.ID, yield) {
					return
				}
				before = v
			}
			if before != nil && !l.visit(ctx, a, plan, before, true, yield) {
				return
			}
		}
	}
}

func (l *locking) visit(ctx context.Context, a *archive.Archive, plan *retention.Plan, v *archive.Version, last bool, yield func(*archive.Version, error) bool) bool {
	stays := l.keeps(plan, v, last)
	if !stays {
		hold, err := a.HeldBy(ctx, archive.VersionRef{Mailbox: v.Mailbox, ID: v.ID, From: v.From})
		if err != nil {
			return yield(nil, err)
		}
		stays = hold != ""
	}
	return !stays || yield(v, nil)
}

// keeps tells whether a rule of the policy keeps a version until the lock ends, were it to vanish from the mailbox now.
func (l *locking) keeps(plan *retention.Plan, v *archive.Version, last bool) bool {
	if plan == nil {
		return false
	}
	summary, err := mapi.DecodeSummary(v.Summary)
	if err != nil {
		return false
	}
	as := *v
	if as.Ended.IsZero() {
		as.Ended, last = l.now, true
	}
	d := plan.Judge(retention.Version{Version: &as, Class: summary.Class, Last: last})
	return !d.Remove && d.Rule != ""
}
