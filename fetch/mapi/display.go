package mapi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxNameShown is the longest name of a property that is shown whole.
const maxNameShown = 256

// Display is the value for people to read, by its type, in about limit bytes (0
// for 200): strings quoted, times in RFC 3339, binary in hex with its length,
// lists in brackets, errors and GUIDs in their usual form. Nothing it gives can
// steer a terminal. Of a value that was left out or is kept elsewhere only the
// size is shown. codePage is that of 8-bit strings, 0 where it is not known.
func (p *Property) Display(codePage int, limit int) string {
	if limit <= 0 {
		limit = 200
	}
	switch {
	case p.Large != nil:
		return fmt.Sprintf("(%s, not shown)", size(p.Len()))
	case !p.Kept():
		return fmt.Sprintf("(%s, left out)", size(p.Len()))
	}
	t := p.Tag.Type()
	layout, width := t.Layout()
	switch layout {
	case LayoutFixedMV:
		if members := cutFixed(p.Data, width); members != nil {
			return displayList(members, t&^MultiValue, codePage, limit)
		}
	case LayoutVarMV:
		if members := Members(p.Data); members != nil {
			return displayList(members, t&^MultiValue, codePage, limit)
		}
	default:
		return displayOne(t, p.Data, codePage, limit)
	}
	return displayBinary(p.Data, limit) // not laid out as its type says
}

func size(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// cutFixed cuts the members of a list of fixed width; nil when it is not laid out so.
func cutFixed(data []byte, width int) [][]byte {
	if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) != uint64(len(data)-4)/uint64(width) || (len(data)-4)%width != 0 {
		return nil
	}
	list := [][]byte{}
	for data = data[4:]; len(data) > 0; data = data[width:] {
		list = append(list, data[:width])
	}
	return list
}

func displayList(members [][]byte, t Type, codePage, limit int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, m := range members {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len() >= limit {
			fmt.Fprintf(&b, "... %d in all", len(members))
			break
		}
		b.WriteString(displayOne(t, m, codePage, limit-b.Len()))
	}
	b.WriteByte(']')
	return b.String()
}

// displayOne shows a single value; one that does not have the size of its type as binary.
func displayOne(t Type, data []byte, codePage, limit int) string {
	if t.IsString() {
		// No code page takes more than four bytes for a character.
		most := 4*limit + 4
		shown := quote(decodeText(t, data[:min(len(data), most)], codePage), limit)
		if len(data) > most && !strings.HasSuffix(shown, "...") {
			shown += "..."
		}
		if strings.HasSuffix(shown, "...") {
			shown += " " + size(int64(len(data)))
		}
		return shown
	}
	if layout, width := t.Layout(); layout == LayoutFixed && len(data) == width {
		return displayFixed(t, data)
	}
	return displayBinary(data, limit)
}

// quote puts s in quotes, whatever does not print as an escape, and says with
// dots where it is longer than about limit bytes.
func quote(s string, limit int) string {
	out := []byte{'"'}
	for len(s) > 0 {
		if len(out) > limit {
			return string(append(out, `"...`...))
		}
		_, n := utf8.DecodeRuneInString(s)
		one := strconv.AppendQuote(out, s[:n]) // out, then the character in quotes of its own
		out = append(out, one[len(out)+1:len(one)-1]...)
		s = s[n:]
	}
	return string(append(out, '"'))
}

func displayBinary(data []byte, limit int) string {
	if len(data) == 0 {
		return "(0 bytes)"
	}
	shown := data[:min(len(data), max(limit/2, 1))]
	dots := ""
	if len(shown) < len(data) {
		dots = "..."
	}
	return hex.EncodeToString(shown) + dots + " (" + size(int64(len(data))) + ")"
}

func displayFixed(t Type, data []byte) string {
	var word uint64
	if len(data) <= 8 {
		var padded [8]byte
		copy(padded[:], data)
		word = binary.LittleEndian.Uint64(padded[:])
	}
	switch t {
	case TypeInt16:
		return number(int64(int16(word)), word)
	case TypeInt32:
		return number(int64(int32(word)), word)
	case TypeInt64:
		return number(int64(word), word)
	case TypeFloat32:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(word))), 'g', -1, 32)
	case TypeFloat64:
		return strconv.FormatFloat(math.Float64frombits(word), 'g', -1, 64)
	case TypeCurrency: // ten thousandths
		return new(big.Rat).SetFrac64(int64(word), 10000).FloatString(4)
	case TypeAppTime:
		return oleDate(math.Float64frombits(word))
	case TypeError:
		return errorCode(uint32(word))
	case TypeBool:
		return strconv.FormatBool(word != 0)
	case TypeTime:
		if at, ok := fromFiletime(word); ok {
			return at.Format(time.RFC3339Nano)
		}
		return fmt.Sprintf("no time (0x%016X)", word)
	case TypeGUID:
		return GUID(data).Canonical()
	}
	return displayBinary(data, 2*len(data))
}

// number adds the bits of numbers that are likely flags.
func number(n int64, bits uint64) string {
	if n >= 0 && n < 256 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%d (0x%X)", n, bits)
}

// oleDate counts days from 1899-12-30 [MS-OXCDATA] 2.11.1.
func oleDate(days float64) string {
	const year100, year10000, toUnix = -657434, 2958466, 25569
	if !(days >= year100 && days < year10000) {
		return fmt.Sprintf("no time (%g)", days)
	}
	return time.Unix(int64(math.Round((days-toUnix)*86400)), 0).UTC().Format(time.RFC3339)
}

// errorCode names the codes that stand in place of values [MS-OXCDATA] 2.4.
func errorCode(code uint32) string {
	name := ""
	switch code {
	case 0x8004010F:
		name = " NotFound"
	case 0x8007000E:
		name = " NotEnoughMemory"
	case 0x80070005:
		name = " AccessDenied"
	case 0x80040102:
		name = " NotSupported"
	case 0x00000000:
		name = " Success"
	}
	return fmt.Sprintf("0x%08X%s", code, name)
}
