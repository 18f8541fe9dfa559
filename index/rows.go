package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"mailbrick/archive"
)

// Buckets of rows.bolt, see the package doc.
const (
	bucketMeta       = "meta"
	bucketRows       = "rows"
	bucketItems      = "items"
	bucketBlobs      = "blobs"
	bucketNames      = "names"
	bucketExceptions = "exceptions"
)

func buckets() []string {
	return []string{bucketMeta, bucketRows, bucketItems, bucketBlobs, bucketNames, bucketExceptions}
}

const (
	rowKeySize   = 16 + 4 + 16 + 4
	rowValueSize = 4 + 1 + 8 + 8 + 8 + 4 + 4 + 8
	itemKeySize  = 4 + 16 + 4
)

// Bits of a row's flags.
const (
	flagRead       = 1
	flagAssociated = 2
)

// never is the tick of a date that is not known.
const never = math.MinInt64

// row is an occurrence: one version of one item, and the document it is a copy of.
type row struct {
	doc      docID
	mailbox  uint32 // name number
	id       archive.ID
	from, to uint32
	flags    byte
	received int64 // ticks, or never
	sent     int64
	size     int64
	folder   uint32 // name number
	class    uint32 // name number

	folderKey uint64 // of the folder's id
}

func (r *row) key() []byte {
	b := make([]byte, 0, rowKeySize)
	b = append(b, r.doc[:]...)
	return append(b, r.itemKey()...)
}

func (r *row) itemKey() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, itemKeySize), r.mailbox)
	b = append(b, r.id[:]...)
	return binary.BigEndian.AppendUint32(b, r.from)
}

func (r *row) value() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, rowValueSize), r.to)
	b = append(b, r.flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.received))
	b = binary.BigEndian.AppendUint64(b, uint64(r.sent))
	b = binary.BigEndian.AppendUint64(b, uint64(r.size))
	b = binary.BigEndian.AppendUint32(b, r.folder)
	b = binary.BigEndian.AppendUint32(b, r.class)
	return binary.BigEndian.AppendUint64(b, r.folderKey)
}

// decode reads a key and its value.
func (r *row) decode(k, v []byte) error {
	if len(k) != rowKeySize || len(v) != rowValueSize {
		return fmt.Errorf("%w: a row of %d and %d bytes", ErrDamaged, len(k), len(v))
	}
	r.doc = docID(k[:16])
	r.mailbox = binary.BigEndian.Uint32(k[16:])
	r.id = archive.ID(k[20:36])
	r.from = binary.BigEndian.Uint32(k[36:])
	r.to = binary.BigEndian.Uint32(v)
	r.flags = v[4]
	r.received = int64(binary.BigEndian.Uint64(v[5:]))
	r.sent = int64(binary.BigEndian.Uint64(v[13:]))
	r.size = int64(binary.BigEndian.Uint64(v[21:]))
	r.folder = binary.BigEndian.Uint32(v[29:])
	r.class = binary.BigEndian.Uint32(v[33:])
	r.folderKey = binary.BigEndian.Uint64(v[37:])
	return nil
}

// rows is the file of occurrences.
type rows struct {
	db     *bbolt.DB
	names  names
	atOnce int // operations of a transaction

	// fault stands between the transactions of a commit; tests fail there.
	fault func() error
}

// commitAtOnce is how many operations are one transaction. Names are random, so each changes pages of its own in three trees, which
// are in memory until its end: some 25 KB.
const commitAtOnce = 1000

func openRows(path string, wait time.Duration) (*rows, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, err
	}
	r := &rows{db: db, atOnce: commitAtOnce}
	if err := db.View(r.load); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// create makes the buckets in a new file.
func createRows(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets() {
			if _, err := tx.CreateBucket([]byte(b)); err != nil {
				return err
			}
		}
		return putPosition(tx, 0)
	})
	return errors.Join(err, db.Close())
}

// load checks that the buckets are there and reads the names.
func (r *rows) load(tx *bbolt.Tx) error {
	for _, b := range buckets() {
		if tx.Bucket([]byte(b)) == nil {
			return fmt.Errorf("%w: rows have no %s", ErrDamaged, b)
		}
	}
	if _, err := position(tx); err != nil {
		return err
	}
	return r.names.load(tx.Bucket([]byte(bucketNames)))
}

const keyPosition = "position"

func position(tx *bbolt.Tx) (uint64, error) {
	b := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyPosition))
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: rows have no position", ErrDamaged)
	}
	return binary.BigEndian.Uint64(b), nil
}

func putPosition(tx *bbolt.Tx, p uint64) error {
	return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyPosition), binary.BigEndian.AppendUint64(nil, p))
}

func (r *rows) position() (p uint64, err error) {
	err = r.db.View(func(tx *bbolt.Tx) error {
		p, err = position(tx)
		return err
	})
	return p, err
}

// keyReach is the position up to which there may be rows: a commit in pieces is ahead of the position until its end.
const keyReach = "reach"

func (r *rows) reach() (p uint64, err error) {
	err = r.db.View(func(tx *bbolt.Tx) error {
		p, err = position(tx)
		if b := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyReach)); len(b) == 8 {
			p = max(p, binary.BigEndian.Uint64(b))
		}
		return err
	})
	return p, err
}

// operation is one thing to write: a version that begins or one that ends. Names are strings until they are written.
type operation struct {
	mailbox   string
	row       row // of a version that begins; of one that ends, id and to
	ends      bool
	folder    string
	class     string
	blob      [32]byte // of a version that begins
	exception string
	damaged   bool // the blob could not be read for damage
}

