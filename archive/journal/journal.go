package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"mailbrick/archive/blob"
	"mailbrick/archive/seal"
)

const (
	magic         = "MBJR"
	version       = 1 // 1: header and body sealed, signed; before the format was frozen
	prefixSize    = 48
	signatureSize = ed25519.SignatureSize
	tagSize       = 16
	bodyAt        = prefixSize + headerSize + signatureSize + tagSize
	maxBody       = 256 << 20
	maxPack       = 2 << 20 // of a pack in a record; writers keep to less
	maxAhead      = 24 * time.Hour
	purpose       = "journal"
)

var (
	// ErrTaken says that another writer has the number.
	ErrTaken = errors.New("journal number taken by another writer")
	// ErrDamaged says that a record is not what was written, or does not follow the one before it.
	ErrDamaged = errors.New("journal damaged")
	// ErrVersion says that a record has a format version this program does not know.
	ErrVersion = errors.New("journal of an unknown format version")
	// ErrClock says that this machine's clock is far behind the last record's time, or that was written by a clock far ahead.
	ErrClock = errors.New("the clock and the journal are far apart")
)

// Head is a position in the chain: a record's number and the hash of its header. The zero Head is before record 1.
type Head struct {
	Number     uint64
	Hash       [32]byte
	Time       time.Time
	Generation uint32 // of the key that the next record is sealed under; 0, before record 1, is the first
}

// Sealing is the generation that what comes after the record is sealed under.
func (h Head) Sealing() uint32 { return max(1, h.Generation) }

// Record is a record of the chain.
type Record struct {
	Head
	Previous   [32]byte
	Signer     [32]byte // public key, Ed25519, of who signed it: the signature is good, whether he is known the chain says
	SealedWith uint32   // generation of the key
	Leaves     uint64   // versions in it
	Root       [32]byte // of the Merkle tree over them
	Body       *Body
	Pack       []byte // the pack behind the body, as it was read: its seals and its digest are not checked
	nonce      [16]byte
	stored     []byte // without what is behind the body
}

// Keys gives the key of a generation; a seal.Ring does.
type Keys interface {
	Of(generation uint32) (k seal.Key, ok bool)
}

// Journal reads and appends records.
type Journal struct {
	bucket blob.Bucket
	keys   Keys
	opts   Options
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

// Options are what a test may want to hold in its hand, and a person to allow; the zero value works.
type Options struct {
	Random   io.Reader
	AnyClock bool                  // do not mind ErrClock
	Far      bool                  // asking the bucket is a trip over a network
	Folds    [segmentLevels]uint64 // numbers of a segment, by level; 0 is as the format has it
	Mended   blob.Bucket           // the same objects with damage corrected, by which Append sees whose a record is; may be nil
}

// Open makes a journal of a bucket. It reads nothing.
func Open(bucket blob.Bucket, keys Keys, o Options) (*Journal, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Folds == [segmentLevels]uint64{} {
		o.Folds = [segmentLevels]uint64{32, 1 << 16}
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody))
	return &Journal{bucket: bucket, keys: keys, opts: o, enc: enc, dec: dec}, err
}

// Prefix is where the records lie in a bucket.
const Prefix = "journal/"

// Object is the name of record n in a bucket.
func Object(n uint64) string { return fmt.Sprintf("%s%012d", Prefix, n) }

// ParseObject reads what Object wrote.
func ParseObject(object string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(object, Prefix), 10, 64)
	return n, err == nil && n > 0 && Object(n) == object
}

