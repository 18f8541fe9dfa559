package journal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mailbrick/archive/blob"
)

const (
	segmentMagic  = "MBJS"
	segmentTail   = 4 + len(segmentMagic)
	segmentLevels = 2
	endSize       = 8
)

// Span is a run of numbers: that of one record, or of a segment.
type Span struct{ From, To uint64 }

// Object is the name of a span's object in a bucket.
func (s Span) Object() string {
	if s.From == s.To {
		return Object(s.From)
	}
	return fmt.Sprintf("%s-%012d", Object(s.From), s.To)
}

// ParseSpan reads what Object wrote.
func ParseSpan(object string) (Span, bool) {
	first, last, both := strings.Cut(strings.TrimPrefix(object, Prefix), "-")
	if !both {
		last = first
	}
	from, err := strconv.ParseUint(first, 10, 64)
	to, lastErr := strconv.ParseUint(last, 10, 64)
	s := Span{from, to}
	return s, err == nil && lastErr == nil && 0 < from && from <= to && s.Object() == object
}

// Covers tells whether another span lies in this one.
func (s Span) Covers(other Span) bool { return s.From <= other.From && other.To <= s.To }

// span is the one of a level, from 1, that number n lies in.
func (j *Journal) span(level int, n uint64) Span {
	length := j.opts.Folds[level-1]
	from := (n-1)/length*length + 1
	return Span{from, from + length - 1}
}

// Span is the one of numbers that are folded together with n, at first.
func (j *Journal) Span(n uint64) Span { return j.span(1, n) }

// Foldable are the spans for which a segment can be made, those of lower levels first: all their numbers lie before the last record, so
// that none is still to come and who knows the last record finds it where it was. The objects are those of the bucket; of some that are
// not there any more, or not told of, no harm comes.
func (j *Journal) Foldable(objects []Span, last uint64) (list []Span) {
	all := slices.Clone(objects)
	for level := 1; level <= segmentLevels; level++ {
		wide := map[Span]bool{} // of this level and above
		for _, s := range all {
			if s.Covers(j.span(level, s.From)) {
				wide[s] = true
			}
		}
		for _, s := range all {
			whole := j.span(level, s.From)
			if s.Covers(whole) || whole.To >= last || j.covered(wide, level, s.From) {
				continue
			}
			wide[whole] = true
			list, all = append(list, whole), append(all, whole)
		}
	}
	return list
}

// covered tells whether a number lies in one of some spans of a level or above.
func (j *Journal) covered(spans map[Span]bool, level int, n uint64) bool {
	for ; level <= segmentLevels; level++ {
		if spans[j.span(level, n)] {
			return true
		}
	}
	return false
}

