package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailbrick/archive"
)

// Sink is the part of an archive's session that a run needs.
type Sink interface {
	Known(itemID string) (changeKey, folderID string, ok bool, err error)
	NewContent(ctx context.Context) *archive.Content
	Put(ctx context.Context, item archive.Item, content *archive.Content) error
	Amend(itemID, changeKey string, change func(summary []byte) ([]byte, error)) error
	Remove(itemID string) error
	Folders(ctx context.Context) (map[string]archive.Folder, error)
	PutFolder(f archive.Folder) error
	RemoveFolders(ctx context.Context, folderIDs ...string) error
	ItemsIn(ctx context.Context, folderIDs ...string) iter.Seq2[string, error]
	Associated(itemID string) (bool, error)
	Cursor(key string) ([]byte, error)
	Cursors(ctx context.Context, prefix string) (map[string][]byte, error)
	SetCursor(key string, value []byte) error
	Checkpoint(ctx context.Context) error
	Commit(ctx context.Context) (archive.Snapshot, error)
}

// Options are a run's; the zero value works.
type Options struct {
	Include, Exclude []string // folder paths; a folder is with what lies below it, compared without case
	BatchItems       int      // most items of one export
	BatchBytes       int64    // most bytes of one export; a bigger item goes alone
	Exports          int      // at once; more than one only of a source that allows it: 1
	Full             bool     // asks for the changes of folders too whose mark says that there are none
	Clock            func() time.Time
	Log              *slog.Logger
	Progress         func(Progress) // called now and then
	Slow             func()         // called, from anywhere, when the server lets this mailbox wait: others could be served meanwhile
	Fetched          func()         // called when all that is asked of the source was asked, before the commit, which may wait for others
}

