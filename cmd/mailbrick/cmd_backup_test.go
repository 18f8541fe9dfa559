package main

import "testing"

func TestThrottlingIsSaidWhenThereWasSome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line backupLine
		want string
	}{
		{backupLine{Concurrency: 27}, ""},
		{backupLine{ThrottledMS: 31_500, Concurrency: 3}, " (31.5 s of them held back by the server; it takes 3 at once)"},
	} {
		if got := throttling(tt.line); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
