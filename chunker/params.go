package chunker

import (
	"errors"
	"fmt"
)

// The defaults of Params, in bytes.
const (
	DefaultMin = 16 << 10
	DefaultAvg = 64 << 10
	DefaultMax = 256 << 10
)

const (
	window = 64 // bytes that a cut can depend on
	minAvg = 256
	maxMax = 1 << 30
)

// ErrParams says that lengths are out of order or bounds.
var ErrParams = errors.New("chunk lengths not allowed")

// Params are the lengths of chunks in bytes. Those that are zero are the defaults.
type Params struct{ Min, Avg, Max int }

func (p Params) withDefaults() Params {
	if p.Min == 0 {
		p.Min = DefaultMin
	}
	if p.Avg == 0 {
		p.Avg = DefaultAvg
	}
	if p.Max == 0 {
		p.Max = DefaultMax
	}
	return p
}

// Check returns nil or an ErrParams. Lengths read from a file are checked with
// it before New.
func (p Params) Check() error {
	p = p.withDefaults()
	if p.Min < window || p.Min > p.Avg || p.Avg < minAvg || p.Avg > p.Max || p.Max > maxMax {
		return fmt.Errorf("min %d, avg %d, max %d: %w", p.Min, p.Avg, p.Max, ErrParams)
	}
	return nil
}
