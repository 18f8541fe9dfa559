package rtf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged is compressed RTF that is not what it says it is.
var ErrDamaged = errors.New("compressed rtf is damaged")

// MaxSize is the most RTF, HTML or text that is made of one body.
const MaxSize = 64 << 20

const (
	headerSize = 16
	typeLZFu   = 0x75465A4C
	typeStored = 0x414C454D
	window     = 4096
	// preload is the beginning of the dictionary [MS-OXRTFCP].
	preload = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor ` +
		`MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` + "\r\n" +
		`\par \pard\plain\f0\fs20\b\i\u\tab\tx`
)

// Decompress gives the RTF of a value of PidTagRtfCompressed. An error is
// ErrDamaged, and comes with what could be read before the damage, perhaps with
// all of it where only the check does not agree.
func Decompress(data []byte) ([]byte, error) {
	if len(data) < headerSize {
		return nil, fmt.Errorf("%w: %d bytes, less than a header", ErrDamaged, len(data))
	}
	h := header{
		packed: binary.LittleEndian.Uint32(data), raw: binary.LittleEndian.Uint32(data[4:]),
		kind: binary.LittleEndian.Uint32(data[8:]), crc: binary.LittleEndian.Uint32(data[12:]),
	}
	contents, faults := h.contents(data[headerSize:])
	var out []byte
	switch h.kind {
	case typeStored:
		out = contents[:min(len(contents), h.limit())]
	case typeLZFu:
		if got := checksum(contents); got != h.crc {
			faults = append(faults, fmt.Errorf("%w: checksum %08X, want %08X", ErrDamaged, got, h.crc))
		}
		var fault error
		if out, fault = inflate(contents, h.limit()); fault != nil {
			faults = append(faults, fault)
		}
	default:
		return nil, fmt.Errorf("%w: compression %08X is not known", ErrDamaged, h.kind)
	}
	if uint64(len(out)) != uint64(h.raw) {
		faults = append(faults, fmt.Errorf("%w: %d bytes of rtf, want %d", ErrDamaged, len(out), h.raw))
	}
	return out, errors.Join(faults...)
}

type header struct{ packed, raw, kind, crc uint32 }

// limit is the most bytes that may come out.
func (h header) limit() int { return int(min(h.raw, MaxSize)) }

// contents are the bytes that the header counts, or those of them that are there.
func (h header) contents(rest []byte) ([]byte, []error) {
	size := int64(h.packed) - (headerSize - 4)
	switch {
	case size < 0:
		return rest, []error{fmt.Errorf("%w: compressed size %d", ErrDamaged, h.packed)}
	case size > int64(len(rest)):
		return rest, []error{fmt.Errorf("%w: %d bytes of contents, want %d", ErrDamaged, len(rest), size)}
	}
	return rest[:size], nil
}

// inflate reads LZFu contents. The text follows the preload in one slice, so
// that the dictionary is its last 4096 bytes.
func inflate(in []byte, limit int) ([]byte, error) {
	end := len(preload) + limit
	text := make([]byte, len(preload), len(preload)+min(limit, 9*len(in)))
	copy(text, preload)
	for i := 0; i < len(in); {
		control := in[i]
		i++
		for bit := range 8 {
			switch {
			case i >= len(in) || len(text) >= end && control>>bit&1 == 0:
				return text[len(preload):], overflow(len(in)-i, limit)
			case control>>bit&1 == 0:
				text = append(text, in[i])
				i++
				continue
			case i+1 >= len(in):
				return text[len(preload):], fmt.Errorf("%w: half a reference at the end", ErrDamaged)
			}
			v := int(in[i])<<8 | int(in[i+1])
			i += 2
			back := (len(text) - v>>4) & (window - 1)
			if back == 0 { // the write position itself: the end [MS-OXRTFCP]
				return text[len(preload):], nil
			}
			n := min(v&15+2, end-len(text))
			if text = again(text, back, n); n < v&15+2 {
				return text[len(preload):], overflow(1, limit)
			}
		}
	}
	return text[len(preload):], nil
}

func overflow(left, limit int) error {
	if left <= 0 {
		return nil
	}
	return fmt.Errorf("%w: more than %d bytes of rtf", ErrDamaged, limit)
}

// again appends n bytes that stand back bytes before the end, those it appends among them.
// What stands before the preload was never written and reads as NUL.
func again(text []byte, back, n int) []byte {
	from := len(text) - back
	if from >= 0 && back >= n {
		return append(text, text[from:from+n]...)
	}
	for i := range n {
		var c byte
		if from+i >= 0 {
			c = text[from+i]
		}
		text = append(text, c)
	}
	return text
}

// Compress makes a value of PidTagRtfCompressed: stored, which every reader must
// know [MS-OXRTFCP] 2.1.3.1.1.
func Compress(rtf []byte) []byte {
	out := make([]byte, headerSize, headerSize+len(rtf))
	binary.LittleEndian.PutUint32(out, uint32(headerSize-4+len(rtf)))
	binary.LittleEndian.PutUint32(out[4:], uint32(len(rtf)))
	binary.LittleEndian.PutUint32(out[8:], typeStored)
	return append(out, rtf...)
}
