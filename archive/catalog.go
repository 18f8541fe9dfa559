package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/delta"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
	"mailbrick/archive/wire"
)

// catalogVersion is the layout of keys and values. Another one is not read but rebuilt: nothing is only in the catalog.
const catalogVersion = 9

// Key spaces. A key is the byte, then fixed fields in big-endian order, so that a range is what a question needs.
const (
	keyMeta     = 'a' // version | head: number, hash, time, packs so far, generation of the key
	keyMailbox  = 'm' // mailbox number → state
	keySnapshot = 's' // mailbox number, ordinal → snapshot
	keyFolder   = 'f' // mailbox number, keyed hash of the folder id, from → to, folder
	keyVersion  = 'v' // mailbox number, item id, from → to, version
	keyCursor   = 'u' // mailbox number, keyed hash of the key → key, value
	keyPack     = 'p' // pack number → name, salt, size, chunks, generation of the key; of one in a record, which and where
	keyPackName = 'n' // pack name → pack number
	keyFrame    = 'r' // pack number, frame → offset, sealed and plain length
	keyChunk    = 'c' // chunk id → pack number, frame, offset, length, index in the pack, id of the base if it is a delta
	keySimilar  = 'l' // mark → id of the chunk that is the base of those with the mark
	keyHold     = 'h' // name of a hold → since when, reason, query, position, mailboxes
	keyHeld     = 'i' // item id, name of a hold that names it → mailbox
	keySigner   = 'w' // public key of who signs records → what the machine is called
	keySummary  = 'y' // id of such a base → a summary of one of those
	keyWriter   = 'b' // writing session → when it began, whether it is fenced
	keyCondemn  = 'x' // name of a pack that was condemned → nothing
)

// keyFits tells whether a key is as long as those of its space are. Who reads keys may rely on it.
func keyFits(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	n := len(key) - 1
	switch key[0] {
	case keyMeta:
		return n == 1
	case keyMailbox, keyPack:
		return n == 4
	case keySnapshot, keyFrame, keySimilar:
		return n == 8
	case keyPackName, keyChunk, keySummary, keyWriter, keyCondemn:
		return n == 16
	case keyCursor:
		return n == 4+16
	case keyFolder, keyVersion:
		return n == 4+16+4
	case keySigner:
		return n == 32
	case keyHeld:
		return n >= 16
	}
	return key[0] == keyHold
}

var errKey = fmt.Errorf("%w: catalog: a key that is none", ErrDamaged)

// catalog is what the journal and the packs say, laid out for questions. It follows the journal and can be deleted. Its files
// are encrypted (secretFS). It has no log of its own: after a crash it is older, by whole records, and follows the journal again.
type catalog struct {
	db     *pebble.DB
	anew   bool // there was none when it was opened
	ids    idMaker
	probes probes
	rows   rowCache      // as the catalog is now
	deltas delta.Encoder // for apply, one at a time
	dirty  bool          // something was applied since it was opened
	talk   *pebbleTalk   // of db

	mu        sync.RWMutex
	head      journal.Head
	mailboxes map[string]*mailboxState
	names     []string // by number
	packs     uint32   // packs numbered so far
	holds     []*Hold  // by name; never changed, only replaced
	condemned uint64   // records that condemned packs, applied since it was opened
}

// mailboxState is what is known of a mailbox, kept in memory for all of them.
type mailboxState struct {
	number  uint32
	ordinal uint32 // of the last complete snapshot, 0 before the first
	items   int    // alive, counting what is not complete yet
	pending bool   // something was added after the last complete snapshot
	added   int    // since the last complete snapshot
	changed int
	removed int
	last    Snapshot
	record  uint64 // the last one that says something of the mailbox, as far as this process saw it happen; not kept
}

// catalogOptions are where the catalog lies and with which key its files are encrypted.
type catalogOptions struct {
	fs     vfs.FS
	dir    string
	key    seal.Key
	random io.Reader
	fatal  func(error)
}

