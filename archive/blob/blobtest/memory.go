package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"mailbrick/archive/blob"
)

// Memory is a bucket in memory. The zero value is empty and ready.
type Memory struct {
	mu sync.Mutex
	// objects, guarded by mu; the slices never change.
	objects map[string][]byte
}

var (
	_ blob.Bucket   = (*Memory)(nil)
	_ blob.Replacer = (*Memory)(nil)
)

// Clone is a bucket with the same objects, for "what if" in tests.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{objects: maps.Clone(m.objects)}
}

// Put makes or replaces an object, which no real bucket would: to damage one.
func (m *Memory) Put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(name, bytes.Clone(data))
}

// Bytes is the content of an object, nil when there is none.
func (m *Memory) Bytes(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.objects[name])
}

// Names are all names in order.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.objects))
}

// set needs mu.
func (m *Memory) set(name string, data []byte) {
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[name] = data
}

func (m *Memory) get(ctx context.Context, name string) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, blob.ErrNotExist)
	}
	return data, nil
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return blob.CheckName(name)
}

// Create implements blob.Bucket.
func (m *Memory) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	return &memoryWriter{bucket: m, name: name, ctx: ctx}, nil
}

// Replace implements blob.Replacer.
func (m *Memory) Replace(ctx context.Context, name string) (blob.Writer, error) {
	if _, err := m.get(ctx, name); err != nil {
		return nil, err
	}
	return &memoryWriter{bucket: m, name: name, ctx: ctx, replaces: true}, nil
}

// Open implements blob.Bucket.
func (m *Memory) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	data, err := m.get(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := blob.CheckRange(name, off); err != nil {
		return nil, err
	}
	size := int64(len(data))
	if n < 0 {
		// One byte past the end when off is, so that reading says so.
		n = max(size-off, min(off-size, 1))
	}
	return blob.Exactly(&memoryReader{bytes.NewReader(data[min(off, size):]), ctx}, n), nil
}

// Size implements blob.Bucket.
func (m *Memory) Size(ctx context.Context, name string) (int64, error) {
	data, err := m.get(ctx, name)
	return int64(len(data)), err
}

// List implements blob.Bucket.
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := blob.CheckPrefix(prefix); err != nil {
			yield(blob.Info{}, err)
			return
		}
		for _, name := range m.Names() {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(blob.Info{}, err)
				return
			}
			if data, err := m.get(ctx, name); err == nil && !yield(blob.Info{Name: name, Size: int64(len(data))}, nil) {
				return
			}
		}
	}
}

// Remove implements blob.Bucket.
func (m *Memory) Remove(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[name]; !ok {
		return fmt.Errorf("remove %s: %w", name, blob.ErrNotExist)
	}
	delete(m.objects, name)
	return nil
}

type memoryReader struct {
	*bytes.Reader
	ctx context.Context // of Open, which governs the reader
}

func (r *memoryReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func (r *memoryReader) Close() error { return nil }

type memoryWriter struct {
	bucket *Memory
	ctx    context.Context // of Create, which governs the writer
	name   string
	data   []byte
	done   bool

	replaces bool // an object that is there
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *memoryWriter) usable() error {
	if w.done {
		return fmt.Errorf("%s: %w", w.name, blob.ErrDone)
	}
	return w.ctx.Err()
}

func (w *memoryWriter) Commit() error {
	if err := w.usable(); err != nil {
		return err
	}
	w.done = true
	w.bucket.mu.Lock()
	defer w.bucket.mu.Unlock()
	switch _, there := w.bucket.objects[w.name]; {
	case there && !w.replaces:
		return fmt.Errorf("commit %s: %w", w.name, blob.ErrExist)
	case !there && w.replaces:
		return fmt.Errorf("commit %s: %w", w.name, blob.ErrNotExist)
	}
	w.bucket.set(w.name, w.data)
	return nil
}

func (w *memoryWriter) Abort() error {
	w.done, w.data = true, nil
	return nil
}
