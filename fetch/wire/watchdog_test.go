package wire_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch/wire"
)

const stall = 5 * time.Minute

// line is a network that brings a piece, or takes one, and then rests.
type line struct {
	ctx   context.Context
	piece int           // bytes at a time
	rests time.Duration // before each
	left  int
	here  int // of the piece
}

func (l *line) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	if l.here == 0 {
		if wait(l.ctx, l.rests); l.ctx.Err() != nil {
			return 0, l.ctx.Err()
		}
		l.here = min(l.piece, l.left)
	}
	n := min(len(p), l.here)
	l.here, l.left = l.here-n, l.left-n
	return n, nil
}

// read gives what became of an answer, and how long it took.
func (l *line) read(w *wire.Watchdog, body io.Reader) (int64, time.Duration, error) {
	began := time.Now()
	n, err := io.Copy(io.Discard, body)
	return n, time.Since(began), w.Reason(err)
}

// TestAnswersThatDrip: a body must keep a least rate, whatever its pieces; one that is slow and honest comes in whole.
func TestAnswersThatDrip(t *testing.T) {
	t.Parallel()
	const kilo, item = 1000, 250_000_000 * 4 / 3 // in base64
	for name, row := range map[string]struct {
		piece int
		rests time.Duration
		size  int
		want  error
		most  time.Duration
	}{
		"nothing":                             {1, time.Hour, 1, wire.ErrStalled, stall},
		"a byte every four minutes":           {1, 4 * time.Minute, item, wire.ErrStalled, stall + time.Second},
		"a byte a second":                     {1, time.Second, item, wire.ErrStalled, stall + 3*time.Second},
		"half of the least rate":              {50, time.Second, item, wire.ErrStalled, 2 * stall},
		"a little below the least rate":       {108, time.Second, item, wire.ErrStalled, 100 * stall},
		"a short answer, a byte every second": {1, time.Second, 290, nil, stall},
		"a little above the least rate":       {111, time.Second, 1 << 20, nil, 3 * time.Hour},
		"10 KB/s":                             {10 * kilo, time.Second, item, nil, 10 * time.Hour},
		"10 KB/s that rests 30 s every 30 s":  {300 * kilo, time.Minute, item, nil, 19 * time.Hour},
		"its 32nd part":                       {300 * kilo / 32, time.Minute, 24 << 20, nil, 48 * time.Hour},
		"bursts four minutes apart":           {64 << 10, 4 * time.Minute, 10 << 20, nil, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, ctx := wire.NewWatchdog(t.Context(), stall)
				defer w.Stop()
				w.Answered()
				var count atomic.Int64
				l := &line{ctx: ctx, piece: row.piece, rests: row.rests, left: row.size}
				n, took, err := l.read(w, w.AnswerBody(l, &count))
				if !errors.Is(err, row.want) || took > row.most || err == nil && n != int64(row.size) || count.Load() != n {
					t.Errorf("%d bytes in %v, %v", n, took, err)
				}
			})
		})
	}
}

// TestConsumersMayRest: the time that the caller takes with what came is not the network's.
func TestConsumersMayRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ctx := wire.NewWatchdog(t.Context(), stall)
		defer w.Stop()
		w.Answered()
		l := &line{ctx: ctx, piece: 10, rests: 10 * time.Millisecond, left: 1000}
		body := w.AnswerBody(l, new(atomic.Int64))
		for {
			if _, err := body.Read(make([]byte, 100)); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(w.Reason(err))
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestAnswersThatRest: what tells of things as they happen may be silent between them, but has an end.
func TestAnswersThatRest(t *testing.T) {
	t.Parallel()
	const longest = 35 * time.Minute
	for name, row := range map[string]struct {
		rests time.Duration
		size  int
		want  error
		took  time.Duration
	}{
		"ends in time":         {4 * time.Minute, 8, nil, 32 * time.Minute},
		"drips for ever":       {4 * time.Minute, 1 << 20, wire.ErrOverdue, longest},
		"drips fast, for ever": {time.Second, 1 << 20, wire.ErrOverdue, longest},
		"stands still":         {time.Hour, 1, wire.ErrStalled, stall},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, ctx := wire.NewWatchdog(t.Context(), stall)
				defer w.Stop()
				w.MayRest(longest)
				w.Arm()
				w.Answered()
				l := &line{ctx: ctx, piece: 1, rests: row.rests, left: row.size}
				if n, took, err := l.read(w, w.AnswerBody(l, new(atomic.Int64))); !errors.Is(err, row.want) || took != row.took {
					t.Errorf("%d bytes in %v, %v", n, took, err)
				}
			})
		})
	}
}

// TestRequestsThatAreTakenSlowly: what holds for answers holds for what is sent. The head of the answer has the whole time again,
// counted from the last byte, and a source may be as slow as it likes.
func TestRequestsThatAreTakenSlowly(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		taken, made, head time.Duration // for 1000 bytes
		size              int
		gives             time.Duration // up after; 0: it does not
	}{
		"at 10 KB/s":             {100 * time.Millisecond, 0, stall - time.Second, 10 << 20, 0},
		"a byte every second":    {1000 * time.Second, 0, 0, 10 << 20, stall},
		"from a slow source":     {time.Second, time.Hour, 0, 100_000, 0},
		"and then no answer":     {time.Second, 0, time.Hour, 100_000, 101*time.Second + stall},
		"an answer too late":     {time.Second, 0, stall + 1, 1000, 2*time.Second + stall},
		"an answer just in time": {time.Second, 0, stall - 1, 1000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, ctx := wire.NewWatchdog(t.Context(), stall)
				defer w.Stop()
				began := time.Now()
				w.Arm()
				body := w.RequestBody(io.NopCloser(&line{ctx: t.Context(), piece: 1000, rests: row.made, left: row.size}))
				for err := error(nil); err == nil && ctx.Err() == nil; {
					if _, err = body.Read(make([]byte, 1000)); err == nil {
						wait(ctx, row.taken)
					}
				}
				wait(ctx, row.head)
				w.Answered()
				took := time.Since(began)
				if stalled := errors.Is(w.Reason(ctx.Err()), wire.ErrStalled); stalled != (row.gives > 0) || stalled && (took-row.gives).Abs() > 2*time.Second {
					t.Errorf("after %v: %v", took, w.Reason(ctx.Err()))
				}
				if time.Sleep(24 * time.Hour); row.gives == 0 && ctx.Err() != nil {
					t.Error("it bites after the answer")
				}
			})
		})
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
