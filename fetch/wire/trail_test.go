package wire_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"mailbrick/fetch/wire"
)

// TestTrail: pages that tell nothing new, or lead back, end; those that tell something do not, nor a stretch of empty ones.
func TestTrail(t *testing.T) {
	t.Parallel()
	fresh := func(n int) string { return fmt.Sprint("place ", n) }
	for name, row := range map[string]struct {
		page func(n int) (next string, entries []string)
		want error
		last int // page; 0: it does not end by itself
	}{
		"empty for ever":    {func(n int) (string, []string) { return fresh(n), nil }, wire.ErrEndless, 0},
		"the same for ever": {func(n int) (string, []string) { return fresh(n), []string{fmt.Sprint(n % 7)} }, wire.ErrEndless, 0},
		"round":             {func(n int) (string, []string) { return fresh(n % 9), []string{fmt.Sprint(n)} }, wire.ErrCircle, 0},
		"empty for a while": {func(n int) (string, []string) { return fresh(n), nil }, nil, wire.MostIdle},
		"two that look as one": {func(n int) (string, []string) {
			return fresh(n), [][]string{{"a", "b"}, {"a\nb"}}[min(n/wire.MostIdle, 1)]
		}, nil, 2*wire.MostIdle - 1},
		"many, and now and then an empty one": {func(n int) (string, []string) {
			if n%3 > 0 {
				return fresh(n), nil
			}
			return fresh(n), []string{fmt.Sprint(n)}
		}, nil, 10 * wire.MostIdle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var trail wire.Trail
			var err error
			n := 0
			for err == nil && (row.last == 0 || n < row.last) && n < 20*wire.MostIdle {
				next, entries := row.page(n)
				err = trail.Step(next, slices.Values(entries))
				n++
			}
			if !errors.Is(err, row.want) || err == nil && row.want != nil {
				t.Errorf("after %d pages: %v", n, err)
			}
		})
	}
}
