package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestMemoryLimit: the index lifts the program's own limit of memory and sets it again; what a user asked for stays.
func TestMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, c := range []struct{ set, meanwhile int64 }{{steadyMemory, math.MaxInt64}, {1 << 40, 1 << 40}} {
		debug.SetMemoryLimit(c.set)
		limit := unlimited()
		inner := unlimited()
		if got := debug.SetMemoryLimit(-1); got != c.meanwhile {
			t.Errorf("of a limit of %d: %d meanwhile, want %d", c.set, got, c.meanwhile)
		}
		inner()
		limit()
		if got := debug.SetMemoryLimit(-1); got != c.set {
			t.Errorf("of a limit of %d: %d after it", c.set, got)
		}
	}
}
