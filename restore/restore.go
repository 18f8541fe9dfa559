package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"mailbrick/archive"
)

// Vault is the part of an archive that a restore reads.
type Vault interface {
	// OpenBlob reads an item's blob. Bytes that are not those that were put end in an error instead of io.EOF.
	OpenBlob(ctx context.Context, v *archive.Version) (io.ReadCloser, error)
	// Folders are a mailbox's folders as they were at a snapshot, of which mailbox and ordinal are given.
	Folders(ctx context.Context, s archive.Snapshot) (map[string]archive.Folder, error)
}

// Target is where items go. Run calls it from one goroutine: Begin; then Place for every item and Put for those that it
// did not settle, in groups; at last Finish, whatever happened. An error stops the run; what befalls one item is its
// Result.
type Target interface {
	Begin(ctx context.Context, o Options) error
	// Place finds out where an item goes and sets its Target. It may settle the item at once by giving a result.
	Place(ctx context.Context, item *Item) (*Result, error)
	// Put brings items to their places and settles each of them once, in any order. When it returns an error the items
	// that it did not settle are counted as failed.
	Put(ctx context.Context, items []*Item, settle func(*Item, Result)) error
	Finish() error
}

// witness is a target that wants to be told all results, those too that others settled.
type witness interface {
	witness(item *Item, r Result) error
}

// Mode says what a mailbox does with an item that it may have already.
type Mode uint8

const (
	Skip   Mode = iota // leave out what its folder held before the restore began
	New                // always a new item
	Update             // in place where the original still is in its folder, else a new item
)

func (m Mode) String() string {
	switch m {
	case New:
		return "new"
	case Update:
		return "update"
	}
	return "skip"
}

// ParseMode reads what String gives.
func ParseMode(s string) (Mode, error) {
	for _, m := range []Mode{Skip, New, Update} {
		if s == m.String() {
			return m, nil
		}
	}
	return Skip, fmt.Errorf("%q is not a mode: skip, new or update is wanted", s)
}

// Options of a run; the zero value works.
type Options struct {
	Mode     Mode
	ToFolder string // path below which everything goes, "Restored/2026"; a "/" within a name is written "\/"
	DryRun   bool   // say what would be done, change nothing
	NoVerify bool   // do not read back what was put

	LeaveRecoverable, LeaveAssociated bool // skip what was in the recoverable items, and associated items

	Each     func(Result) // called for every item as it is settled
	Progress func(Report) // called after Each
}

// Status is what became of an item.
type Status string

const (
	Restored Status = "restored"
	Skipped  Status = "skipped" // there already
	Failed   Status = "failed"
	Differs  Status = "differs" // put, but what is there now is not, or not provably, what was sent
)

// Result is what became of one item.
type Result struct {
	ID          archive.ID
	Target      string // the folder, or the file, as people say it
	ItemID      string // the server's id of what was put
	Status      Status
	Reason      string
	Differences []string // the properties that differ, by canonical id ("0x0037", "recipient 2/0x3001"), never values
	Warnings    []string
}

// Report counts results.
type Report struct {
	Items, Restored, Skipped, Failed, Differs int
	Bytes                                     int64 // of the blobs that were put
}

// Groups handed to Target.Put: no more items, and no more bytes unless one item alone has them. EWS servers that are set up
// as delivered take 64 MiB of base64 in a request.
const (
	groupItems = 10
	groupBytes = 16 << 20
)

// ErrFull says that the mailbox takes no more. It stops a run.
var ErrFull = errors.New("the mailbox is full")

// Run brings items to a target. One bad item does not stop it: its result says what is wrong. What stops it is the end of
// the context, an error of items, and an error of the target.
func Run(ctx context.Context, vault Vault, target Target, items iter.Seq2[*archive.Version, error], o Options) (Report, error) {
	r := &run{target: target, opts: o, vault: vault, homes: homes{vault: vault}}
	err := target.Begin(ctx, o)
	if err == nil {
		err = r.all(ctx, items)
	}
	return r.report, errors.Join(err, target.Finish())
}

type run struct {
	vault  Vault
	target Target
	opts   Options
	homes  homes
	report Report
	err    error // of the witness

	group []*Item
	bytes int64
}

func (r *run) all(ctx context.Context, items iter.Seq2[*archive.Version, error]) error {
	for v, err := range items {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.one(ctx, v)
		}
		if err != nil {
			// What was placed before stands on its own: it is put even if the list breaks off.
			if also := r.flush(ctx); also != nil && !errors.Is(err, also) {
				err = errors.Join(err, also)
			}
			return err
		}
	}
	return r.flush(ctx)
}

func (r *run) one(ctx context.Context, v *archive.Version) error {
	item := newItem(r.vault, v)
	var err error
	if item.Home, err = r.homes.of(ctx, v); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return r.settle(item, Result{Status: Failed, Reason: fmt.Sprintf("look up its folder: %v", err)})
	}
	if reason := r.opts.leftOut(item); reason != "" {
		item.Target = v.Folder
		return r.settle(item, Result{Status: Skipped, Reason: reason})
	}
	result, err := r.target.Place(ctx, item)
	switch {
	case err != nil:
		return fmt.Errorf("item %s: %w", v.ID, err)
	case result != nil:
		return r.settle(item, *result)
	case r.opts.DryRun:
		return r.settle(item, Result{Status: Restored, Reason: "dry run: nothing was changed"})
	}
	if r.bytes+v.Size > groupBytes {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.group = append(r.group, item)
	if r.bytes += v.Size; len(r.group) == groupItems || r.bytes >= groupBytes {
		return r.flush(ctx)
	}
	return nil
}

// flush puts the group.
func (r *run) flush(ctx context.Context) error {
	if len(r.group) == 0 {
		return r.err
	}
	group := r.group
	r.group, r.bytes = nil, 0
	settled := make(map[*Item]bool, len(group))
	err := ctx.Err()
	if err == nil {
		err = r.target.Put(ctx, group, func(item *Item, result Result) {
			settled[item] = true
			_ = r.settle(item, result) // kept in r.err
		})
	}
	for _, item := range group {
		if settled[item] {
			continue
		}
		reason := "not put"
		if err != nil {
			reason = fmt.Sprintf("not put: %v", err)
		}
		_ = r.settle(item, Result{Status: Failed, Reason: reason})
	}
	return errors.Join(err, r.err)
}

func (r *run) settle(item *Item, result Result) error {
	result.ID, result.Target = item.Version.ID, item.Target
	r.count(item, result)
	if w, ok := r.target.(witness); ok && r.err == nil {
		r.err = w.witness(item, result)
	}
	if r.opts.Each != nil {
		r.opts.Each(result)
	}
	if r.opts.Progress != nil {
		r.opts.Progress(r.report)
	}
	return r.err
}

func (r *run) count(item *Item, result Result) {
	r.report.Items++
	switch result.Status {
	case Skipped:
		r.report.Skipped++
	case Failed:
		r.report.Failed++
	case Differs:
		r.report.Differs++
	default:
		r.report.Restored++
	}
	if !r.opts.DryRun && (result.Status == Restored || result.Status == Differs) {
		r.report.Bytes += item.Version.Size
	}
}
