package exchangetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

// The layout of ids, see the package doc.
const (
	idHead       = 4
	guidText     = 36
	folderEntry  = 46
	messageEntry = 70
)

// Kinds of objects in a change key.
const (
	kindFolder      = 0x01
	kindMessage     = 0x09
	kindAppointment = 0x0F
	kindContact     = 0x11
	kindList        = 0x12
	kindTask        = 0x13
)

// objectID is what an id says; item is 0 in the id of a folder.
type objectID struct {
	mailbox mapi.GUID
	folder  uint64
	item    uint64
}

// guidOf derives a GUID, so that a server started anew gives the same ids.
func guidOf(purpose, address string) (g mapi.GUID) {
	sum := sha256.Sum256([]byte(purpose + "\x00" + address))
	copy(g[:], sum[:])
	g[7] = g[7]&0x0F | 0x40 // version 4 in the third group, little endian on the wire
	g[8] = g[8]&0x3F | 0x80
	return g
}

func (id objectID) String() string {
	return base64.StdEncoding.EncodeToString(id.bytes())
}

func (id objectID) bytes() []byte {
	entry := id.entry()
	b := make([]byte, 0, idHead+guidText+2+len(entry)+1)
	b = append(b, 0x00, 0x03)
	b = binary.LittleEndian.AppendUint16(b, guidText)
	b = append(b, id.mailbox.String()...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entry)))
	b = append(b, entry...)
	return append(b, 0)
}

// entry is the entry id. [MS-OXCDATA] 2.2.4.1, 2.2.4.2
func (id objectID) entry() []byte {
	replica := id.replica()
	b := append(make([]byte, 4, messageEntry), id.mailbox[:]...)
	if id.item == 0 {
		b = binary.LittleEndian.AppendUint16(b, 1)
		return appendCounter(append(b, replica[:]...), id.folder)
	}
	b = binary.LittleEndian.AppendUint16(b, 7)
	b = appendCounter(append(b, replica[:]...), id.folder)
	return appendCounter(append(b, replica[:]...), id.item)
}

// replica is the GUID that counters of the mailbox belong to.
func (id objectID) replica() mapi.GUID { return guidOf("replica", id.mailbox.String()) }

// appendCounter writes 6 bytes big endian and 2 of padding.
func appendCounter(b []byte, n uint64) []byte {
	var w [8]byte
	binary.BigEndian.PutUint64(w[:], n<<16)
	return append(b, w[:]...)
}

// parseID takes back exactly what String gives.
func parseID(s string) (objectID, *failure) {
	if s == "" {
		return objectID{}, fail("ErrorInvalidIdEmpty")
	}
	malformed := fail("ErrorInvalidIdMalformed")
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < idHead+guidText+3 {
		return objectID{}, malformed
	}
	guid, ok := parseGUID(string(b[idHead : idHead+guidText]))
	if !ok {
		return objectID{}, malformed
	}
	id, f := parseEntry(guid, b[idHead+guidText+2:len(b)-1])
	if f != nil {
		return id, f
	}
	// One id, one spelling: nothing in it is left unchecked.
	if !bytes.Equal(id.bytes(), b) || id.String() != s {
		return objectID{}, malformed
	}
	return id, nil
}

// parseEntry takes the counters of an entry id.
func parseEntry(mailbox mapi.GUID, entry []byte) (objectID, *failure) {
	id := objectID{mailbox: mailbox}
	switch len(entry) {
	case folderEntry:
		id.folder = binary.BigEndian.Uint64(entry[38:]) >> 16
	case messageEntry:
		id.folder = binary.BigEndian.Uint64(entry[38:]) >> 16
		id.item = binary.BigEndian.Uint64(entry[62:]) >> 16
	default:
		return objectID{}, fail("ErrorInvalidIdMalformed")
	}
	return id, nil
}

// parseGUID reads the text form back.
func parseGUID(s string) (g mapi.GUID, ok bool) {
	order := [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}
	digits := make([]byte, 0, 32)
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return g, false
			}
			continue
		}
		digits = append(digits, s[i])
	}
	if len(digits) != 32 {
		return g, false
	}
	for i, at := range order {
		hi, lo := hexDigit(digits[2*i]), hexDigit(digits[2*i+1])
		if hi < 0 || lo < 0 {
			return g, false
		}
		g[at] = byte(hi<<4 | lo)
	}
	return g, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// changeKey is the key of a change of one mailbox.
func changeKey(kind uint32, mailbox mapi.GUID, number uint64) string {
	replica := objectID{mailbox: mailbox}.replica()
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, 22)
	b = appendCounter(append(b, replica[:]...), number)
	return base64.StdEncoding.EncodeToString(b[:30])
}

// keyNumber reads a change key; 0 is a key that says nothing (none, or the short form).
func keyNumber(key string, folder bool) (uint64, *failure) {
	if key == "" {
		return 0, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil || len(b) < 4 || (binary.LittleEndian.Uint32(b) == kindFolder) != folder {
		return 0, fail("ErrorInvalidChangeKey")
	}
	if len(b) == 4 {
		return 0, nil
	}
	if len(b) != 30 || binary.LittleEndian.Uint32(b[4:]) != 22 {
		return 0, fail("ErrorInvalidChangeKey")
	}
	var w [8]byte
	copy(w[2:], b[24:])
	return binary.BigEndian.Uint64(w[:]), nil
}
