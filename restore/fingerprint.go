package restore

import (
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// keepValue is the longest value that is held in memory while a blob is read; of longer ones there are digests only.
const keepValue = 4 << 10

// viewRoom is how much memory is taken for the tree of a blob that is looked at, about a third of what its sight takes. Ten
// thousand recipients fit.
const viewRoom = 16 << 20

// sight is what was seen of a blob.
type sight struct {
	state  fasttransfer.State
	reason string
	size   int64  // of what is in the frames
	sum    uint64 // of that

	stamps  map[uint16]scope
	values  map[place]value // when complete and not crowded
	crowded bool            // of too many parts to be taken apart

	searchKey     []byte
	messageID     string
	class         string
	read          bool
	organizerCopy bool // a meeting of which this mailbox is the organizer
}

// place is where in an item a value stands.
type place struct {
	object string // "", "recipient 1/", "attachment 2/message/"
	id     uint16 // 0 for a named property
	name   mapi.Name
}

func (p place) String() string {
	if p.id != 0 {
		return fmt.Sprintf("%s0x%04X", p.object, p.id)
	}
	return p.object + p.name.String()
}

// value is all that is kept of a value.
type value struct {
	kind mapi.Type
	size int64
	sum  uint64
}

// viewer looks at blobs; what two of them saw compares only if one viewer did.
type viewer struct {
	digester
	seed    maphash.Seed
	stamps  map[uint16]scope
	scanner fasttransfer.Scanner
}

func newViewer() *viewer {
	v := &viewer{digester: newDigester(), seed: maphash.MakeSeed(), stamps: map[uint16]scope{}}
	for _, s := range stamps() {
		v.stamps[s.id] = s.in
	}
	return v
}

// look reads a blob to its end, one at a time. The error is the reader's. Of the viewer's memory nothing is in what it gives.
func (d *viewer) look(r io.Reader) (*sight, error) {
	spool := newDigestSpool(d.digester)
	m := &mapi.Message{}
	s := &sight{stamps: d.stamps}
	var content maphash.Hash
	content.SetSeed(d.seed)
	report, err := d.scanner.Scan(r, fasttransfer.Visitor{
		Message: m, Keep: keepValue, Room: viewRoom, Spool: spool,
		Segment: func(seg fasttransfer.Segment) error {
			if seg.Kind != fasttransfer.Framing {
				s.size += int64(len(seg.Data))
				_, _ = content.Write(seg.Data) // never fails
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	s.state, s.reason, s.sum = report.State, report.Reason, content.Sum64()
	s.crowded = report.LeftOut > 0 || spool.crowded
	s.describe(m)
	if s.state == fasttransfer.Complete && !s.crowded {
		s.values = map[place]value{}
		s.message(m, "", spool)
	}
	return s, nil
}

// describe takes what decides about the item; of a blob that could not be read to its end, as far as it could.
func (s *sight) describe(m *mapi.Message) {
	if p := m.Properties.Find(mapi.PidTagSearchKey); p != nil {
		s.searchKey = slices.Clone(p.Data)
	}
	s.messageID = shortText(m, mapi.PidTagInternetMessageID)
	s.class = shortText(m, mapi.PidTagMessageClass)
	s.read = m.Read()
	s.organizerCopy = isAppointment(s.class) && organizes(m)
}

// shortText is a string, if it is one of those held in memory.
func shortText(m *mapi.Message, id uint16) string {
	if p := m.Properties.Find(id); p == nil || p.Large != nil {
		return ""
	}
	return m.Properties.Text(id)
}

func (s *sight) message(m *mapi.Message, object string, spool *digestSpool) {
	s.bag(m.Properties, object, inMessage, spool)
	for i, r := range m.Recipients {
		s.bag(r, fmt.Sprintf("%srecipient %d/", object, i+1), inRecipient, spool)
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		within := fmt.Sprintf("%sattachment %d/", object, i+1)
		s.bag(a.Properties, within, inAttachment, spool)
		if a.Embedded != nil {
			s.message(a.Embedded, within+"message/", spool)
		}
	}
}

func (s *sight) bag(b mapi.Bag, object string, in scope, spool *digestSpool) {
	s.values[place{object: object}] = value{} // it is there, whatever is in it
	for i := range b {
		p := &b[i]
		at := place{object: object, id: p.Tag.ID()}
		if p.Name != nil {
			at.id, at.name = 0, *p.Name // the id is the mailbox's own
		}
		if s.stamps[at.id]&in != 0 {
			continue
		}
		v := value{kind: plainType(p.Tag.Type()), size: p.Len(), sum: spool.of(p)}
		if twin, ok := s.values[at]; ok { // the same property twice: together they are one value
			v.size, v.sum = v.size+twin.size, multiply(twin.sum, spool.point)%digestPrime^v.sum
		}
		s.values[at] = v
	}
}

// of is the digest of a property's value.
func (s *digestSpool) of(p *mapi.Property) uint64 {
	if p.Large == nil {
		return s.extend(0, unstamped(p))
	}
	_, start, n := p.Large.Outer()
	sum, ok := s.between(start, n)
	if !ok {
		panic("restore: a value lies elsewhere than it was written") // Scan hands every value over by itself
	}
	return sum
}

// plainType makes the types of UTF-16 strings one: servers may write either.
func plainType(t mapi.Type) mapi.Type {
	if t == mapi.TypeText {
		return mapi.TypeUnicode
	}
	return t
}

// differences names what the server holds otherwise than it was sent; read is what the read flag should be.
func differences(sent, held *sight, read bool) []string {
	if sent.values == nil || held.values == nil {
		if sent.state != held.state || sent.size != held.size || sent.sum != held.sum {
			return []string{"content"}
		}
		return nil
	}
	names := map[string]bool{}
	oneWay(sent, held, names)
	oneWay(held, sent, names)
	if held.read != read {
		names[place{id: mapi.PidTagMessageFlags}.String()] = true
	}
	return shortened(slices.Sorted(maps.Keys(names)))
}

// oneWay notes what a has and b has not or has otherwise. An object that is missing is named as a whole.
func oneWay(a, b *sight, names map[string]bool) {
	objects := map[string]bool{}
	for at := range b.values {
		objects[at.object] = true
	}
	for at, v := range a.values {
		other, ok := b.values[at]
		switch {
		case ok && other == v:
		case !ok && !objects[at.object]:
			names[strings.TrimSuffix(at.object, "/")] = true
		default:
			names[at.String()] = true
		}
	}
}

// maxDifferences bounds what is told of one item.
const maxDifferences = 50

func shortened(names []string) []string {
	if over := len(names) - maxDifferences; over > 0 {
		names = append(names[:maxDifferences], fmt.Sprintf("%d more", over))
	}
	return names
}
