package seal_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/seal"
)

// testKey is bytes 0, 1, 2, ...
func testKey() (k seal.Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func sealer(t testing.TB, purpose, salt string) *seal.Sealer {
	t.Helper()
	s, err := testKey().Sealer(purpose, []byte(salt))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGolden holds bytes that a second program, written from the package doc
// alone, makes as well.
func TestGolden(t *testing.T) {
	t.Parallel()
	derived := testKey().Derive("id")
	tests := []struct{ name, got, want string }{
		{"derive", hex.EncodeToString(derived[:]), "d73326812b784d2f2316dc1af84ddf2deedeb73db1de76378a246e3b83bf2570"},
		{"message 0", hex.EncodeToString(sealer(t, "pack", "salt").Seal(nil, []byte("plain"), []byte("ad"), 0)), "52772188ce067f5436294ead5bff1ecee3f1986639"},
		{"message 258", hex.EncodeToString(sealer(t, "pack", "salt").Seal(nil, []byte("plain"), []byte("ad"), 258)), "579fdb3b89a55b07c56afbfa8e6e3eb2adaab9615d"},
		{"no salt, empty", hex.EncodeToString(sealer(t, "journal", "").Seal(nil, nil, nil, 1)), "57b6a802ead683a3818bc7eca78b4ae8"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s: archives would not open", tt.name, tt.got, tt.want)
		}
	}
}

func TestDeriveIsHKDF(t *testing.T) {
	t.Parallel()
	k := testKey()
	want, err := hkdf.Key(sha256.New, k[:], nil, "mailbrick/derive/v1\x00gear", 32)
	if got := k.Derive("gear"); err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("got %x, want %x (%v)", got, want, err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := sealer(t, "pack", "0123456789abcdef")
	for _, n := range []uint64{0, 1, 255, 65536, seal.MaxMessages - 1} {
		for _, size := range []int{0, 1, 15, 16, 17, 100_000} {
			plain := bytes.Repeat([]byte{0xA5}, size)
			sealed := s.Seal([]byte("head"), plain, []byte("ad"), n)
			if len(sealed) != 4+size+seal.Overhead {
				t.Fatalf("message %d of %d bytes is sealed in %d", n, size, len(sealed)-4)
			}
			got, err := s.Open([]byte("front"), sealed[4:], []byte("ad"), n)
			if err != nil || string(got) != "front"+string(plain) {
				t.Fatalf("message %d of %d bytes: %v", n, size, err)
			}
		}
	}
}

func TestOpenInPlace(t *testing.T) {
	t.Parallel()
	s := sealer(t, "pack", "")
	sealed := s.Seal(nil, []byte("in place"), nil, 0)
	if got, err := s.Open(sealed[:0], sealed, nil, 0); err != nil || string(got) != "in place" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	s := sealer(t, "pack", "salt")
	whole := s.Seal(nil, []byte("plain"), []byte("ad"), 5)
	for i := range whole {
		bad := slices.Clone(whole)
		bad[i] ^= 1
		refuse(t, fmt.Sprintf("byte %d changed", i), s, bad, "ad", 5)
	}
	for i := range whole {
		refuse(t, fmt.Sprintf("cut to %d", i), s, whole[:i], "ad", 5)
	}
	refuse(t, "longer", s, append(slices.Clone(whole), 0), "ad", 5)
	refuse(t, "another number", s, whole, "ad", 6)
	refuse(t, "a number too large", s, whole, "ad", 5+seal.MaxMessages)
	refuse(t, "other associated data", s, whole, "da", 5)
	refuse(t, "another purpose", sealer(t, "journal", "salt"), whole, "ad", 5)
	refuse(t, "another salt", sealer(t, "pack", "salz"), whole, "ad", 5)
	refuse(t, "a salt with a zero more", sealer(t, "pack", "salt\x00"), whole, "ad", 5)
	other, err := seal.Key{}.Sealer("pack", []byte("salt"))
	if err != nil {
		t.Fatal(err)
	}
	refuse(t, "another key", other, whole, "ad", 5)
}

func refuse(t *testing.T, name string, s *seal.Sealer, sealed []byte, ad string, n uint64) {
	t.Helper()
	if got, err := s.Open(nil, sealed, []byte(ad), n); !errors.Is(err, seal.ErrDamaged) || got != nil {
		t.Errorf("%s: got %q, %v", name, got, err)
	}
}

func TestSealRefusesTheLastNumber(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("sealed a message beyond the limit")
		}
	}()
	sealer(t, "pack", "").Seal(nil, nil, nil, seal.MaxMessages)
}

func TestSaltLength(t *testing.T) {
	t.Parallel()
	if _, err := testKey().Sealer("pack", make([]byte, seal.MaxSalt)); err != nil {
		t.Errorf("longest salt: %v", err)
	}
	if _, err := testKey().Sealer("pack", make([]byte, seal.MaxSalt+1)); !errors.Is(err, seal.ErrSalt) {
		t.Errorf("longer salt: %v", err)
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	a, errA := seal.NewKey(rand.Reader)
	b, errB := seal.NewKey(rand.Reader)
	if errA != nil || errB != nil || a == b || a == (seal.Key{}) {
		t.Errorf("keys are not random: %v, %v", errA, errB)
	}
	if k, err := seal.NewKey(strings.NewReader("too short")); !errors.Is(err, io.ErrUnexpectedEOF) || k != (seal.Key{}) {
		t.Errorf("short source: %v", err)
	}
}

func TestKeyNeverPrints(t *testing.T) {
	t.Parallel()
	k := testKey()
	type holder struct{ Key seal.Key }
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", k, &k, holder{k})
	}
	fmt.Fprintln(&out, k.String(), k.GoString())
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "held", holder{k})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "held", holder{k})
	if data, err := json.Marshal(holder{k}); err == nil {
		t.Errorf("a key as JSON: %s", data)
	}
	for _, form := range []string{"0 1 2", "0,1,2", "0x0, 0x1", "000102", "0001", "\\x01", "\x01\x02", "U+0001"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("key printed as %q in %s", form, out.String())
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, "pack", "salt")
	f.Add([]byte{}, []byte{}, uint64(0))
	f.Add(make([]byte, seal.Overhead), []byte("ad"), uint64(seal.MaxMessages))
	f.Fuzz(func(t *testing.T, data, ad []byte, n uint64) {
		if plain, err := s.Open(nil, data, ad, n); err == nil {
			t.Errorf("opened %x as %x", data, plain)
		}
		n %= seal.MaxMessages
		got, err := s.Open(nil, s.Seal(nil, data, ad, n), ad, n)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("round trip of %x: %v", data, err)
		}
	})
}

func BenchmarkSeal64K(b *testing.B) {
	s := sealer(b, "pack", "salt")
	plain := make([]byte, 64<<10)
	var out []byte
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		out = s.Seal(out[:0], plain, nil, 1)
	}
}

func BenchmarkOpen64K(b *testing.B) {
	s := sealer(b, "pack", "salt")
	sealed := s.Seal(nil, make([]byte, 64<<10), nil, 1)
	var out []byte
	b.SetBytes(int64(len(sealed)))
	for b.Loop() {
		out, _ = s.Open(out[:0], sealed, nil, 1)
	}
}

func BenchmarkSealer(b *testing.B) {
	for b.Loop() {
		sealer(b, "pack", "0123456789abcdef")
	}
}