// After tells whether there may be a record behind number n. An answer of no is of a moment that is past.
//
// What has been folded moves from the object to the segment, and on to the wider one, so they are asked in this order: a record that was
// there when After began is found. Where asking is a trip over a network only segments are asked for, at once: what else there is a list of
// the bucket tells, which shows the record or what it has been folded into.
func (j *Journal) After(ctx context.Context, n uint64) (bool, error) {
	var names []string
	for level := 1; level <= segmentLevels; level++ {
		names = append(names, j.span(level, n+1).Object())
	}
	ask := j.atOnce
	if !j.opts.Far {
		names, ask = slices.Insert(names, 0, Object(n+1)), j.oneByOne
	}
	for _, err := range ask(ctx, names) {
		if !errors.Is(err, blob.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// oneByOne asks for objects until one is there.
func (j *Journal) oneByOne(ctx context.Context, names []string) (answers []error) {
	for _, name := range names {
		_, err := j.bucket.Size(ctx, name)
		if answers = append(answers, err); err == nil {
			break
		}
	}
	return answers
}

func (j *Journal) atOnce(ctx context.Context, names []string) []error {
	answers := make([]error, len(names))
	var look sync.WaitGroup
	for i, name := range names {
		look.Go(func() { _, answers[i] = j.bucket.Size(ctx, name) })
	}
	look.Wait()
	return answers
}

// Folded are the objects whose records lie in another one as well, and those others, which stay. Of one that Fold has not made, or made
// sure of, since, only its name is known: nothing may go for it before.
func (j *Journal) Folded(objects []Span) (list, in []Span) {
	there, stay := map[Span]bool{}, map[Span]bool{}
	for _, s := range objects {
		there[s] = true
	}
	for _, s := range objects {
		var widest Span
		for level := 1; level <= segmentLevels; level++ {
			if whole := j.span(level, s.From); whole != s && whole.Covers(s) && there[whole] {
				widest = whole
			}
		}
		if widest == (Span{}) {
			continue
		}
		list = append(list, s)
		if !stay[widest] {
			stay[widest] = true
			in = append(in, widest)
		}
	}
	return list, in
}

// Fold makes the segment of a span, as Foldable gives it. Packs that lie in its records are not in it: nothing may need them any more.
// Where there is one already it makes sure of that: it is durable, and the one that it would have made, for there is one way to make it.
// ErrTaken tells that another one folds here too, and was quicker.
func (j *Journal) Fold(ctx context.Context, s Span) error {
	if err := j.fold(ctx, s); err != nil {
		return fmt.Errorf("fold journal records %d to %d: %w", s.From, s.To, err)
	}
	return nil
}

func (j *Journal) fold(ctx context.Context, s Span) error {
	var head Head
	if s.From > 1 {
		r, err := j.Read(ctx, s.From-1)
		if err != nil {
			return err
		}
		head = r.Head
	}
	w, err := j.bucket.Create(ctx, s.Object())
	if err != nil {
		return err
	}
	defer w.Abort()
	digest := sha256.New()
	if err := j.writeSegment(ctx, io.MultiWriter(w, digest), head, s); err != nil {
		return err
	}
	err = w.Commit()
	if errors.Is(err, blob.ErrExist) {
		return j.same(ctx, s, digest)
	}
	return err
}

// same makes sure that a segment is the one that was to be made.
func (j *Journal) same(ctx context.Context, s Span, want hash.Hash) error {
	in, err := j.bucket.Open(ctx, s.Object(), 0, -1)
	if errors.Is(err, blob.ErrNotExist) {
		return fmt.Errorf("%w: it is part of a wider one by now", ErrTaken)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	got := sha256.New()
	if _, err := io.Copy(got, in); err != nil {
		return err
	}
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		return fmt.Errorf("%w: %s is there, and has other records than the chain", ErrDamaged, s.Object())
	}
	return nil
}

func (j *Journal) writeSegment(ctx context.Context, w io.Writer, head Head, s Span) error {
	var at uint64
	var ends []byte
	for r, err := range j.Follow(ctx, head) {
		if err != nil {
			return err
		}
		if r.Number > s.To { // which proves, by its hash, that the records are those of the chain
			_, err = w.Write(append(binary.LittleEndian.AppendUint32(ends, version), segmentMagic...))
			return err
		}
		if _, err = w.Write(r.stored); err != nil {
			return err
		}
		at += uint64(len(r.stored))
		ends = binary.LittleEndian.AppendUint64(ends, at)
	}
	return fmt.Errorf("%w: record %d is missing", ErrDamaged, s.From+uint64(len(ends)/endSize))
}

// stretch yields the first records of a span: all that their segment has, or as many as there are objects of, up to a measure. What
// lies under a number that was folded before is void, so a segment is looked for after the objects were read.
func (j *Journal) stretch(ctx context.Context, s Span) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		ahead, err := j.ahead(ctx, s.From, min(s.To, j.span(1, s.From).To))
		for r, foldErr := range j.segment(ctx, s) {
			if !errors.Is(foldErr, blob.ErrNotExist) {
				ahead, err = nil, nil
				if !yield(r, foldErr) {
					return
				}
			}
		}
		for i, r := range ahead {
			ahead[i] = nil // what was yielded may go
			if !yield(r, nil) {
				return
			}
		}
		// Damage behind records is not the last word: they may name the key that the next one is sealed under.
		if err != nil && !errors.Is(err, blob.ErrNotExist) && (len(ahead) == 0 || !errors.Is(err, ErrDamaged)) {
			yield(nil, err)
		}
	}
}

// How much is read before a segment is looked for. Bytes are as stored: in memory a record is some ten times that.
const (
	aheadRecords = 16
	aheadBytes   = 1 << 20
)

// ahead reads the objects of records from n on.
func (j *Journal) ahead(ctx context.Context, n, last uint64) (list []*Record, err error) {
	size := 0
	for ; n <= last && len(list) < aheadRecords && size < aheadBytes; n++ {
		r, err := j.object(ctx, n)
		if err = cmp.Or(ctx.Err(), err); err != nil {
			return list, err
		}
		list = append(list, r)
		size += len(r.stored) + len(r.Pack)
	}
	return list, nil
}

// folded reads a record out of its segment; blob.ErrNotExist when it is not folded.
func (j *Journal) folded(ctx context.Context, n uint64) (r *Record, err error) {
	for r, err = range j.segment(ctx, Span{n, n}) {
		return r, err
	}
	return nil, fmt.Errorf("journal record %d: %w: its segment is empty", n, ErrDamaged)
}

// segment yields the records of a span that lie in the first one's segment; blob.ErrNotExist when there is none. The lowest level is
// asked first: a segment goes when there is one of the next.
func (j *Journal) segment(ctx context.Context, part Span) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for level := 1; ; level++ {
			s := j.span(level, part.From)
			in, ends, err := j.openSegment(ctx, s, Span{part.From, min(part.To, s.To)})
			if errors.Is(err, blob.ErrNotExist) && level < segmentLevels {
				continue
			}
			if err != nil {
				yield(nil, fmt.Errorf("journal record %d: %s: %w", part.From, s.Object(), err))
				return
			}
			defer in.Close()
			j.eachOf(in, part.From, ends, yield)
			return
		}
	}
}

