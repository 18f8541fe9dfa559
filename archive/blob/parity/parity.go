package parity

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"mailbrick/archive/blob"
)

// Options of a bucket. The zero value is good.
type Options struct {
	// Prefixes are those of the names whose objects have parity; none for all.
	Prefixes []string
}

// Bucket is a bucket whose objects have parity.
type Bucket struct {
	inner    blob.Bucket
	prefixes []string
	sizes    sizes
	windows  windows
}

// windows is memory that writers use one after another: the largest of theirs. A pool of the library's would be empty after two
// collections, and a pack is written for longer.
type windows struct {
	mu   sync.Mutex
	idle []byte // guarded by mu
}

func (w *windows) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	idle := w.idle
	w.idle = nil
	return idle
}

func (w *windows) give(window []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cap(window) > cap(w.idle) {
		w.idle = window[:0]
	}
}

// rest forgets what is idle.
func (w *windows) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = nil
}

// Rest lets go of the memory that writers would use one after another; the next takes its own.
func (b *Bucket) Rest() { b.windows.rest() }

// sizes are those of payloads of which ranges were read. What they are never changes under a name; in an object store each look
// is a request.
type sizes struct {
	mu sync.Mutex
	of map[string]int64 // guarded by mu
}

// sizesHeld is of how many objects the size is remembered.
const sizesHeld = 4096

func (s *sizes) get(name string) (size int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, ok = s.of[name]
	return size, ok
}

func (s *sizes) put(name string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || len(s.of) >= sizesHeld {
		s.of = map[string]int64{}
	}
	s.of[name] = size
}

func (s *sizes) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, name)
}

var _ blob.Bucket = (*Bucket)(nil)

// Wrap returns the bucket of the payloads in another one.
func Wrap(inner blob.Bucket, o Options) *Bucket {
	return &Bucket{inner: inner, prefixes: slices.Clone(o.Prefixes)}
}

// Unwrap is the bucket of the objects as they are stored.
func (b *Bucket) Unwrap() blob.Bucket { return b.inner }

// Covers tells whether the object of a name has parity.
func (b *Bucket) Covers(name string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	return len(b.prefixes) == 0 || slices.ContainsFunc(b.prefixes, begins)
}

// Create implements blob.Bucket.
func (b *Bucket) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := b.inner.Create(ctx, name)
	if err != nil || !b.Covers(name) {
		return w, err
	}
	return &writer{out: w, windows: &b.windows}, nil
}

// Open implements blob.Bucket. It asks the bucket inside for the size first, once,
// as a range must not go on behind the payload.
func (b *Bucket) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if !b.Covers(name) {
		return b.inner.Open(ctx, name, off, n)
	}
	size, known := b.sizes.get(name)
	if !known {
		var err error
		if size, err = b.Size(ctx, name); err != nil {
			return nil, err
		}
		b.sizes.put(name, size)
	}
	if err := blob.CheckRange(name, off); err != nil {
		return nil, err
	}
	n, there := clip(size, off, n)
	r, err := b.inner.Open(ctx, name, min(off, size), there)
	if err != nil {
		return nil, err
	}
	return blob.Exactly(r, n), nil
}

// clip is how many bytes a range is to give, and how many of them there are.
func clip(size, off, n int64) (wanted, there int64) {
	if n < 0 {
		// One byte past the end when off is, so that reading says so.
		n = max(size-off, min(off-size, 1))
	}
	return n, min(n, max(size-off, 0))
}

// Size implements blob.Bucket. That of an object that was cut off, or that
// something was appended to, is a guess.
func (b *Bucket) Size(ctx context.Context, name string) (int64, error) {
	size, err := b.inner.Size(ctx, name)
	if err != nil {
		return 0, err
	}
	return b.payload(name, size), nil
}

func (b *Bucket) payload(name string, stored int64) int64 {
	if !b.Covers(name) {
		return stored
	}
	l, _ := fit(stored)
	return l.size
}

// List implements blob.Bucket. It is a list of the bucket inside, without
// another look at any object.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for info, err := range b.inner.List(ctx, prefix) {
			if err == nil {
				info.Size = b.payload(info.Name, info.Size)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Remove implements blob.Bucket.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	b.sizes.forget(name)
	return b.inner.Remove(ctx, name)
}