// What the catalog holds in memory: blocks and, counted with them, tables that are not written yet. Small blocks serve what is
// looked up here and there, as chunks are; a listing reads many anyway. One that is made anew has the process to itself, and more:
// larger tables are merged less often, and nearly all that records look up is at hand. Eight new tables wait to be merged, not
// four: a first backup writes less of what it has just written again, and who looks up a row asks the filters of some more.
const (
	cacheBytes        = 16 << 20
	memTableBytes     = 4 << 20
	anewCacheBytes    = 64 << 20
	anewMemTableBytes = 16 << 20
	blockBytes        = 16 << 10
	tablesWaiting     = 8
)

func catalogMemory(anew bool) (cache int64, table uint64) {
	if anew {
		return anewCacheBytes, anewMemTableBytes
	}
	return cacheBytes, memTableBytes
}

func openCatalog(o catalogOptions) (c *catalog, err error) {
	defer func() {
		r := recover()
		if wrong, ok := r.(runtime.Error); ok { // the database believes what the end of a table says
			c, err = nil, fmt.Errorf("open catalog: %w: %w", ErrDamaged, wrong)
		} else if r != nil {
			panic(r)
		}
	}()
	_, err = o.fs.Stat(o.dir)
	talk := &pebbleTalk{fatal: o.fatal, failed: make(chan error, 1)}
	c = &catalog{anew: errors.Is(err, os.ErrNotExist), mailboxes: map[string]*mailboxState{}, ids: newIDMaker(o.key), talk: talk}
	fs, err := newSecretFS(o.fs, o.key, o.random)
	if err != nil {
		return nil, err
	}
	cacheSize, tableSize := catalogMemory(c.anew)
	cache := pebble.NewCache(cacheSize)
	defer cache.Unref()
	opts := &pebble.Options{FS: syncedFS{fs, talk}, Comparer: rowComparer(), EventListener: &pebble.EventListener{BackgroundError: talk.background, DataCorruption: talk.damaged, FlushEnd: talk.flushed},
		Cache: cache, MemTableSize: tableSize, MaxOpenFiles: 500, DisableWAL: true,
		FormatMajorVersion: pebble.FormatColumnarBlocks, Logger: talk, L0CompactionThreshold: tablesWaiting,
		DisableTableStats: true} // they are read again and again where one is damaged, by nobody who could tell
	for i := range opts.Levels {
		l := &opts.Levels[i]
		l.FilterPolicy, l.BlockSize = bloom.FilterPolicy(10), blockBytes
		l.Compression = func() *block.CompressionProfile { return block.GoodCompression }
	}
	db, err := pebble.Open(o.dir, opts)
	if pebble.IsCorruptionError(err) {
		err = fmt.Errorf("%w: or it is another archive's: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", full(err))
	}
	c.db = db
	err = c.loadMeta()
	if err == nil {
		err = errors.Join(c.loadMailboxes(), c.loadHolds())
	}
	if err != nil {
		return nil, errors.Join(err, c.probes.renew(), db.Close())
	}
	return c, nil
}

// rowComparer is Pebble's own order. A filter knows a row of a mailbox by all of its key but the ordinal: it tells that a name has no
// row at all. The name of the order is kept, so that a catalog of a version before that is opened and told by its version.
func rowComparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Split = func(key []byte) int {
		if len(key) > rowNameEnd && (key[0] == keyVersion || key[0] == keyFolder) {
			return rowNameEnd
		}
		return len(key)
	}
	return &c
}

// pebbleTalk keeps Pebble's talk out of the terminal; what matters comes back as an error. What it cannot go on after (its disk
// is full or damaged in the midst of a commit) goes to Options.Fatal: nothing is lost, but this process is done.
type pebbleTalk struct {
	fatal   func(error)
	failed  chan error   // what could not be done in the background
	tries   atomic.Int32 // that failed since something was written
	closing atomic.Bool  // nobody waits for room any more: who closes gets the error
}

// triesMost is how often what is written in the background may fail in a row: who waits for it would wait for ever.
const triesMost = 100

func (*pebbleTalk) Infof(string, ...any)  {}
func (*pebbleTalk) Errorf(string, ...any) {}
func (t *pebbleTalk) Fatalf(format string, args ...any) {
	for _, a := range args {
		if cause, ok := a.(error); ok {
			t.full(cause)
		}
	}
	t.fatal(fmt.Errorf("catalog: "+format, args...))
}

