package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"mailbrick/archive/wire"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := wire.AppendUvarint(nil, 300)
	b = wire.AppendBytes(b, "text")
	b = append(b, 7, 8, 9)
	r := wire.NewReader(b)
	if v := r.Uvarint(); v != 300 {
		t.Errorf("number %d, want 300", v)
	}
	if s := r.String(); s != "text" {
		t.Errorf("text %q", s)
	}
	if p := r.Fixed(2); !bytes.Equal(p, []byte{7, 8}) {
		t.Errorf("fixed %v", p)
	}
	if c := r.Byte(); c != 9 || r.Done() != nil {
		t.Errorf("byte %d, %v", c, r.Done())
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*wire.Reader){
		"number cut":     func(r *wire.Reader) { r.Fixed(1); r.Fixed(2); r.Uvarint() },
		"bytes cut":      func(r *wire.Reader) { r.Bytes() },
		"fixed cut":      func(r *wire.Reader) { r.Fixed(99) },
		"count too big":  func(r *wire.Reader) { r.Count(4) },
		"left over":      func(r *wire.Reader) { r.Byte() },
		"byte past end":  func(r *wire.Reader) { r.Fixed(3); r.Byte() },
		"large uint32":   func(r *wire.Reader) { *r = *wire.NewReader(wire.AppendUvarint(nil, 1<<40)); r.Uint32() },
		"negative fixed": func(r *wire.Reader) { r.Fixed(-1) },
	} {
		r := wire.NewReader([]byte{9, 1, 2})
		read(r)
		if err := r.Done(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		for r.More() {
			r.Bytes()
			r.Count(16)
			r.Byte()
		}
		_ = r.Done()
	})
}
