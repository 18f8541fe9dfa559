package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"

	"mailbrick/archive/blob"
)

// Op is a call of a bucket, or of a reader or writer that it gave.
type Op string

// The calls. Any is for faults: all of them.
const (
	Any     Op = ""
	Create  Op = "create"
	Replace Op = "replace"
	Write   Op = "write"
	Commit  Op = "commit"
	Abort   Op = "abort"
	Open    Op = "open"
	Read    Op = "read"
	Size    Op = "size"
	List    Op = "list"
	Remove  Op = "remove"
)

// Kind is what goes wrong.
type Kind uint8

const (
	// Error: nothing is done, the answer is the error of the fault.
	Error Kind = iota
	// Slow: the Slow hook is called first, then all is well.
	Slow
	// ShortRead: a Read gives about half of what it could, as readers may.
	ShortRead
	// Truncated: a Read and all after it give io.ErrUnexpectedEOF.
	Truncated
	// Corrupt: a Read gives bytes of which one is wrong.
	Corrupt
	// LostAnswer: a Commit or Remove is done, the answer is the error.
	LostAnswer
	// LostWrite: a Commit or Remove is not done, the answer is nil.
	LostWrite
	// Full: nothing is done, the answer is blob.ErrFull.
	Full
	// Dead: this call and all after it do nothing and answer ErrDead, as if
	// the process had been killed before it.
	Dead
)

var (
	// ErrInjected is the error of faults that bring none.
	ErrInjected = errors.New("injected fault")
	// ErrDead is the answer of a bucket whose process is dead.
	ErrDead = errors.New("injected death")
)

// Fault is one thing that is to go wrong.
type Fault struct {
	Op   Op     // which call
	Name string // which names, by prefix
	Nth  int    // the n-th such call after Order, from 1; 0 is each of them
	Kind Kind
	Err  error // for Error and LostAnswer; nil is ErrInjected
}

// Faulty is a bucket that fails to order and counts its calls.
type Faulty struct {
	// Slow is called without locks held for faults of this kind. It is set
	// before use.
	Slow func(op Op, name string)

	bucket blob.Bucket

	mu sync.Mutex
	// below is guarded by mu
	orders []*order
	calls  map[Op]int
	dead   bool
}

type order struct {
	Fault
	seen int
}

var (
	_ blob.Bucket   = (*Faulty)(nil)
	_ blob.Replacer = (*Faulty)(nil)
)

// NewFaulty wraps a bucket. Without orders it only counts.
func NewFaulty(b blob.Bucket) *Faulty {
	return &Faulty{bucket: b, calls: map[Op]int{}}
}

// Unwrap is the bucket inside.
func (f *Faulty) Unwrap() blob.Bucket { return f.bucket }

// Order adds faults; they count calls from now on.
func (f *Faulty) Order(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		f.orders = append(f.orders, &order{Fault: fault})
	}
}

// Reset takes all orders back, brings the dead to life and counts from zero.
func (f *Faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders, f.dead = nil, false
	clear(f.calls)
}

// Calls is how often an operation was called, Any for all together.
func (f *Faulty) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op != Any {
		return f.calls[op]
	}
	sum := 0
	for _, n := range f.calls {
		sum += n
	}
	return sum
}

// call counts a call and returns the first fault that is due, nil for none.
func (f *Faulty) call(op Op, name string) *Fault {
	fault := f.due(op, name)
	if fault != nil && fault.Kind == Slow {
		if f.Slow != nil {
			f.Slow(op, name)
		}
		return nil
	}
	return fault
}

func (f *Faulty) due(op Op, name string) (fault *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	for _, o := range f.orders {
		if o.matches(op, name) && fault == nil {
			fault = &o.Fault
		}
	}
	if fault != nil && fault.Kind == Dead {
		f.dead = true
	}
	if f.dead {
		return &Fault{Op: op, Kind: Dead}
	}
	return fault
}

// matches counts a call that an order is about and says if it is the one.
func (o *order) matches(op Op, name string) bool {
	if o.Op != Any && o.Op != op || !strings.HasPrefix(name, o.Name) {
		return false
	}
	o.seen++
	return o.Nth == 0 || o.Nth == o.seen
}

// refusal is the answer when a fault means that nothing is done, else nil.
// Kinds that do not go with the operation are as if they were not.
func (f *Fault) refusal(op Op, name string) error {
	if f == nil {
		return nil
	}
	switch f.Kind {
	case Error:
		return f.answer(op, name)
	case Full:
		return fmt.Errorf("%s %s: %w", op, name, blob.ErrFull)
	case Dead:
		return fmt.Errorf("%s %s: %w", op, name, ErrDead)
	}
	return nil
}

func (f *Fault) answer(op Op, name string) error {
	err := f.Err
	if err == nil {
		err = ErrInjected
	}
	return fmt.Errorf("%s %s: %w", op, name, err)
}

func (f *Fault) is(kind Kind) bool { return f != nil && f.Kind == kind }

// Create implements blob.Bucket.
func (f *Faulty) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := f.call(Create, name).refusal(Create, name); err != nil {
		return nil, err
	}
	w, err := f.bucket.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &faultyWriter{faulty: f, name: name, w: w}, nil
}

// Replace implements blob.Replacer, if the bucket inside does.
func (f *Faulty) Replace(ctx context.Context, name string) (blob.Writer, error) {
	if err := f.call(Replace, name).refusal(Replace, name); err != nil {
		return nil, err
	}
	inside, ok := f.bucket.(blob.Replacer)
	if !ok {
		return nil, fmt.Errorf("replace %s: %w", name, errors.ErrUnsupported)
	}
	w, err := inside.Replace(ctx, name)
	if err != nil {
		return nil, err
	}
	return &faultyWriter{faulty: f, name: name, w: w}, nil
}

// Open implements blob.Bucket.
func (f *Faulty) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := f.call(Open, name).refusal(Open, name); err != nil {
		return nil, err
	}
	r, err := f.bucket.Open(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	return &faultyReader{faulty: f, name: name, ReadCloser: r}, nil
}

// Size implements blob.Bucket.
func (f *Faulty) Size(ctx context.Context, name string) (int64, error) {
	if err := f.call(Size, name).refusal(Size, name); err != nil {
		return 0, err
	}
	return f.bucket.Size(ctx, name)
}

// List implements blob.Bucket.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := f.call(List, prefix).refusal(List, prefix); err != nil {
			yield(blob.Info{}, err)
			return
		}
		f.bucket.List(ctx, prefix)(yield)
	}
}

// Remove implements blob.Bucket.
func (f *Faulty) Remove(ctx context.Context, name string) error {
	fault := f.call(Remove, name)
	if err := fault.refusal(Remove, name); err != nil {
		return err
	}
	if fault.is(LostWrite) {
		return nil
	}
	err := f.bucket.Remove(ctx, name)
	if err == nil && fault.is(LostAnswer) {
		return fault.answer(Remove, name)
	}
	return err
}
