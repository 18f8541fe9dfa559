package msg

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

var (
	// ErrNotMsg says that the input is another kind of file.
	ErrNotMsg = errors.New("not a .msg file")
	// ErrNotEncodable says that a message has something the format cannot carry.
	ErrNotEncodable = errors.New("not encodable as a .msg file")
)

const (
	propertiesName = "__properties_version1.0"
	namesName      = "__nameid_version1.0"
	valuePrefix    = "__substg1.0_"
	recipPrefix    = "__recip_version1.0_#"
	attachPrefix   = "__attach_version1.0_#"

	rootHeader     = 32
	embeddedHeader = 24
	childHeader    = 8

	entrySize     = 16
	maxProperties = 1 << 16
	maxNesting    = 32
	maxName       = 1 << 10 // bytes of a name in UTF-16

	flagsReadWrite = 6
	sizeOfObject   = 0xFFFFFFFF
	objectMessage  = 1
	objectOLE      = 4
)

// tagObject is the attachment's storage.
const tagObject = mapi.Tag(mapi.PidTagAttachData)<<16 | mapi.Tag(mapi.TypeObject)

// tagHTML8 is PidTagBodyHtml as bytes.
const tagHTML8 = mapi.Tag(mapi.PidTagHTML)<<16 | mapi.Tag(mapi.TypeString8)

// classMessage is the class of the root [MS-OXMSG] 2.2.
func classMessage() [16]byte {
	return [16]byte{0x0B, 0x0D, 0x02, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}
}

func valueName(tag mapi.Tag) string { return fmt.Sprintf("%s%08X", valuePrefix, uint32(tag)) }

func memberName(tag mapi.Tag, i int) string {
	return fmt.Sprintf("%s%08X-%08X", valuePrefix, uint32(tag), i)
}

// storage is the children of a storage by what they are.
type storage struct {
	properties  *cfb.Entry
	names       *cfb.Entry
	object      *cfb.Entry // the storage of an attachment
	values      map[mapi.Tag]*cfb.Entry
	members     map[member]*cfb.Entry
	recipients  []numbered
	attachments []numbered
}

type member struct {
	tag mapi.Tag
	n   uint32
}

type numbered struct {
	n     uint32
	entry *cfb.Entry
}

func sortStorage(e *cfb.Entry) *storage {
	s := &storage{values: make(map[mapi.Tag]*cfb.Entry, len(e.Children))}
	for _, c := range e.Children {
		s.put(c)
	}
	byNumber := func(a, b numbered) int { return cmp.Compare(a.n, b.n) }
	slices.SortStableFunc(s.recipients, byNumber)
	slices.SortStableFunc(s.attachments, byNumber)
	return s
}

func (s *storage) put(c *cfb.Entry) {
	switch {
	case strings.EqualFold(c.Name, propertiesName):
		if !c.Storage {
			s.properties = c
		}
	case strings.EqualFold(c.Name, namesName):
		if c.Storage {
			s.names = c
		}
	case hasPrefix(c.Name, valuePrefix):
		s.putValue(c, c.Name[len(valuePrefix):])
	case hasPrefix(c.Name, recipPrefix) && c.Storage:
		if n, ok := parseHex(c.Name[len(recipPrefix):]); ok {
			s.recipients = append(s.recipients, numbered{n, c})
		}
	case hasPrefix(c.Name, attachPrefix) && c.Storage:
		if n, ok := parseHex(c.Name[len(attachPrefix):]); ok {
			s.attachments = append(s.attachments, numbered{n, c})
		}
	}
}

func (s *storage) putValue(c *cfb.Entry, rest string) {
	if len(rest) < 8 {
		return
	}
	word, ok := parseHex(rest[:8])
	switch tag := mapi.Tag(word); {
	case !ok:
	case tag == tagObject && c.Storage:
		s.object = c
	case len(rest) == 8:
		s.values[tag] = c
	case rest[8] == '-':
		if n, ok := parseHex(rest[9:]); ok {
			if s.members == nil {
				s.members = map[member]*cfb.Entry{}
			}
			s.members[member{tag, n}] = c
		}
	}
}

func hasPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// parseHex reads eight digits.
func parseHex(s string) (uint32, bool) {
	var b [4]byte
	if len(s) != 8 {
		return 0, false
	}
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return 0, false
	}
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}