func (o *Options) defaults() {
	if o.BatchItems == 0 {
		o.BatchItems = 50
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 24 << 20
	}
	if o.Exports == 0 {
		o.Exports = 1
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Fetched == nil {
		o.Fetched = func() {}
	}
	if o.Slow == nil {
		o.Slow = func() {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
}

// Progress is how far a run has come.
type Progress struct {
	Items    int   // exported so far
	Expected int   // items that the run expects to export, as far as it knows by now
	Bytes    int64 // of the blobs exported so far
}

// Failure is an item or folder that could not be had.
type Failure struct {
	ItemID string
	Folder string // path
	Cause  string
	Since  time.Time // of the first run that failed
}

// Result is what a run did.
type Result struct {
	Snapshot      archive.Snapshot
	Complete      bool // everything in scope is in
	Exported      int
	ExportedBytes int64
	Unparsed      int // blobs that could not be read, and are kept as they are
	Failures      []Failure
	Coverage      Coverage
}

// Run brings the sink's mailbox up to date with the source. The result is valid, as far as it came, with an error too.
func Run(ctx context.Context, source Source, sink Sink, o Options) (Result, error) {
	o.defaults()
	r := &run{source: source, sink: sink, o: o, failed: map[string]failure{}, doubted: map[string]bool{}, unread: map[string]bool{}, most: o.BatchItems}
	r.readers.New = newReader
	err := r.run(ctx)
	return r.result, err
}

type run struct {
	source Source
	sink   Sink
	o      Options
	known  map[string]archive.Folder // by id: the folders as they are now
	before Coverage                  // of the last run
	anew   relisted

	mu      sync.Mutex         // guards what follows while exports run
	failed  map[string]failure // by item id: what could not be had, of earlier runs and of this one
	doubted map[string]bool    // of these, what this run was told is not there
	unread  map[string]bool    // by item id: what came and could not be read, the first time
	result  Result
	most    int       // items of one export, as the server has been found to manage them
	silent  int       // items in a row that had no answer
	readers sync.Pool // of *reader

	expected int  // items to export, guessed from the folders that are new and counted in the others
	counted  bool // the folder at hand is among those guessed
}

// folderCursor is where the next run goes on in a folder.
type folderCursor struct {
	State      string `json:"state"`
	Mark       string `json:"mark"`
	Associated bool   `json:"associated,omitempty"` // the associated items before State are in

	// Unsure are items that may be in though State is before them: runs broke off in pages that told of them. Should they go
	// before they are told again, the server never says so, since for it they were never told.
	Unsure []string `json:"unsure,omitempty"`
}

// failure is an item to try again.
type failure struct {
	Folder    string    `json:"folder"`
	ChangeKey string    `json:"change_key"`
	Size      int64     `json:"size,omitempty"`
	Cause     string    `json:"cause"`
	Since     time.Time `json:"since"`
	Gone      int       `json:"gone,omitempty"` // runs that were told that it is not there, 2 for more; none of which a list said so
}

const (
	folderKey = "folder/"
	failedKey = "failed/"
	kindKey   = "source"
)

func (r *run) run(ctx context.Context) error {
	if err := r.loadFailures(ctx); err != nil {
		return err
	}
	earlier := r.earlierFailures()
	folders, err := r.syncFolders(ctx)
	if err != nil {
		return err
	}
	if err := r.folders(ctx, folders); err != nil {
		return err
	}
	if err := r.retry(ctx, earlier); err != nil {
		return err
	}
	r.result.Failures = append(r.result.Failures, listed(r.failed, r.known)...)
	sortFailures(r.result.Failures)
	if err := r.keepCoverage(); err != nil {
		return err
	}
	r.o.Fetched()
	r.result.Snapshot, err = r.sink.Commit(ctx)
	r.result.Complete = err == nil && len(r.result.Failures) == 0 && !r.result.Coverage.refused()
	return err
}

func (r *run) loadFailures(ctx context.Context) error {
	rows, err := r.sink.Cursors(ctx, failedKey)
	if err != nil {
		return err
	}
	r.failed, err = failuresOf(rows)
	return err
}

// failuresOf reads the cursors of failed items.
func failuresOf(rows map[string][]byte) (map[string]failure, error) {
	failed := make(map[string]failure, len(rows))
	for key, value := range rows {
		var f failure
		if err := json.Unmarshal(value, &f); err != nil {
			return nil, fmt.Errorf("cursor of a failed item: %w", err)
		}
		failed[strings.TrimPrefix(key, failedKey)] = f
	}
	return failed, nil
}

// syncFolders brings the folders up to date and gives those in scope.
func (r *run) syncFolders(ctx context.Context) ([]Folder, error) {
	over := r.held(new(atomic.Int64))
	listed, err := r.source.Folders(ctx)
	over()
	if err != nil {
		return nil, fmt.Errorf("list folders: %w", err)
	}
	if err := r.scope(); err != nil {
		return nil, err
	}
	known, err := r.sink.Folders(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.sameKind(len(known) > 0); err != nil {
		return nil, err
	}
	there, closed := map[string]bool{}, map[string]bool{}
	for _, f := range listed {
		there[f.ID], closed[f.ID] = true, f.Closed
		now := archive.Folder{ID: f.ID, ParentID: f.ParentID, Name: f.Name, Class: f.Class, Kind: f.Kind}
		was := known[f.ID]
		was.From, was.To = 0, 0
		if was != now {
			if err := r.sink.PutFolder(now); err != nil {
				return nil, err
			}
		}
		known[f.ID] = now
	}
	var gone []string
	for id := range known {
		if !there[id] && !lies(known, id, closed) && !r.outOfScope(known, id) {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	r.known = known
	return r.inScope(listed), r.removeFolders(ctx, gone)
}

// sameKind refuses a source of another kind than the mailbox came from.
func (r *run) sameKind(begun bool) error {
	var kind []byte
	if k, ok := r.source.(Kinder); ok {
		kind = []byte(k.Kind())
	}
	was, err := r.sink.Cursor(kindKey)
	if err != nil {
		return err
	}
	if begun && string(was) != string(kind) {
		return ErrOtherSource
	}
	return r.sink.SetCursor(kindKey, kind)
}

// maxDepth is how deep folders lie: Exchange has 300 levels at most. Deeper is a circle.
const maxDepth = 300

// lies tells whether a folder lies below one of others.
func lies(known map[string]archive.Folder, id string, others map[string]bool) bool {
	for range maxDepth {
		parent := known[id].ParentID
		if others[parent] {
			return true
		}
		id = parent
	}
	return false
}

// removeFolders removes those that are gone, which are sorted.
func (r *run) removeFolders(ctx context.Context, gone []string) error {
	if len(gone) == 0 {
		return nil
	}
	for item, f := range r.failed {
		if _, is := slices.BinarySearch(gone, f.Folder); is {
			if err := r.forgive(item); err != nil {
				return err
			}
		}
	}
	if err := r.sink.RemoveFolders(ctx, gone...); err != nil {
		return err
	}
	for _, id := range gone {
		if err := r.sink.SetCursor(folderKey+id, nil); err != nil {
			return err
		}
	}
	return nil
}

// inScope leaves the folders that are included and not excluded. An included folder that is not there is a failure: a slip of
// the pen must not look like an empty mailbox.
func (r *run) inScope(listed []Folder) []Folder {
	missed := slices.Clone(r.o.Include)
	scope := slices.DeleteFunc(listed, func(f Folder) bool {
		path := archive.Path(r.known, f.ID)
		missed = slices.DeleteFunc(missed, func(include string) bool { return within(path, []string{include}) })
		out := len(r.o.Include) > 0 && !within(path, r.o.Include) || within(path, r.o.Exclude)
		if out && path != "" {
			r.skip(path)
		}
		return out
	})
	for _, include := range missed {
		r.result.Failures = append(r.result.Failures, Failure{Folder: include, Cause: "the mailbox has no such folder", Since: r.o.Clock()})
	}
	return scope
}

// within tells whether a path is one of the folders or lies below one; everything lies below "/".
func within(path string, folders []string) bool {
	path = strings.ToLower(path)
	return slices.ContainsFunc(folders, func(f string) bool {
		f = strings.ToLower(strings.Trim(f, "/"))
		return f == "" || path == f || strings.HasPrefix(path, f+"/")
	})
}

// folders brings folders up to date, one after another. What was listed anew is compared though a later one fails.
func (r *run) folders(ctx context.Context, folders []Folder) error {
	for _, f := range folders {
		if err := r.folder(ctx, f); err != nil {
			_ = r.compare(ctx) // the first error counts; what is not compared is listed once more
			return err
		}
	}
	return r.compare(ctx)
}

// folder brings one folder up to date.
func (r *run) folder(ctx context.Context, f Folder) error {
	cur, begun, err := r.folderCursor(f.ID)
	if err != nil {
		return err
	}
	wanted, told := r.associated()
	catchUp := told && wanted && !cur.Associated // of the associated items, which earlier runs passed over
	if f.Mark != "" && cur.Mark == f.Mark && !catchUp && !r.o.Full {
		return nil
	}
	if r.counted = cur.State == ""; r.counted {
		r.expected += f.Total
	}
	cur.Associated = told && wanted
	if begun && (cur.State == "" || catchUp) {
		// An earlier run broke off in the first page: what it took in may be gone by now, and no list will say so.
		err = r.relist(ctx, f)
	} else if err = r.setFolderCursor(f.ID, cur); err == nil {
		err = r.changes(ctx, f, cur)
	}
	if errors.Is(err, ErrStateLost) {
		err = r.relist(ctx, f)
	}
	if errors.Is(err, ErrFolder) || errors.Is(err, ErrStateLost) || errors.Is(err, ErrGone) { // lost in the midst of the list, too: the next run begins it anew
		r.o.Log.Warn("folder skipped", "cause", err)
		r.gap(f.ID, err)
		return nil
	}
	return err
}

func (r *run) folderCursor(id string) (cur folderCursor, begun bool, err error) {
	value, err := r.sink.Cursor(folderKey + id)
	if err != nil || value == nil {
		return cur, false, err
	}
	if err := json.Unmarshal(value, &cur); err != nil {
		return cur, false, fmt.Errorf("cursor of a folder: %w", err)
	}
	return cur, true, nil
}

// changes follows a folder from a cursor to its end. The mark was read before the changes are: what comes in between
// changes it again.
func (r *run) changes(ctx context.Context, f Folder, cur folderCursor) error {
	trail := newTrail()
	for {
		page, err := r.next(ctx, trail, f.ID, cur.State)
		if err != nil {
			return err
		}
		wanted, err := r.page(page.Changes)
		if err != nil {
			return err
		}
		sure := cur.told(page.Changes)
		if err := r.unsure(f.ID, cur, wanted); err != nil {
			return err
		}
		if err := r.fetch(ctx, f.ID, wanted); err != nil {
			return err
		}
		cur.State, cur.Mark, cur.Unsure = page.State, "", sure
		if page.Last {
			if err := r.dropUnsure(f.ID, &cur); err != nil {
				return err
			}
			cur.Mark = f.Mark
		}
		if err := r.setFolderCursor(f.ID, cur); err != nil {
			return err
		}
		if err := r.sink.Checkpoint(ctx); err != nil {
			return err
		}
		if page.Last {
			return nil
		}
	}
}

// next gives the next page of a folder.
func (r *run) next(ctx context.Context, t *trail, folderID, state string) (Page, error) {
	defer r.held(new(atomic.Int64))()
	return t.next(ctx, r.source, folderID, state)
}

// told gives what stays unsure after a page.
func (c *folderCursor) told(page []Change) (left []string) {
	if len(c.Unsure) == 0 {
		return nil
	}
	there := make(map[string]bool, len(page))
	for _, t := range page {
		there[t.ItemID] = true
	}
	return slices.DeleteFunc(slices.Clone(c.Unsure), func(id string) bool { return there[id] })
}

// unsure keeps in the cursor what is about to be fetched, until it can move behind it.
func (r *run) unsure(folderID string, cur folderCursor, wanted []Ref) error {
	if len(wanted) == 0 {
		return nil
	}
	known := make(map[string]bool, len(cur.Unsure))
	for _, id := range cur.Unsure {
		known[id] = true
	}
	cur.Unsure = slices.Clone(cur.Unsure)
	for _, ref := range wanted {
		if !known[ref.ItemID] {
			cur.Unsure = append(cur.Unsure, ref.ItemID)
		}
	}
	cur.Mark = ""
	return r.setFolderCursor(folderID, cur)
}

// dropUnsure removes, at the end of a folder's changes, what was not told again. A source that begins anew after the end
// compares the whole folder then.
func (r *run) dropUnsure(folderID string, cur *folderCursor) error {
	unsure := cur.Unsure
	cur.Unsure = nil
	if cur.State == "" {
		return nil
	}
	for _, id := range unsure {
		if err := r.forgive(id); err != nil {
			return err
		}
		_, in, known, err := r.sink.Known(id)
		if err != nil {
			return err
		}
		if known && in == folderID {
			if err := r.sink.Remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) setFolderCursor(id string, cur folderCursor) error {
	value, err := json.Marshal(cur)
	if err != nil {
		return err
	}
	return r.sink.SetCursor(folderKey+id, value)
}

// page takes in a page of changes and gives the items that are to be exported for it.
func (r *run) page(changes []Change) (wanted []Ref, err error) {
	associated, _ := r.associated()
	for _, c := range changes {
		if c.Associated && !associated {
			continue // views, rules and settings of programs; they are no mail
		}
		ref, want, err := r.change(c)
		if err != nil {
			return nil, err
		}
		if want {
			wanted = append(wanted, ref)
		}
	}
	if !r.counted {
		r.expected += len(wanted)
	}
	return wanted, nil
}

// change takes in a change that needs no export, and tells which need one.
func (r *run) change(c Change) (ref Ref, want bool, err error) {
	if c.Kind == Deleted {
		if err := r.forgive(c.ItemID); err != nil {
			return ref, false, err
		}
		return ref, false, r.sink.Remove(c.ItemID)
	}
	changeKey, _, known, err := r.sink.Known(c.ItemID)
	if err != nil || known && changeKey == c.ChangeKey {
		return ref, false, err
	}
	if c.Kind == Flagged && known {
		return ref, false, r.sink.Amend(c.ItemID, c.ChangeKey, setRead(c.Read))
	}
	return c.Ref, true, nil
}

// fail records an item for the next run.
func (r *run) fail(folderID string, ref Ref, cause error) error {
	r.o.Log.Warn("item failed", "cause", cause)
	return r.keepFailure(folderID, ref, cause, 0)
}

func (r *run) keepFailure(folderID string, ref Ref, cause error, gone int) error {
	was := r.failed[ref.ItemID]
	f := failure{Folder: folderID, ChangeKey: ref.ChangeKey, Size: ref.Size, Cause: cause.Error(), Since: was.Since, Gone: gone}
	if f.Since.IsZero() {
		f.Since = r.o.Clock().UTC().Truncate(time.Second)
	}
	if f == was {
		return nil // known already: failing again is no change, and makes no snapshot
	}
	r.failed[ref.ItemID] = f
	value, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return r.sink.SetCursor(failedKey+ref.ItemID, value)
}

// doubt keeps an item that was listed and of which the server then says that it is not there. As a rule the next list says so
// too. Where it does not, that was not true: the next run asks again, and what it does not get then is a failure.
func (r *run) doubt(folderID string, ref Ref, cause error) error {
	was := r.failed[ref.ItemID]
	gone := max(was.Gone, 1)
	if was.Gone > 0 && !r.doubted[ref.ItemID] {
		gone = 2
	}
	r.doubted[ref.ItemID] = true
	return r.keepFailure(folderID, ref, cause, gone)
}

// forgive forgets that an item failed.
func (r *run) forgive(itemID string) error {
	if _, ok := r.failed[itemID]; !ok {
		return nil
	}
	delete(r.failed, itemID)
	return r.sink.SetCursor(failedKey+itemID, nil)
}

// earlierFailures are the items that failed before this run, by folder.
func (r *run) earlierFailures() map[string][]Ref {
	out := map[string][]Ref{}
	for id, f := range r.failed {
		out[f.Folder] = append(out[f.Folder], Ref{ItemID: id, ChangeKey: f.ChangeKey, Size: f.Size})
	}
	return out
}

// retry asks again for what failed in earlier runs and has neither come nor gone in this one.
func (r *run) retry(ctx context.Context, earlier map[string][]Ref) error {
	for folderID, items := range earlier {
		items = slices.DeleteFunc(items, func(ref Ref) bool {
			f, ok := r.failed[ref.ItemID]
			return !ok || f.ChangeKey != ref.ChangeKey
		})
		if err := r.fetch(ctx, folderID, items); err != nil {
			return err
		}
	}
	return nil
}

// listed gives failed items as people see them.
func listed(failed map[string]failure, folders map[string]archive.Folder) []Failure {
	var out []Failure
	for id, f := range failed {
		if f.Gone == 1 {
			continue // the next list decides
		}
		out = append(out, Failure{ItemID: id, Folder: archive.Path(folders, f.Folder), Cause: f.Cause, Since: f.Since})
	}
	sortFailures(out)
	return out
}

func sortFailures(list []Failure) {
	slices.SortStableFunc(list, func(a, b Failure) int {
		return cmp.Or(strings.Compare(a.Folder, b.Folder), strings.Compare(a.ItemID, b.ItemID))
	})
}