// Append creates the record after head and signs it, with the pack that the body says lies in it behind; where it lies the body says
// then. ErrTaken tells that another writer was first; everything else is as it was then. When it returns nil the record is durable.
func (j *Journal) Append(ctx context.Context, signer ed25519.PrivateKey, head Head, body *Body, pack []byte, now time.Time) (Head, error) {
	if head.Time.Sub(now) > maxAhead && !j.opts.AnyClock {
		return head, fmt.Errorf("%w: record %d is of %s, this machine's clock says %s: one of the two clocks is wrong",
			ErrClock, head.Number, head.Time.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if earliest := head.Time.Add(time.Millisecond); now.Before(earliest) {
		now = earliest
	}
	d, err := j.seal(signer, head, body.Encode(), now.UTC().Truncate(time.Millisecond))
	if err != nil {
		return head, err
	}
	if err := j.settle(ctx, d.next.Number, d.nonce, append(d.data, pack...)); err != nil {
		return head, fmt.Errorf("append journal record %d: %w", d.next.Number, err)
	}
	body.lay(d.next.Number, len(d.data), len(pack))
	d.next.Generation = body.generation(head.Sealing())
	return d.next, nil
}

// settle creates a record and finds out whose it is. A creation that failed may have happened all the same, its answer lost,
// and may not be durable yet: it is tried again, for a bucket that answers "taken" has made sure of what is there.
func (j *Journal) settle(ctx context.Context, n uint64, nonce [16]byte, data []byte) error {
	err := blob.Put(ctx, j.bucket, Object(n), data)
	if err == nil {
		return j.unfolded(ctx, n, nonce)
	}
	if ctx.Err() != nil {
		return err
	}
	others := errors.Is(err, blob.ErrExist) // else it may be the one that was created first
	if !others {
		again := blob.Put(ctx, j.bucket, Object(n), data)
		if again == nil {
			return j.unfolded(ctx, n, nonce)
		}
		if errors.Is(again, blob.ErrExist) {
			err = again
		}
	}
	there, readErr := j.mending(func(j *Journal) (*Record, error) { return j.Read(ctx, n) })
	switch {
	case errors.Is(readErr, blob.ErrNotExist):
		return err
	case errors.Is(readErr, ErrDamaged) && others:
		return ErrTaken // what it says tells who reads it by its parity
	case readErr != nil:
		return errors.Join(err, readErr)
	case there.nonce != nonce:
		return ErrTaken
	case errors.Is(err, blob.ErrExist):
		return nil
	}
	return fmt.Errorf("it is there and may not be durable: %w", err)
}

// unfolded makes sure that a record that was created is the one of its number. Where its number was folded the segment says which
// one is: the object is void.
func (j *Journal) unfolded(ctx context.Context, n uint64, nonce [16]byte) error {
	there, err := j.mending(func(j *Journal) (*Record, error) { return j.folded(ctx, n) })
	switch {
	case errors.Is(err, blob.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("it is there and may be void: %w", err)
	case there.nonce != nonce:
		return ErrTaken
	}
	return nil
}

// mending reads a record, and where it is damaged what can be mended of it.
func (j *Journal) mending(read func(*Journal) (*Record, error)) (*Record, error) {
	r, err := read(j)
	if !errors.Is(err, ErrDamaged) || j.opts.Mended == nil {
		return r, err
	}
	mended := *j
	mended.bucket = j.opts.Mended
	if m, mendErr := read(&mended); mendErr == nil {
		return m, nil
	}
	return r, err
}

// draft is a record that is ready to be created.
type draft struct {
	next  Head
	nonce [16]byte
	data  []byte
}

// seal makes the record after head of encoded entries.
func (j *Journal) seal(signer ed25519.PrivateKey, head Head, entries []byte, at time.Time) (d draft, err error) {
	if len(entries) > maxBody-seedSize {
		return d, fmt.Errorf("journal record of %d bytes: at most %d", len(entries), maxBody-seedSize)
	}
	if len(signer) != ed25519.PrivateKeySize {
		return d, errors.New("append to the journal: no key to sign with")
	}
	h := header{number: head.Number + 1, time: at, previous: head.Hash, signer: [32]byte(signer.Public().(ed25519.PublicKey))}
	var salt, seed [32]byte
	for _, p := range [][]byte{h.nonce[:], salt[:], seed[:]} {
		if _, err := io.ReadFull(j.opts.Random, p); err != nil {
			return d, err
		}
	}
	if h.summary, err = summarise(seed[:], entries); err != nil {
		return d, err
	}
	plain := h.bytes()
	d.next, d.nonce = Head{Number: h.number, Hash: sha256.Sum256(plain), Time: at}, h.nonce
	sealer, err := j.sealer(head.Sealing(), salt[:])
	if err != nil {
		return d, err
	}
	packed, err := j.pack(append(seed[:], entries...))
	if err != nil {
		return d, err
	}
	ad := []byte(Object(h.number))
	d.data = binary.LittleEndian.AppendUint32([]byte(magic), version)
	d.data = binary.LittleEndian.AppendUint32(d.data, head.Sealing())
	d.data = binary.LittleEndian.AppendUint32(d.data, uint32(len(packed)+tagSize))
	d.data = append(d.data, salt[:]...)
	d.data = sealer.Seal(d.data, sign(signer, plain), ad, 0)
	d.data = sealer.Seal(d.data, packed, ad, 1)
	return d, nil
}

// pack compresses a body. A compressor's fault must not become the record.
func (j *Journal) pack(body []byte) ([]byte, error) {
	packed := j.enc.EncodeAll(body, nil)
	if back, err := j.dec.DecodeAll(packed, nil); err != nil || !bytes.Equal(back, body) {
		return nil, fmt.Errorf("body of %d bytes does not decompress to what it was made from: %w", len(body), errors.Join(err, ErrDamaged))
	}
	return packed, nil
}

// sealer is that of a record. A generation that is not there may be a changed byte, so it is damage.
func (j *Journal) sealer(generation uint32, salt []byte) (*seal.Sealer, error) {
	key, ok := j.keys.Of(generation)
	if !ok {
		return nil, fmt.Errorf("%w: sealed under generation %d of the key, which is not at hand", ErrDamaged, generation)
	}
	return key.Sealer(purpose, salt)
}

// Read reads record n. blob.ErrNotExist tells that there is none.
func (j *Journal) Read(ctx context.Context, n uint64) (*Record, error) {
	r, err := j.object(ctx, n)
	if there, foldErr := j.folded(ctx, n); !errors.Is(foldErr, blob.ErrNotExist) {
		return there, foldErr
	}
	return r, err
}

// Recall reads record n where it is known what it says: it asks only once.
func (j *Journal) Recall(ctx context.Context, n uint64, hash [32]byte) (*Record, error) {
	r, err := j.object(ctx, n)
	if err == nil && r.Hash == hash {
		return r, nil
	}
	return j.Read(ctx, n)
}

// object reads the object of record n. When its number was folded before, it may be void.
func (j *Journal) object(ctx context.Context, n uint64) (*Record, error) {
	in, err := j.bucket.Open(ctx, Object(n), 0, -1)
	if err != nil {
		return nil, fmt.Errorf("journal record %d: %w", n, err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxBody+maxPack))
	if err != nil {
		return nil, fmt.Errorf("journal record %d: %w", n, err)
	}
	r, err := j.open(n, data)
	if err != nil {
		return nil, fmt.Errorf("journal record %d: %w", n, err)
	}
	return r, nil
}

// Generation is the generation of the key that record n says it is sealed under. Nothing proves it before the record is read.
func (j *Journal) Generation(ctx context.Context, n uint64) (uint32, error) {
	in, err := j.bucket.Open(ctx, Object(n), 0, prefixSize)
	for level := 1; errors.Is(err, blob.ErrNotExist) && level <= segmentLevels; level++ { // it may have been folded meanwhile
		in, _, err = j.openSegment(ctx, j.span(level, n), Span{n, n})
	}
	if err != nil {
		return 0, fmt.Errorf("journal record %d: %w", n, err)
	}
	defer in.Close()
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return 0, fmt.Errorf("journal record %d: %w", n, cutShort(err))
	}
	if err := begins(prefix[:]); err != nil { // what is no record says nothing of a key
		return 0, fmt.Errorf("journal record %d: %w", n, err)
	}
	return binary.LittleEndian.Uint32(prefix[8:]), nil
}

// begins looks at the first bytes of a record.
func begins(data []byte) error {
	if string(data[:4]) != magic {
		return fmt.Errorf("%w: it does not begin like a record", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(data[4:]); v != version {
		return fmt.Errorf("%w: %d, this program knows %d", ErrVersion, v, version)
	}
	return nil
}

// open reads a record and what lies behind it.
func (j *Journal) open(n uint64, data []byte) (*Record, error) {
	if len(data) < bodyAt+tagSize {
		return nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	if err := begins(data); err != nil {
		return nil, err
	}
	generation, length := binary.LittleEndian.Uint32(data[8:]), binary.LittleEndian.Uint32(data[12:])
	if uint64(length) > uint64(len(data)-bodyAt) {
		return nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	stored, pack := data[:bodyAt+int(length)], data[bodyAt+int(length):]
	sealer, err := j.sealer(generation, data[16:prefixSize])
	if err != nil {
		return nil, err
	}
	ad := []byte(Object(n))
	h, err := sealer.Open(nil, stored[prefixSize:bodyAt], ad, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	packed, err := sealer.Open(nil, stored[bodyAt:], ad, 1)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", ErrDamaged, err)
	}
	body, err := j.dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", ErrDamaged, err)
	}
	r, err := parse(n, h, body)
	if err != nil {
		return nil, err
	}
	r.SealedWith, r.Generation = generation, r.Body.generation(generation)
	if most := r.Body.lay(n, len(stored), len(pack)); int64(len(pack)) > most {
		return nil, fmt.Errorf("%w: %d bytes behind it, at most %d", ErrDamaged, len(pack), most)
	}
	r.stored, r.Pack = stored, pack
	return r, nil
}

// parse reads header and signature, and the body that belongs to them.
func parse(n uint64, signedHeader, body []byte) (*Record, error) {
	plain, signature := signedHeader[:headerSize], signedHeader[headerSize:]
	h := parseHeader(plain)
	if !verify(&h, plain, signature) {
		return nil, fmt.Errorf("%w: its signature is not the writer's", ErrDamaged)
	}
	if len(body) < seedSize {
		return nil, fmt.Errorf("%w: body of %d bytes", ErrDamaged, len(body))
	}
	seed, entries := body[:seedSize], body[seedSize:]
	s, err := summarise(seed, entries)
	if err != nil {
		return nil, err
	}
	if h.number != n || h.summary != s {
		return nil, fmt.Errorf("%w: header and body do not belong together", ErrDamaged)
	}
	r := &Record{Head: Head{Number: n, Time: h.time, Hash: sha256.Sum256(plain)}, Previous: h.previous, Signer: h.signer,
		Leaves: s.leaves, Root: s.root, nonce: h.nonce}
	r.Body, err = DecodeBody(entries)
	return r, err
}

// Follow yields the records after head, in order, checking that each follows the one before it.
func (j *Journal) Follow(ctx context.Context, head Head) iter.Seq2[*Record, error] {
	return j.Until(ctx, head, math.MaxUint64)
}

// Until is Follow that goes no further than a number, and asks for nothing behind it.
func (j *Journal) Until(ctx context.Context, head Head, last uint64) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for more := true; more && head.Number < last; {
			more = false
			for r, err := range j.stretch(ctx, Span{head.Number + 1, last}) {
				if err == nil {
					err = r.follows(head)
				}
				if !yield(r, err) || err != nil {
					return
				}
				head, more = r.Head, true
			}
		}
	}
}

// follows checks a record against the one before it.
func (r *Record) follows(head Head) error {
	switch {
	case r.Previous != head.Hash:
		return fmt.Errorf("journal record %d: %w: it does not follow record %d", r.Number, ErrDamaged, head.Number)
	case r.SealedWith != head.Sealing():
		// Else one who was a holder before a rotation could go on writing.
		return fmt.Errorf("journal record %d: %w: it is sealed under generation %d of the key, not %d", r.Number, ErrDamaged, r.SealedWith, head.Sealing())
	case r.Generation < r.SealedWith:
		return fmt.Errorf("journal record %d: %w: the key goes back to generation %d", r.Number, ErrDamaged, r.Generation)
	case head.Number > 0 && !r.Time.After(head.Time):
		return fmt.Errorf("journal record %d: %w: it is older than record %d", r.Number, ErrDamaged, head.Number)
	}
	return nil
}
