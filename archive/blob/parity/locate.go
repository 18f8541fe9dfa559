package parity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// ErrVersion says that the object has parity of another format version.
var ErrVersion = errors.New("parity of another format version")

// locate finds the length of the payload. told is what the caller knows, or
// Unknown. Where nothing says it, found is false.
func (o *object) locate(ctx context.Context, told int64) (size int64, found bool, err error) {
	end, ok, err := o.trailer(ctx, o.stored-trailerSize)
	guess, exact := fit(o.stored)
	switch {
	case err != nil:
		return 0, false, err
	case told >= 0:
		// More than there is, footers and all, is beyond repair, and may be any number.
		return told, told <= o.stored, nil
	case ok && layoutOf(end.size).stored() == o.stored:
		return end.size, true, nil
	}
	first, ok, err := o.trailer(ctx, guess.trailers()[0])
	if err != nil || ok && exact && first.size == guess.size {
		return first.size, err == nil, err
	}
	size, found, err = o.search(ctx)
	if err != nil || found {
		return size, found, err
	}
	return guess.size, exact, nil
}

// trailer reads one, if there is one at the offset.
func (o *object) trailer(ctx context.Context, off int64) (t trailer, ok bool, err error) {
	if off < 0 {
		return trailer{}, false, nil
	}
	var p [trailerSize]byte
	if err := o.read(ctx, off, p[:]); err != nil {
		return trailer{}, false, err
	}
	if t, ok = parseTrailer(p[:]); ok && t.version != version {
		return trailer{}, false, fmt.Errorf("%s: version %d, this program knows %d: %w", o.name, t.version, version, ErrVersion)
	}
	return t, ok, nil
}

// searchStep is what search reads at a time.
const searchStep = 1 << 20

// search finds the last trailer that stands where it says it stands. Others are
// of some object that the payload holds.
func (o *object) search(ctx context.Context) (size int64, found bool, err error) {
	buf := make([]byte, min(o.stored, searchStep+trailerSize-1))
	for at := int64(0); at+trailerSize <= o.stored; at += searchStep {
		p := buf[:min(int64(len(buf)), o.stored-at)]
		if err := o.read(ctx, at, p); err != nil {
			return 0, false, err
		}
		for i := 0; ; i++ {
			next := bytes.Index(p[i:], []byte(magic))
			if next < 0 {
				break
			}
			i += next
			if t, ok := parseTrailer(p[i:]); ok && t.isAt(at+int64(i)) {
				size, found = t.size, true
			}
		}
	}
	return size, found, nil
}

// isAt tells whether a trailer may stand at an offset.
func (t trailer) isAt(off int64) bool {
	at := layoutOf(t.size).trailers()
	return t.version == version && (off == at[0] || off == at[1])
}
