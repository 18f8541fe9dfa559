package parity_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
)

// TestFormat holds an object against the package doc, by a writer made from
// nothing but that text.
func TestFormat(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 300, 4096, 4097, 8192, 170_000, 900_001, 8<<20 + 5000}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			payload := random(uint64(size), size)
			if got, want := stored(t, payload), byTheBook(payload); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, by the book %d, which differ first at %d", len(got), len(want), differ(got, want))
			}
		})
	}
}

// TestFormatStays: objects of version 1 never look otherwise.
func TestFormatStays(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(stored(t, bytes.Repeat([]byte("mailbrick"), 200_000)))
	if got, want := hex.EncodeToString(sum[:]), "bec250a1e6fd05dd265c462e9860d8e8ed23081a0481effe2463b72b126147be"; got != want {
		t.Errorf("got %s", got)
	}
}

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func byTheBook(payload []byte) []byte {
	var footer, parity []byte
	hash := func(p []byte) { s := sha256.Sum256(p); footer = append(footer, s[:16]...) }
	for rest := payload; len(rest) > 0; {
		window := rest[:min(len(rest), 8_388_608)]
		rest = rest[len(window):]
		k, s, m := shape(len(window))
		for c := range k {
			hash(window[c*s : min(c*s+s, len(window))])
		}
		for i := range m {
			shard := make([]byte, s)
			for c := range k {
				times := table(inverse(byte(k+i) ^ byte(c)))
				for at, x := range window[c*s : min(c*s+s, len(window))] {
					shard[at] ^= times[x]
				}
			}
			hash(shard)
			parity = append(parity, shard...)
		}
	}
	head := append([]byte("MBPARITY"), 1, 0, 0, 0, 0, 0, 0, 0)
	head = binary.LittleEndian.AppendUint64(head, uint64(len(payload)))
	footer = append(footer, head...)
	hash(head)
	return bytes.Join([][]byte{payload, footer, make([]byte, 4096), parity, footer}, nil)
}

func shape(w int) (k, s, m int) {
	k = min(200, (w+4095)/4096)
	switch {
	case k == 1:
		return 1, w, 1
	case w <= 819_200:
		s = 4096
	default:
		s = (w + 199) / 200
	}
	return k, s, max(2, (k+19)/20)
}

// product in the field, by long multiplication.
func product(a, b byte) byte {
	var p int
	for bit := range 8 {
		if b>>bit&1 == 1 {
			p ^= int(a) << bit
		}
	}
	for bit := 14; bit >= 8; bit-- {
		if p>>bit&1 == 1 {
			p ^= 0x11d << (bit - 8)
		}
	}
	return byte(p)
}

// table has the products of a with all.
func table(a byte) (products [256]byte) {
	for b := range products {
		products[b] = product(a, byte(b))
	}
	return products
}

// inverse is a to the 254th.
func inverse(a byte) byte {
	p := byte(1)
	for range 254 {
		p = product(p, a)
	}
	return p
}