// isLasting tells whether the document is what the blob reads as, now and later.
func (op *operation) isLasting() bool { return !op.damaged && op.blob != ([32]byte{}) }

// commit writes operations, those of an item in order, and the position they lead to. That comes with the last of several
// transactions: what is written before is written again after a crash, which changes nothing.
func (r *rows) commit(ops []operation, to uint64) error {
	slices.SortStableFunc(ops, func(x, y operation) int { // so that a page of items is changed by one transaction only
		return cmp.Or(strings.Compare(x.mailbox, y.mailbox), bytes.Compare(x.row.id[:], y.row.id[:]))
	})
	for len(ops) > r.atOnce {
		err := r.write(ops[:r.atOnce], func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyReach), binary.BigEndian.AppendUint64(nil, to))
		})
		if err == nil && r.fault != nil {
			err = r.fault()
		}
		if err != nil {
			return err
		}
		ops = ops[r.atOnce:]
	}
	return r.write(ops, func(tx *bbolt.Tx) error { return putPosition(tx, to) })
}

func (r *rows) write(ops []operation, end func(*bbolt.Tx) error) error {
	err := r.db.Update(func(tx *bbolt.Tx) error {
		for i := range ops {
			if err := r.apply(tx, &ops[i]); err != nil {
				return err
			}
		}
		return end(tx)
	})
	if err != nil {
		// Names given in the transaction are void with it.
		return errors.Join(err, r.db.View(r.load))
	}
	return nil
}

func (r *rows) apply(tx *bbolt.Tx, op *operation) (err error) {
	names := tx.Bucket([]byte(bucketNames))
	if op.row.mailbox, err = r.names.number(names, nameMailbox, op.mailbox); err != nil {
		return err
	}
	if op.ends {
		return endRow(tx, op.row.mailbox, op.row.id, op.row.to)
	}
	if op.row.folder, err = r.names.number(names, nameFolder, op.folder); err != nil {
		return err
	}
	if op.row.class, err = r.names.number(names, nameClass, op.class); err != nil {
		return err
	}
	if err := addRow(tx, &op.row); err != nil {
		return err
	}
	if op.exception != "" {
		if err := tx.Bucket([]byte(bucketExceptions)).Put(op.blob[:], []byte(op.exception)); err != nil {
			return err
		}
	}
	if !op.isLasting() {
		return nil
	}
	return tx.Bucket([]byte(bucketBlobs)).Put(op.blob[:], op.row.doc[:])
}

// versions gives the documents of the versions of an item by their From, in order.
func versions(tx *bbolt.Tx, mailbox uint32, id archive.ID) (list []row) {
	probe := row{mailbox: mailbox, id: id}
	prefix := probe.itemKey()[:20]
	c := tx.Bucket([]byte(bucketItems)).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(k) == itemKeySize && len(v) == 16; k, v = c.Next() {
		list = append(list, row{doc: docID(v), mailbox: mailbox, id: id, from: binary.BigEndian.Uint32(k[20:])})
	}
	return list
}

// addRow begins a version: it ends the one before it, and is itself ended by one after it, should that be known already
// (the same changes are followed again after a crash).
func addRow(tx *bbolt.Tx, r *row) error {
	r.to = archive.Forever
	for _, old := range versions(tx, r.mailbox, r.id) {
		switch {
		case old.from < r.from:
			if err := shorten(tx, &old, r.from); err != nil {
				return err
			}
		case old.from == r.from:
			if err := tx.Bucket([]byte(bucketRows)).Delete(old.key()); err != nil {
				return err
			}
		default:
			r.to = min(r.to, old.from)
		}
	}
	if err := tx.Bucket([]byte(bucketItems)).Put(r.itemKey(), r.doc[:]); err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketRows)).Put(r.key(), r.value())
}

// endRow ends the version of an item that is visible at an ordinal.
func endRow(tx *bbolt.Tx, mailbox uint32, id archive.ID, at uint32) error {
	list := versions(tx, mailbox, id)
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].from <= at {
			return shorten(tx, &list[i], at)
		}
	}
	return nil
}

// shorten ends a row at an ordinal, unless it ends before.
func shorten(tx *bbolt.Tx, r *row, to uint32) error {
	b := tx.Bucket([]byte(bucketRows))
	key := r.key()
	value := b.Get(key)
	if value == nil {
		return fmt.Errorf("%w: an item without its row", ErrDamaged)
	}
	var whole row
	if err := whole.decode(key, value); err != nil {
		return err
	}
	if whole.to <= to {
		return nil
	}
	whole.to = to
	return b.Put(key, whole.value())
}

// known tells which document a blob was read as, when it was.
func (r *rows) known(blob [32]byte) (id docID, ok bool, err error) {
	err = r.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket([]byte(bucketBlobs)).Get(blob[:]); len(v) == len(id) {
			id, ok = docID(v), true
		}
		return nil
	})
	return id, ok, err
}

// has tells whether a document has occurrences; then it is in the word index too.
func (r *rows) has(id docID) (ok bool, err error) {
	err = r.db.View(func(tx *bbolt.Tx) error {
		k, _ := tx.Bucket([]byte(bucketRows)).Cursor().Seek(id[:])
		ok = bytes.HasPrefix(k, id[:])
		return nil
	})
	return ok, err
}
