package archive

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/parity"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
	"mailbrick/chunker"
)

// FormatVersion is the version of everything in a bucket. 1: the first; archives of it stay readable (testdata/archives/v1).
const FormatVersion = 1

var (
	// ErrNoArchive says that the bucket holds no archive.
	ErrNoArchive = errors.New("no archive there")
	// ErrNotArchive says that there is something that is no archive.
	ErrNotArchive = errors.New("not an archive")
	// ErrExists says that there is an archive, or something else, already.
	ErrExists = errors.New("there is something already")
	// ErrVersion says that a newer program made this.
	ErrVersion = errors.New("format version not known")
	// ErrDamaged says that stored bytes are not what was written.
	ErrDamaged = errors.New("archive damaged")
	// ErrNoKey says that the archive's key is missing or cannot be read.
	ErrNoKey = errors.New("the archive's key is missing")
	// ErrRollback says that the bucket is older than what this machine has seen of it.
	ErrRollback = errors.New("the archive is older than what this machine has seen of it")
	// ErrInUse says that another process has the archive's catalog.
	ErrInUse = errors.New("archive in use")
	// ErrConflict says that another writer works on the same mailbox.
	ErrConflict = errors.New("another writer works on this mailbox")
	// ErrWrongKey says that the passphrase does not open the archive.
	ErrWrongKey = seal.ErrWrongKey
	// ErrParts says that an item is of more parts than a recipe holds. No mail is: its bytes were made to be so.
	ErrParts = errors.New("item of too many parts")
	// ErrNotFound says that there is no such mailbox, item or snapshot.
	ErrNotFound = errors.New("not in the archive")

	// ErrClock says that this machine's clock, or that of the last writer, is far off.
	ErrClock = journal.ErrClock

	errClosed = errors.New("archive is closed")
)

// Options say how an archive is opened. Only Bucket and Catalog have to be set.
type Options struct {
	Bucket     blob.Bucket
	Far        bool            // asking Bucket is a trip over a network: more is kept in memory, and asked at once
	Catalog    string          // folder of this machine's catalog
	Identities []seal.Identity // open an encrypted archive; they are tried first, being cheap
	Passphrase string          // opens an encrypted archive
	Talk       seal.Talk       // for plugins of identities
	Secrets    Secrets         // gives the three above; may be nil
	Wait       time.Duration   // how long to wait for another process to let the catalog go
	WorkFactor int             // scrypt's, for Init; 0 is seal's default
	Parity     bool            // for Init: packs and journal get parity, so that Repair mends them; wants a blob.Replacer
	Clock      func() time.Time
	Random     io.Reader

	Machine  string // what this machine is called in the journal
	AnyClock bool   // append to the journal though its last record's time and the clock are far apart (ErrClock)

	Rebuild bool // make the catalog anew from the bucket; the one that is there stays until the new one is whole

	// Fatal is called, on any goroutine, when the catalog's database cannot go on: its disk is full or damaged in the midst
	// of a commit. What landed in the bucket is whole. It must not return; nil panics.
	Fatal func(error)

	// Damaged is told, once for an open archive, that something was damaged and could be read by its parity all the same:
	// Repair mends it. It may be nil.
	Damaged func(error)

	covered  *parity.Bucket // Bucket, where the archive keeps parity; cover sets both
	fs       vfs.FS         // crash tests put theirs here
	groupMax int64          // bytes of a group; 0 is the default
	groupAge time.Duration  // 0 is the default
	proveMax int            // items that Check gathers; 0 is the default
	heldMax  int            // items of a hold in one record; 0 is the default
	inline   int            // bytes of a pack that lies in a record; 0 is the default, less than 0 none
	folds    [2]uint64      // records in a segment, by level; 0 is the format's
}

// Secrets fills in what an archive is opened with. It is called for one that is encrypted.
type Secrets func(ctx context.Context, o *Options) error

