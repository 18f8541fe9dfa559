package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"mailbrick/archive/blob"
	"mailbrick/archive/seal"
)

const (
	magic      = "MBJR"
	version    = 1 // 1: header and body sealed; before the format was frozen
	prefixSize = 40
	headerSize = 112
	tagSize    = 16
	maxBody    = 256 << 20
	purpose    = "journal"
)

var (
	// ErrTaken says that another writer has the number.
	ErrTaken = errors.New("journal number taken by another writer")
	// ErrDamaged says that a record is not what was written, or does not follow the one before it.
	ErrDamaged = errors.New("journal damaged")
	// ErrVersion says that a record has a format version this program does not know.
	ErrVersion = errors.New("journal of an unknown format version")
)

// Head is a position in the chain: a record's number and the hash of its header. The zero Head is before record 1.
type Head struct {
	Number uint64
	Hash   [32]byte
	Time   time.Time
}

// Record is a record of the chain.
type Record struct {
	Head
	Previous [32]byte
	Body     *Body
	nonce    [16]byte
}

// Journal reads and appends records.
type Journal struct {
	bucket blob.Bucket
	key    seal.Key
	random io.Reader
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

// Options are what a test may want to hold in its hand; the zero value works.
type Options struct{ Random io.Reader }

// Open makes a journal of a bucket. It reads nothing.
func Open(bucket blob.Bucket, key seal.Key, o Options) (*Journal, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody))
	return &Journal{bucket: bucket, key: key, random: o.Random, enc: enc, dec: dec}, err
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

// Append creates the record after head. ErrTaken tells that another writer was first; everything else is as it was then.
// When it returns nil the record is durable.
func (j *Journal) Append(ctx context.Context, head Head, body *Body, now time.Time) (Head, error) {
	if earliest := head.Time.Add(time.Millisecond); now.Before(earliest) {
		now = earliest
	}
	next := Head{Number: head.Number + 1, Time: now.UTC().Truncate(time.Millisecond)}
	data, nonce, err := j.seal(&next, head.Hash, body.Encode())
	if err != nil {
		return head, err
	}
	if err := j.settle(ctx, next.Number, nonce, data); err != nil {
		return head, fmt.Errorf("append journal record %d: %w", next.Number, err)
	}
	return next, nil
}

// settle creates a record and finds out whose it is. A creation that failed may have happened all the same, its answer lost,
// and may not be durable yet: it is tried again, for a bucket that answers "taken" has made sure of what is there.
func (j *Journal) settle(ctx context.Context, n uint64, nonce [16]byte, data []byte) error {
	err := j.create(ctx, Object(n), data)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if !errors.Is(err, blob.ErrExist) {
		again := j.create(ctx, Object(n), data)
		if again == nil {
			return nil
		}
		if errors.Is(again, blob.ErrExist) {
			err = again
		}
	}
	there, readErr := j.Read(ctx, n)
	switch {
	case errors.Is(readErr, blob.ErrNotExist):
		return err
	case readErr != nil:
		return errors.Join(err, readErr)
	case there.nonce != nonce:
		return ErrTaken
	case errors.Is(err, blob.ErrExist):
		return nil
	}
	return fmt.Errorf("it is there and may not be durable: %w", err)
}

func (j *Journal) create(ctx context.Context, name string, data []byte) error {
	w, err := j.bucket.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit()
}

