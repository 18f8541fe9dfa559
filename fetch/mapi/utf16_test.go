package mapi

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"unicode/utf16"
)

// TestUTF16 compares with the library what any units are as text, in both orders.
func TestUTF16(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(16, 16))
	kinds := []func() uint16{
		func() uint16 { return uint16(rng.IntN(0x80)) },
		func() uint16 { return uint16(rng.IntN(1 << 16)) },
		func() uint16 { return 0xD800 + uint16(rng.IntN(0x400)) }, // a pair begins
		func() uint16 { return 0xDC00 + uint16(rng.IntN(0x400)) }, // and ends
	}
	for range 20_000 {
		units := make([]uint16, rng.IntN([]int{12, 12, 400}[rng.IntN(3)]))
		var little, big []byte
		other := rng.IntN(8)
		for i := range units {
			units[i] = kinds[0]()
			if rng.IntN(8) < other {
				units[i] = kinds[rng.IntN(len(kinds))]()
			}
			little, big = binary.LittleEndian.AppendUint16(little, units[i]), binary.BigEndian.AppendUint16(big, units[i])
		}
		if n := len(units); n > 0 && units[n-1] == 0 {
			units = units[:n-1] // the terminator
		}
		want := string(utf16.Decode(units))
		if got := decodeText(TypeUnicode, little, 0); got != want {
			t.Fatalf("%x: %q, want %q", units, got, want)
		}
		p := Property{Tag: MakeTag(1, TypeText), Data: little}
		if got := string(p.appendText([]byte("before"), 0)); got != "before"+want {
			t.Fatalf("%x appended: %q, want %q", units, got, want)
		}
		if got := decodeText(TypeBinary, big, 1201); got != want {
			t.Fatalf("%x in the other order: %q, want %q", units, got, want)
		}
		if got := decodeText(TypeUnicode, append(little, 'x'), 0); len(units) > 0 && units[len(units)-1] != 0 && got != want {
			t.Fatalf("%x and half a unit: %q, want %q", units, got, want)
		}
	}
}
