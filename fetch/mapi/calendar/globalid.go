package calendar

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// GlobalObjectID is the value of PidLidGlobalObjectId and PidLidCleanGlobalObjectId
// [MS-OXOCAL] 2.2.1.27, 2.2.1.28.
type GlobalObjectID struct {
	Year       uint16 // of the instance, where it is one; big endian
	Month, Day byte
	Created    uint64 // FILETIME
	Reserved   [8]byte
	Data       []byte
	Extra      []byte // behind Data
}

const (
	globalIDPrefix = "\x04\x00\x00\x00\x82\x00\xE0\x00\x74\xC5\xB7\x10\x1A\x82\xE0\x08"
	vCalUID        = "vCal-Uid\x01\x00\x00\x00" // then the text of a foreign UID and a NUL
	maxUID         = 64 << 10
)

// ParseGlobalObjectID reads an id.
func ParseGlobalObjectID(b []byte) (GlobalObjectID, error) {
	var g GlobalObjectID
	rest, ok := strings.CutPrefix(string(b), globalIDPrefix)
	if !ok {
		return g, fmt.Errorf("global object id of %d bytes: it does not begin as one", len(b))
	}
	f := fields{rest: []byte(rest)}
	if d := f.take(4); d != nil {
		g.Year, g.Month, g.Day = uint16(d[0])<<8|uint16(d[1]), d[2], d[3]
	}
	low, high := f.u32(), f.u32()
	g.Created = uint64(high)<<32 | uint64(low)
	copy(g.Reserved[:], f.take(8))
	g.Data = f.block()
	if f.err != nil {
		return g, fmt.Errorf("global object id of %d bytes: %w", len(b), f.err)
	}
	g.Extra = slices.Clone(f.rest)
	return g, nil
}

// Bytes is the value of the property.
func (g GlobalObjectID) Bytes() []byte {
	b := append([]byte(globalIDPrefix), byte(g.Year>>8), byte(g.Year), g.Month, g.Day)
	b = put32(b, uint32(g.Created), uint32(g.Created>>32))
	b = append(b, g.Reserved[:]...)
	return append(putBlock(b, g.Data), g.Extra...)
}

// Clean is the id of the series that the instance belongs to.
func (g GlobalObjectID) Clean() GlobalObjectID {
	g.Year, g.Month, g.Day = 0, 0, 0
	return g
}

// Instance is the id of the instance that stood on that day at first.
func (g GlobalObjectID) Instance(day time.Time) GlobalObjectID {
	g.Year, g.Month, g.Day = uint16(day.Year()), byte(day.Month()), byte(day.Day())
	return g
}

// UID is the text of the id in iCalendar [MS-OXCICAL] 2.1.3.1.1.20.26: the one
// it was made of, else the id of the series in hexadecimal.
func (g GlobalObjectID) UID() string {
	if text, ok := strings.CutPrefix(string(g.Data), vCalUID); ok {
		text = strings.TrimSuffix(text, "\x00")
		if text != "" && !strings.ContainsFunc(text, control) {
			return text
		}
	}
	return strings.ToUpper(hex.EncodeToString(g.Clean().Bytes()))
}

// GlobalObjectIDOf is the id that a UID stands for [MS-OXCICAL] 2.1.3.1.1.20.26.
func GlobalObjectIDOf(uid string) GlobalObjectID {
	if len(uid) >= 82 && len(uid) <= maxUID {
		if b, err := hex.DecodeString(uid); err == nil {
			if g, err := ParseGlobalObjectID(b); err == nil {
				return g
			}
		}
	}
	return GlobalObjectID{Data: []byte(vCalUID + uid[:min(len(uid), maxUID)] + "\x00")}
}
