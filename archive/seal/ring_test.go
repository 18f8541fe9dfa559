package seal_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mailbrick/archive/seal"
)

func TestRing(t *testing.T) {
	t.Parallel()
	one := newRing(t)
	three := rotated(t, one, 3) // 2 was of a rotation that was broken off
	if n, k := three.Newest(); n != 3 || k == three.Root() || three.Root() != one.Root() {
		t.Errorf("newest is %d, or not a key of its own", n)
	}
	for n, want := range map[uint32]bool{0: false, 1: true, 2: false, 3: true, 4: false} {
		if k, ok := three.Of(n); ok != want || ok == (k == seal.Key{}) {
			t.Errorf("generation %d: %v", n, ok)
		}
	}
	if n, _ := one.Newest(); n != 1 {
		t.Errorf("the ring that was rotated went on to %d itself", n)
	}
}

func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	two := rotated(t, newRing(t), 2)
	for n, want := range map[uint32]error{0: nil, 1: nil, 2: nil, seal.MaxGeneration + 1: seal.ErrFull} {
		if _, err := two.Rotate(n, rand.Reader); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("generation %d: %v", n, err)
		}
	}
	if _, err := (seal.Ring{}).Rotate(2, rand.Reader); err == nil {
		t.Error("a ring without generation 1")
	}
	if _, err := two.Rotate(3, strings.NewReader("short")); err == nil {
		t.Error("a key of a source that ends")
	}
	for n := uint32(3); n <= seal.MaxGenerations; n++ {
		two = rotated(t, two, n)
	}
	if _, err := two.Rotate(1000, rand.Reader); !errors.Is(err, seal.ErrFull) {
		t.Errorf("more than all: %v", err)
	}
	p := x25519(t)
	if ring, _, err := seal.Open([]*seal.File{newFile(t, two, p.to)}, p.secrets); err != nil || fmt.Sprint(ring.Newest()) != fmt.Sprint(two.Newest()) {
		t.Errorf("a full ring does not come back: %v", err)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	t.Parallel()
	ring, err := seal.NewRing(strings.NewReader(strings.Repeat("A", 32)))
	if err != nil {
		t.Fatal(err)
	}
	identity, text, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(strings.TrimSpace(string(text)), "\n")[1]
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", ring, &ring, struct{ R seal.Ring }{ring})
		fmt.Fprintf(&out, verb+verb+"\n", identity, []seal.Identity{identity})
	}
	fmt.Fprint(&out, ring.String(), ring.GoString(), ring.LogValue(), identity.String(), identity.GoString())
	if _, err := ring.MarshalText(); err == nil {
		t.Error("a ring is written as text")
	}
	for _, form := range []string{"65 65", "0x41, 0x41", "4141", "AAAA", secret} {
		if strings.Contains(out.String(), form) {
			t.Errorf("printed as %q", form)
		}
	}
}