func (j *Journal) seal(next *Head, previous [32]byte, body []byte) (data []byte, nonce [16]byte, err error) {
	if len(body) > maxBody {
		return nil, nonce, fmt.Errorf("journal record of %d bytes: at most %d", len(body), maxBody)
	}
	var salt [32]byte
	if _, err := io.ReadFull(j.random, nonce[:]); err != nil {
		return nil, nonce, err
	}
	if _, err := io.ReadFull(j.random, salt[:]); err != nil {
		return nil, nonce, err
	}
	digest := sha256.Sum256(body)
	h := binary.LittleEndian.AppendUint64(nil, next.Number)
	h = binary.LittleEndian.AppendUint64(h, uint64(next.Time.UnixMilli()))
	h = append(append(h, previous[:]...), digest[:]...)
	h = binary.LittleEndian.AppendUint64(h, uint64(len(body)))
	h = append(append(h, nonce[:]...), make([]byte, 8)...)
	next.Hash = sha256.Sum256(h)

	sealer, err := j.key.Sealer(purpose, salt[:])
	if err != nil {
		return nil, nonce, err
	}
	packed := j.enc.EncodeAll(body, nil)
	if back, err := j.dec.DecodeAll(packed, nil); err != nil || !bytes.Equal(back, body) {
		// A compressor's fault must not become the record.
		return nil, nonce, fmt.Errorf("body of %d bytes does not decompress to what it was made from: %w", len(body), errors.Join(err, ErrDamaged))
	}
	ad := []byte(Object(next.Number))
	data = binary.LittleEndian.AppendUint32([]byte(magic), version)
	data = append(data, salt[:]...)
	data = sealer.Seal(data, h, ad, 0)
	return sealer.Seal(data, packed, ad, 1), nonce, nil
}

// Read reads record n. blob.ErrNotExist tells that there is none.
func (j *Journal) Read(ctx context.Context, n uint64) (*Record, error) {
	in, err := j.bucket.Open(ctx, Object(n), 0, -1)
	if err != nil {
		return nil, fmt.Errorf("journal record %d: %w", n, err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxBody+1<<20))
	if err != nil {
		return nil, fmt.Errorf("journal record %d: %w", n, err)
	}
	r, err := j.open(n, data)
	if err != nil {
		return nil, fmt.Errorf("journal record %d: %w", n, err)
	}
	return r, nil
}

func (j *Journal) open(n uint64, data []byte) (*Record, error) {
	if len(data) < prefixSize+headerSize+2*tagSize || string(data[:4]) != magic {
		return nil, fmt.Errorf("%w: it does not begin like a record", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(data[4:]); v != version {
		return nil, fmt.Errorf("%w: %d, this program knows %d", ErrVersion, v, version)
	}
	sealer, err := j.key.Sealer(purpose, data[8:prefixSize])
	if err != nil {
		return nil, err
	}
	ad := []byte(Object(n))
	cut := prefixSize + headerSize + tagSize
	h, err := sealer.Open(nil, data[prefixSize:cut], ad, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	packed, err := sealer.Open(nil, data[cut:], ad, 1)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", ErrDamaged, err)
	}
	body, err := j.dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", ErrDamaged, err)
	}
	return parse(n, h, body)
}

func parse(n uint64, h, body []byte) (*Record, error) {
	r := &Record{}
	r.Number = binary.LittleEndian.Uint64(h)
	r.Time = time.UnixMilli(int64(binary.LittleEndian.Uint64(h[8:]))).UTC()
	r.Hash = sha256.Sum256(h)
	copy(r.Previous[:], h[16:])
	copy(r.nonce[:], h[88:])
	digest := sha256.Sum256(body)
	if r.Number != n || !bytes.Equal(digest[:], h[48:80]) || binary.LittleEndian.Uint64(h[80:]) != uint64(len(body)) {
		return nil, fmt.Errorf("%w: header and body do not belong together", ErrDamaged)
	}
	var err error
	if r.Body, err = DecodeBody(body); err != nil {
		return nil, err
	}
	return r, nil
}

// Follow yields the records after head, in order, checking that each follows the one before it.
func (j *Journal) Follow(ctx context.Context, head Head) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			r, err := j.Read(ctx, head.Number+1)
			if errors.Is(err, blob.ErrNotExist) {
				return
			}
			if err == nil {
				err = r.follows(head)
			}
			if !yield(r, err) || err != nil {
				return
			}
			head = r.Head
		}
	}
}

// follows checks a record against the one before it.
func (r *Record) follows(head Head) error {
	switch {
	case r.Previous != head.Hash:
		return fmt.Errorf("journal record %d: %w: it does not follow record %d", r.Number, ErrDamaged, head.Number)
	case head.Number > 0 && !r.Time.After(head.Time):
		return fmt.Errorf("journal record %d: %w: it is older than record %d", r.Number, ErrDamaged, head.Number)
	}
	return nil
}