// openSegment opens the part of a segment that has some of its records, and tells where the first of them begins and each ends.
func (j *Journal) openSegment(ctx context.Context, s, part Span) (in io.ReadCloser, ends []uint64, err error) {
	size, err := j.bucket.Size(ctx, s.Object())
	if err != nil {
		return nil, nil, err
	}
	table := size - int64(s.To-s.From+1)*endSize - int64(segmentTail)
	if table < 0 {
		return nil, nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	skip := int64(part.From - s.From)
	ends = make([]uint64, 0, s.To-part.From+2)
	if skip == 0 {
		ends = append(ends, 0)
	} else {
		skip--
	}
	tail, err := j.rest(ctx, s, table+skip*endSize, size)
	if err != nil {
		return nil, nil, err
	}
	for ; len(tail) > segmentTail; tail = tail[endSize:] {
		ends = append(ends, binary.LittleEndian.Uint64(tail))
	}
	ends = ends[:part.To-part.From+2]
	first, last := ends[0], ends[len(ends)-1]
	if last > uint64(table) || part.To == s.To && last < uint64(table) || !slices.IsSorted(ends) {
		return nil, nil, fmt.Errorf("%w: its records lie from %d to %d of %d bytes", ErrDamaged, first, last, table)
	}
	in, err = j.bucket.Open(ctx, s.Object(), int64(ends[0]), int64(ends[len(ends)-1]-ends[0]))
	return in, ends, err
}

// rest reads the end of a segment, of the table on.
func (j *Journal) rest(ctx context.Context, s Span, from, size int64) ([]byte, error) {
	in, err := j.bucket.Open(ctx, s.Object(), from, size-from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	tail := make([]byte, size-from)
	if _, err := io.ReadFull(in, tail); err != nil {
		return nil, cutShort(err)
	}
	mark := tail[len(tail)-segmentTail:]
	if string(mark[4:]) != segmentMagic {
		return nil, fmt.Errorf("%w: it does not end like a segment", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(mark); v != version {
		return nil, fmt.Errorf("%w: segment of version %d, this program knows %d", ErrVersion, v, version)
	}
	return tail, nil
}

// eachOf yields the records of a segment's part.
func (j *Journal) eachOf(in io.Reader, n uint64, ends []uint64, yield func(*Record, error) bool) {
	for i := range len(ends) - 1 {
		r, err := j.oneOf(in, n, ends[i+1]-ends[i])
		if err != nil {
			err = fmt.Errorf("journal record %d: %w", n, err)
		}
		if !yield(r, err) || err != nil {
			return
		}
		n++
	}
}

func (j *Journal) oneOf(in io.Reader, n, size uint64) (*Record, error) {
	if size > maxBody+maxPack {
		return nil, fmt.Errorf("%w: %d bytes in its segment", ErrDamaged, size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, cutShort(err)
	}
	return j.open(n, data)
}

// cutShort tells an object that ends too early from one that could not be read: only the first is damage.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	return err
}
