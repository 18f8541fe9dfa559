package mapi

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// usualText is a length in bytes that few texts have.
const usualText = 128

// Text is a value of any string type without its terminator. 8-bit strings are
// read in codePage, or in Windows-1252 where that is 0 or not known. A binary
// value (an HTML body) is read so too.
func (p *Property) Text(codePage int) string {
	return decodeText(p.Tag.Type(), p.Bytes(), codePage)
}

// appendText appends what Text gives.
func (p *Property) appendText(dst []byte, codePage int) []byte {
	if t := p.Tag.Type(); t == TypeText || t == TypeUnicode {
		return appendUTF16(dst, unterminated(p.Bytes()))
	}
	return append(dst, p.Text(codePage)...)
}

func decodeText(t Type, data []byte, codePage int) string {
	switch {
	case t == TypeUnicode:
		codePage = 1200
	case t&CodePage != 0:
		codePage, _ = t.page()
	case t == TypeString8, t == TypeBinary:
	default:
		return ""
	}
	switch codePage {
	case 1200:
		return decodeUTF16(data)
	case 1201:
		return decodeUTF16(swapped(data))
	}
	// One terminator goes; NULs inside belong to the value.
	return DecodeCodePage(codePage, bytes.TrimSuffix(data, []byte{0}))
}

// swapped is big-endian text as little-endian.
func swapped(b []byte) []byte {
	out := make([]byte, len(b)&^1)
	for i := 0; i < len(out); i += 2 {
		out[i], out[i+1] = b[i+1], b[i]
	}
	return out
}

// decodeUTF16 reads little-endian text. What no pair of surrogates is comes as the replacement character.
func decodeUTF16(b []byte) string {
	const piece = 256 // bytes; a unit makes three at most
	var room [piece / 2 * utf8.UTFMax]byte
	var s strings.Builder
	b = unterminated(b)
	s.Grow(len(b) / 2)
	for len(b) > 0 {
		n := min(len(b), piece)
		if n < len(b) && b[n-1]&0xFC == 0xD8 { // a pair stays together
			n -= 2
		}
		s.Write(appendUTF16(room[:0], b[:n]))
		b = b[n:]
	}
	return s.String()
}

func unterminated(b []byte) []byte {
	if n := len(b) &^ 1; n >= 2 && b[n-2] == 0 && b[n-1] == 0 {
		return b[:n-2]
	}
	return b
}

// appendUTF16 is decodeUTF16 into memory that is there, without a terminator.
func appendUTF16(dst, b []byte) []byte {
	dst = slices.Grow(dst, len(b)/2)
	for len(b) >= 2 {
		if len(b) >= 8 {
			if four := binary.LittleEndian.Uint64(b); four&^0x007F007F007F007F == 0 { // as a rule it is ASCII
				four |= four >> 8
				dst = append(dst, byte(four), byte(four>>16), byte(four>>32), byte(four>>48))
				b = b[8:]
				continue
			}
		}
		r := rune(binary.LittleEndian.Uint16(b))
		b = b[2:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(b) >= 2 {
				low = rune(binary.LittleEndian.Uint16(b))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				b = b[2:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

func encodeUTF16(s string, terminate bool) []byte {
	b := make([]byte, 0, 2*len(s)+2)
	for _, r := range s {
		if r >= 0x10000 {
			hi, lo := utf16.EncodeRune(r)
			b = append(b, byte(hi), byte(hi>>8), byte(lo), byte(lo>>8))
			continue
		}
		b = append(b, byte(r), byte(r>>8))
	}
	if terminate {
		b = append(b, 0, 0)
	}
	return b
}

// texts reads a list of strings.
func (p *Property) texts(codePage int) []string {
	t := p.Tag.Type()
	if t.IsString() {
		return []string{p.Text(codePage)}
	}
	if layout, _ := t.Layout(); layout != LayoutVarMV {
		return nil
	}
	one := t
	if t&CodePage == 0 {
		one = t &^ MultiValue
	}
	var list []string
	for _, member := range Members(p.Bytes()) {
		list = append(list, decodeText(one, member, codePage))
	}
	return list
}

// Members cuts the value of a multi-valued string or binary type into its
// members; nil when it is not laid out so.
func Members(data []byte) [][]byte {
	if len(data) < 4 {
		return nil
	}
	count := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if uint64(count) > uint64(len(data)/4) {
		return nil
	}
	list := make([][]byte, 0, count)
	for range count {
		if len(data) < 4 {
			return nil
		}
		n := binary.LittleEndian.Uint32(data)
		data = data[4:]
		if uint64(n) > uint64(len(data)) {
			return nil
		}
		list = append(list, data[:n:n])
		data = data[n:]
	}
	if len(data) > 0 {
		return nil
	}
	return list
}
