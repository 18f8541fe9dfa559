package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestSeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSeats(1, 1)
		sit := func(mailbox string) <-chan error {
			got := make(chan error, 1)
			go func() { got <- s.sit(t.Context(), mailbox) }()
			synctest.Wait()
			return got
		}
		seated := func(who string, got <-chan error, want bool) {
			t.Helper()
			synctest.Wait()
			if (len(got) == 1) != want {
				t.Errorf("%s seated: %v, want %v", who, !want, want)
			}
		}
		a, b, c := sit("a"), sit("b"), sit("c")
		seated("a", a, true)
		seated("b", b, false)
		s.stand("a")
		s.stand("a") // once is enough
		s.stand("nobody")
		var second, third <-chan error = b, c
		if len(c) == 1 {
			second, third = c, b
		}
		seated("the second", second, true)
		for _, m := range []string{"b", "c"} {
			s.stand(m) // no more may stand
		}
		seated("the third", third, false)
		s.leave("a")
		s.leave("a")
		seated("the third, who needs a seat", third, false)
		s.leave("b")
		s.leave("c")
		seated("the third", third, true)
		s.leave("b")
		s.leave("c")

		if err := s.sit(t.Context(), "d"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.sit(ctx, "e"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