// damaged leaves it to whoever reads what is damaged: he gets an error, and a rebuild mends it.
func (*pebbleTalk) damaged(pebble.DataCorruptionInfo) {}

// background passes on what a flush or a compaction could not do.
func (t *pebbleTalk) background(err error) {
	select {
	case t.failed <- err:
	default: // one is enough
	}
	if t.closing.Load() {
		return
	}
	t.full(err)
	if !pebble.IsCorruptionError(err) && t.tries.Add(1) >= triesMost {
		t.fatal(fmt.Errorf("catalog: %w", err))
	}
}

// syncedFS tells of a folder that cannot be synced, of which the database makes a panic.
type syncedFS struct {
	vfs.FS
	talk *pebbleTalk
}

func (fs syncedFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return syncedDir{f, fs.talk}, nil
}

func (fs syncedFS) Unwrap() vfs.FS { return fs.FS }

type syncedDir struct {
	vfs.File
	talk *pebbleTalk
}

func (d syncedDir) Sync() error {
	err := d.File.Sync()
	if err != nil {
		d.talk.Fatalf("sync its folder: %w", err)
	}
	return err
}

func (t *pebbleTalk) flushed(info pebble.FlushInfo) {
	if info.Err == nil {
		t.tries.Store(0)
	}
}

// full ends the process over a full disk, where Pebble would try again for ever.
func (t *pebbleTalk) full(err error) {
	if vfs.IsNoSpaceError(err) {
		t.fatal(fmt.Errorf("catalog: %w", full(err)))
	}
}

// full tells a full disk.
func full(err error) error {
	if vfs.IsNoSpaceError(err) {
		return fmt.Errorf("%w: %w", blob.ErrFull, err)
	}
	return err
}

var errCatalogVersion = errors.New("catalog of another version")

func (c *catalog) loadMeta() error {
	meta, err := c.get([]byte{keyMeta, 'v'})
	if err != nil {
		return err
	}
	if meta == nil {
		return c.db.Set([]byte{keyMeta, 'v'}, wire.AppendUvarint(nil, catalogVersion), pebble.NoSync)
	}
	r := wire.NewReader(meta)
	if v := r.Uvarint(); r.Done() != nil || v != catalogVersion {
		return fmt.Errorf("%w: %d, this program knows %d", errCatalogVersion, v, catalogVersion)
	}
	head, err := c.get([]byte{keyMeta, 'h'})
	if err != nil || head == nil {
		return err
	}
	h := wire.NewReader(head)
	c.head = journal.Head{Number: h.Uvarint(), Hash: [32]byte(h.Fixed(32)), Time: time.UnixMilli(int64(h.Uvarint())).UTC()}
	c.packs, c.head.Generation = h.Uint32(), h.Uint32()
	if err := h.Done(); err != nil {
		return fmt.Errorf("%w: catalog: head: %w", ErrDamaged, err)
	}
	return nil
}

func (c *catalog) close() error {
	c.talk.closing.Store(true)
	err := errors.Join(c.probes.renew(), c.flush(), c.db.Close())
	if err != nil {
		return fmt.Errorf("catalog: %w", full(err))
	}
	return nil
}

// flush makes what was applied durable. The database would try again for ever where it fails: nothing is lost if it does not, the
// catalog is older and follows the journal again.
func (c *catalog) flush() error {
	if !c.dirty {
		return nil
	}
	select {
	case <-c.talk.failed: // it was tried again since
	default:
	}
	done, err := c.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case err := <-c.talk.failed:
		return err
	}
}

// get reads a value; nil when there is none.
func (c *catalog) get(key []byte) ([]byte, error) {
	p, err := c.probes.take(c.db)
	if err != nil {
		return nil, err
	}
	row, err := p.get(key)
	return row, c.probes.give(p, err)
}

// lastRow is the newest row of a name, nil when there is none.
func (c *catalog) lastRow(space byte, mailbox uint32, name [16]byte) (*row, error) {
	p, err := c.probes.take(c.db)
	if err != nil {
		return nil, err
	}
	prefix := rowPrefix(space, mailbox, name)
	last, err := p.last(c, prefix, after(prefix))
	return last, c.probes.give(p, err)
}

