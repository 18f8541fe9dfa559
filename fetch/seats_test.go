package fetch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"mailbrick/fetch"
)

func TestSeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fetch.NewSeats(1, 1)
		got := make(chan *fetch.Seat, 3)
		for range 3 {
			go func() {
				seat, err := s.Sit(t.Context())
				if err != nil {
					t.Error(err)
				}
				got <- seat
			}()
		}
		seated := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if len(got) != want {
				t.Errorf("%s: %d got a seat, want %d", what, len(got), want)
			}
		}
		seated("at first", 1)
		first := <-got
		if !first.Stand() || first.Stand() { // once is enough
			t.Error("the first may stand once")
		}
		seated("when the first stands", 1)
		second := <-got
		if second.Stand() {
			t.Error("no more may stand")
		}
		first.Leave()
		first.Leave()
		if first.Stand() {
			t.Error("who left does not stand")
		}
		seated("when the first left, who had none", 0)
		second.Leave()
		seated("when the second left", 1)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Sit(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		(<-got).Leave()
	})
}