func (o *Options) defaults() {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Fatal == nil {
		o.Fatal = func(err error) { panic(err) }
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.groupMax == 0 {
		o.groupMax = groupBytes
	}
	if o.groupAge == 0 {
		o.groupAge = groupAge
	}
	if o.inline == 0 {
		o.inline = inlineBytes
	}
	if o.proveMax == 0 {
		o.proveMax = provedAtOnce
	}
	if o.heldMax == 0 {
		o.heldMax = heldAtOnce
	}
}

// Bytes of frames kept in memory: by who reads, by who follows changes, which are read in the order in which they were written, and
// beside the bases of a group (basesHeld) by who writes.
const (
	framesRead     = 32 << 20
	framesFollowed = 8 << 20
	framesWritten  = 8 << 20
)

// Archive is an open archive. It is for concurrent use.
type Archive struct {
	opts   Options
	config config
	key    seal.Key // the root
	keys   *keyring
	parity *parity.Bucket // opts.Bucket, where the archive keeps parity
	*source
	cutter *chunker.Chunker
	ids    idMaker
	lock   io.Closer // of the catalog
	cat    *catalog
	frames *lru[frameKey, []byte]
	memory sync.Pool // of *contentMemory
	ranges sync.Pool // of *[]byte, for what a fetcher reads
	group  *group
	namer  func() (*namer, error)             // for what is stored, made when first needed
	signer func() (ed25519.PrivateKey, error) // this machine's key, read when first needed
}

// Open opens an archive and brings the catalog up to the journal's head. Of a bucket far away it asks what it can at once:
// where the catalog is current it waits three times.
func Open(ctx context.Context, o Options) (*Archive, error) {
	o.defaults()
	c, ring, err := o.unlock(ctx)
	if err != nil {
		return nil, err
	}
	key, keys := ring.Root(), o.keyring(ring, c.Encrypted)
	a := &Archive{opts: o, config: c, key: key, keys: keys, parity: o.covered, ids: newIDMaker(key),
		cutter: chunker.New(key.Derive("gear table"), chunker.Params{}), frames: newLRU[frameKey, []byte](framesRead),
		memory: sync.Pool{New: newContentMemory}}
	if a.source, err = o.newSource(keys); err != nil {
		return nil, err
	}
	a.inline = newLRU[pack.Name, []byte](inlineHeld)
	if a.lock, err = o.lockCatalog(ctx); err != nil {
		return nil, err
	}
	if err := a.bringCatalog(ctx); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	a.group = newGroup(a)
	a.namer = sync.OnceValues(func() (*namer, error) { return newNamer(a.ids, a.opts.Random) })
	a.signer = sync.OnceValues(func() (ed25519.PrivateKey, error) { return a.opts.signerKey(key) })
	return a, nil
}

// Rest lets go of memory that only writing is faster by, for who goes on with something else. Sessions may begin as before.
func (a *Archive) Rest() {
	a.group.unload()
	if a.parity != nil {
		a.parity.Rest()
	}
}

// Close keeps what unfinished sessions added as a checkpoint, unless an error stopped them, and lets the catalog go.
func (a *Archive) Close() error {
	err := a.group.finish(context.Background())
	return errors.Join(err, a.cat.close(), a.lock.Close())
}

// bringCatalog opens the catalog and brings it up to the journal's head. One that is made anew is opened again when it is whole, and
// gives back what memory it took.
func (a *Archive) bringCatalog(ctx context.Context) (err error) {
	beside := a.catalogOptions().dir + ".new"
	if err := a.opts.fs.RemoveAll(beside); err != nil {
		return fmt.Errorf("remove a catalog that was not finished: %w", full(err))
	}
	if a.opts.Rebuild {
		if err := a.remakeCatalog(ctx, beside); err != nil {
			return err
		}
	}
	for {
		if a.cat, err = a.openCatalog(); err != nil {
			return err
		}
		if err = a.follow(ctx); err == nil && !a.cat.anew {
			return nil
		}
		if err = errors.Join(err, a.cat.close()); err != nil {
			return err
		}
	}
}

// remakeCatalog makes a catalog from the bucket beside the one that is there, and puts it in its place when it is whole. The
// lock is taken.
func (a *Archive) remakeCatalog(ctx context.Context, beside string) (err error) {
	fs, o := a.opts.fs, a.catalogOptions()
	old := o.dir
	o.dir = beside
	if a.cat, err = openCatalog(o); err != nil {
		return err
	}
	if err := errors.Join(a.follow(ctx), a.cat.close()); err != nil {
		return errors.Join(err, fs.RemoveAll(o.dir))
	}
	if err := errors.Join(fs.RemoveAll(old), fs.Rename(o.dir, old)); err != nil {
		return fmt.Errorf("make the catalog anew: %w", full(err))
	}
	return nil
}

func (a *Archive) catalogOptions() catalogOptions {
	return catalogOptions{fs: a.opts.fs, dir: a.opts.fs.PathJoin(a.opts.Catalog, "db"), key: a.key, random: a.opts.Random, fatal: a.opts.Fatal}
}

func (a *Archive) openCatalog() (*catalog, error) {
	o := a.catalogOptions()
	c, err := openCatalog(o)
	if err == nil {
		return c, nil
	}
	if errors.Is(err, errCatalogVersion) || errors.Is(err, os.ErrNotExist) {
		// Nothing is only in the catalog: one of another version is made anew from the bucket, and one of which a crash has
		// kept some files and not others. Damage is told: it may be the disk's.
		if err := o.fs.RemoveAll(o.dir); err != nil {
			return nil, fmt.Errorf("remove a catalog that is to be made anew: %w", full(err))
		}
		if c, err = openCatalog(o); err == nil {
			return c, nil
		}
	}
	if !errors.Is(err, blob.ErrFull) {
		err = fmt.Errorf("%w (`mailbrick rebuild --catalog` makes it anew)", err)
	}
	return nil, err
}

// lockCatalog takes the catalog for this process, waiting as long as Options.Wait for another to end.
func (o *Options) lockCatalog(ctx context.Context) (io.Closer, error) {
	fs, dir := o.fs, o.Catalog
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make catalog folder: %w", full(err))
	}
	deadline := time.Now().Add(o.Wait)
	for {
		lock, err := fs.Lock(fs.PathJoin(dir, "lock"))
		if err == nil {
			o.signHolder()
			return lock, nil
		}
		if err = full(err); errors.Is(err, os.ErrPermission) || errors.Is(err, blob.ErrFull) {
			return nil, fmt.Errorf("lock the catalog: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w by %s: %w", ErrInUse, o.holder(), err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// signHolder leaves a note of who has the catalog, for whoever waits. It is talk, not a lock: failing to write it is no error.
func (o *Options) signHolder() {
	if o.fs == vfs.Default {
		_ = os.WriteFile(filepath.Join(o.Catalog, "holder"), []byte("process "+strconv.Itoa(os.Getpid())), 0o600)
	}
}

func (o *Options) holder() string {
	if data, err := os.ReadFile(filepath.Join(o.Catalog, "holder")); err == nil && len(data) > 0 && len(data) < 200 {
		return string(data)
	}
	return "another process"
}

// follow applies the records that the catalog does not know yet, after checking that the one it knows last is still there.
func (a *Archive) follow(ctx context.Context) error {
	head := a.cat.headNow()
	if head.Number == 0 {
		return a.followTo(ctx, a.opts.lastObject)
	}
	var more bool
	var last uint64
	var behind, listed error
	var look sync.WaitGroup
	look.Go(func() { more, behind = a.journal.After(ctx, head.Number) })
	look.Go(func() { last, listed = a.lastNear(ctx, head.Number+1) })
	err := a.stillThere(ctx, head)
	look.Wait()
	if err = cmp.Or(err, listed); err != nil || !more && behind == nil && last <= head.Number {
		return err
	}
	return a.followTo(ctx, func(context.Context) (uint64, error) { return last, nil })
}

// followTo catches up, and makes sure that it did not end where a record is missing, before one that the bucket lists: nothing else would
// know of those behind it, what is there would pass for all there is, and the next commit would fork the chain.
func (a *Archive) followTo(ctx context.Context, list func(context.Context) (last uint64, err error)) error {
	err := a.catchUp(ctx)
	if err != nil {
		return err
	}
	last, err := list(ctx)
	if err != nil || last <= a.Head() {
		return err
	}
	// Another process may have appended them since.
	if err := a.catchUp(ctx); err != nil || last <= a.Head() {
		return err
	}
	return missing(a.Head()+1, last)
}

func missing(record, last uint64) error {
	return fmt.Errorf("%w: journal record %d is missing, record %d is there", ErrDamaged, record, last)
}

// stillThere makes sure that the bucket has the record that the catalog knows last.
func (a *Archive) stillThere(ctx context.Context, head journal.Head) error {
	if err := a.keys.need(ctx, head.Sealing()); err != nil {
		return err
	}
	rec, err := again(ctx, a.source, func(r reading) (*journal.Record, error) { return r.journal.Recall(ctx, head.Number, head.Hash) })
	if errors.Is(err, blob.ErrNotExist) && !a.hasJournal(ctx) {
		return fmt.Errorf("%w: there is no journal: put a copy of the journal/ folder back", ErrDamaged)
	}
	if errors.Is(err, blob.ErrNotExist) || err == nil && rec.Hash != head.Hash {
		return fmt.Errorf("%w: record %d is missing or another one", ErrRollback, head.Number)
	}
	if err == nil {
		err = a.keys.rotated(ctx, rec)
	}
	return journalError(err)
}

// catchUpAlone is catchUp for who does not have the group.
func (a *Archive) catchUpAlone(ctx context.Context) error {
	a.group.mu.Lock()
	defer a.group.mu.Unlock()
	return a.catchUp(ctx)
}

// catchUp applies the records behind the catalog's head.
func (a *Archive) catchUp(ctx context.Context) error {
	for rec, err := range a.records(ctx, a.cat.headNow()) {
		if err == nil {
			err = a.keys.rotated(ctx, rec)
		}
		if err == nil {
			a.brought(rec)
			err = a.cat.apply(ctx, rec, a.table)
		}
		if err != nil {
			return journalError(err)
		}
	}
	return nil
}

// lastObject is the highest number of a record in the bucket.
func (o *Options) lastObject(ctx context.Context) (last uint64, err error) {
	return o.lastWith(ctx, journal.Prefix)
}

// lastNear is a number of a record from another number on, the highest that is found without a list of the whole journal, which may be long:
// where one is missing, and as many follow as are, one of them is found. A folder is read whole for any list, so it is asked for one in
// twice the distance each time; of a bucket that is far away are listed, at once, those that are of the same hundred as the segment
// that the number may lie in, and as one a little above.
func (a *Archive) lastNear(ctx context.Context, from uint64) (last uint64, err error) {
	if a.opts.Far {
		return a.lastListed(ctx, hundred(a.journal.Span(from).From), hundred(from+10))
	}
	for away := uint64(1); away <= 256; away *= 2 {
		n := from + away
		for _, s := range []journal.Span{{From: n, To: n}, a.journal.Span(n)} {
			_, err := a.opts.Bucket.Size(ctx, s.Object())
			if err == nil {
				last = n
				break
			}
			if !errors.Is(err, blob.ErrNotExist) {
				return last, err
			}
		}
	}
	return last, nil
}

// lastListed lists one prefix, or two at once.
func (a *Archive) lastListed(ctx context.Context, prefixes ...string) (uint64, error) {
	var lasts [2]uint64
	var g errgroup.Group
	for i, prefix := range slices.Compact(prefixes) {
		g.Go(func() (err error) {
			lasts[i], err = a.opts.lastWith(ctx, prefix)
			return err
		})
	}
	err := g.Wait()
	return max(lasts[0], lasts[1]), err
}

// hundred is what names of records begin with that differ in two digits.
func hundred(n uint64) string {
	name := journal.Object(n)
	return name[:len(name)-2]
}

func (o *Options) lastWith(ctx context.Context, prefix string) (last uint64, err error) {
	for info, err := range o.Bucket.List(ctx, prefix) {
		if err != nil {
			return last, fmt.Errorf("list the journal: %w", err)
		}
		if s, ok := journal.ParseSpan(info.Name); ok {
			last = max(last, s.To)
		}
	}
	return last, nil
}

func (o *Options) openJournal(b blob.Bucket, keys journal.Keys) (*journal.Journal, error) {
	opts := journal.Options{Random: o.Random, AnyClock: o.AnyClock, Far: o.Far, Folds: o.folds}
	if o.covered != nil {
		opts.Mended = mendedBucket{o.covered}
	}
	return journal.Open(b, keys, opts)
}

func (a *Archive) hasJournal(ctx context.Context) bool {
	last, err := a.opts.lastObject(ctx)
	return err != nil || last > 0
}

// journalError sorts what the lower packages say into this package's words.
func journalError(err error) error {
	switch {
	case errors.Is(err, journal.ErrVersion), errors.Is(err, pack.ErrVersion), errors.Is(err, parity.ErrVersion), errors.Is(err, journal.ErrUnknownEntry):
		return fmt.Errorf("%w: %w", ErrVersion, err)
	case errors.Is(err, journal.ErrDamaged), errors.Is(err, pack.ErrDamaged), errors.Is(err, parity.ErrBeyondRepair), errors.Is(err, blob.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

func (c *catalog) headNow() journal.Head {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.head
}

// Head is the number of the journal's last record.
func (a *Archive) Head() uint64 { return a.cat.headNow().Number }

// program names this build in the journal.
func program() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "mailbrick " + info.Main.Version
	}
	return "mailbrick"
}