func getFrom(r pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}

func (c *catalog) loadMailboxes() error {
	return c.scan(context.Background(), []byte{keyMailbox}, func(key, value []byte) error {
		st := &mailboxState{number: binary.BigEndian.Uint32(key[1:])}
		name, err := st.decode(value)
		if err != nil {
			return err
		}
		if int(st.number) != len(c.names) || c.mailboxes[name] != nil { // keys are in order of number
			return fmt.Errorf("%w: catalog: mailbox %d is out of order", ErrDamaged, st.number)
		}
		c.mailboxes[name] = st
		c.names = append(c.names, name)
		return nil
	})
}

// scan visits the keys with a prefix, in order. Keys and values are valid during the call only.
func (c *catalog) scan(ctx context.Context, prefix []byte, visit func(key, value []byte) error) error {
	return scanIn(ctx, c.db, prefix, visit)
}

func scanIn(ctx context.Context, r pebble.Reader, prefix []byte, visit func(key, value []byte) error) error {
	return scanFrom(ctx, r, prefix, after(prefix), visit)
}

// scanFrom visits the keys from one on, up to another.
func scanFrom(ctx context.Context, r pebble.Reader, from, to []byte, visit func(key, value []byte) error) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		err := ctx.Err()
		if err == nil && !keyFits(it.Key()) {
			err = errKey
		}
		if err == nil {
			err = visit(it.Key(), it.Value())
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

// after is the first key behind all keys with the prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func summaryKey(base chunkID) []byte { return append([]byte{keySummary}, base[:]...) }

func similarKey(mark pack.Similar) []byte { return append([]byte{keySimilar}, mark[:]...) }

func key32(space byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{space}, n) }

// rowNameEnd is where the ordinal begins in the key of a version or a folder.
const rowNameEnd = 1 + 4 + 16

// rowKey is the key of something of a mailbox that has a 16-byte name and begins at an ordinal.
func rowKey(space byte, mailbox uint32, name [16]byte, from uint32) []byte {
	return binary.BigEndian.AppendUint32(rowPrefix(space, mailbox, name), from)
}

func rowPrefix(space byte, mailbox uint32, name [16]byte) []byte {
	return append(key32(space, mailbox), name[:]...)
}

func (s *mailboxState) encode(name string) []byte {
	b := wire.AppendBytes(nil, name)
	pending := 0
	if s.pending {
		pending = 1
	}
	for _, n := range []int{int(s.ordinal), s.items, pending, s.added, s.changed, s.removed} {
		b = wire.AppendUvarint(b, uint64(n))
	}
	return appendSnapshot(b, &s.last)
}

func (s *mailboxState) decode(b []byte) (name string, err error) {
	r := wire.NewReader(b)
	name = r.String()
	s.ordinal, s.items, s.pending = r.Uint32(), int(r.Uint32()), r.Uint32() == 1
	s.added, s.changed, s.removed = int(r.Uint32()), int(r.Uint32()), int(r.Uint32())
	s.last = readSnapshot(r)
	s.last.Mailbox = name
	if err := r.Done(); err != nil {
		return name, fmt.Errorf("%w: catalog: mailbox: %w", ErrDamaged, err)
	}
	return name, nil
}

func appendSnapshot(b []byte, s *Snapshot) []byte {
	b = wire.AppendUvarint(b, uint64(s.Ordinal))
	b = wire.AppendUvarint(b, uint64(max(0, s.Time.UnixMilli())))
	b = wire.AppendUvarint(b, s.Position)
	for _, n := range []int{s.Items, s.Added, s.Changed, s.Removed} {
		b = wire.AppendUvarint(b, uint64(n))
	}
	return b
}

func readSnapshot(r *wire.Reader) Snapshot {
	return Snapshot{Ordinal: r.Uint32(), Time: time.UnixMilli(int64(r.Uvarint())).UTC(), Position: r.Uvarint(),
		Items: int(r.Uint32()), Added: int(r.Uint32()), Changed: int(r.Uint32()), Removed: int(r.Uint32())}
}
