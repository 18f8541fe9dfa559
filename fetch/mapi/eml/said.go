package eml

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"mailbrick/fetch/mapi"
)

// hashSize is the bytes kept of a SHA-256: enough to notice a change that nobody hides.
const hashSize = 8

func sum(h hash.Hash) []byte { return h.Sum(nil)[:hashSize] }

func hashText(s string) []byte {
	h := sha256.New()
	io.WriteString(h, s)
	return sum(h)
}

// hashProperty is of the text of a string, whatever its encoding, else of the value.
func hashProperty(b mapi.Bag, p *mapi.Property) []byte {
	if p.Tag.Type().IsString() && p.Kept() {
		return hashText(p.Text(b.CodePage()))
	}
	h := sha256.New()
	if _, err := io.Copy(h, p.Open()); err != nil {
		return nil
	}
	return sum(h)
}

func hashRecipients(m *mapi.Message) []byte {
	return hashText(fmt.Sprintf("%q %q %q", m.To(), m.Cc(), m.Bcc()))
}

// hashAttachment is of what a part says of an attachment, and of all it holds where deep.
func hashAttachment(a *mapi.Attachment, deep bool) []byte {
	h := sha256.New()
	for _, id := range []uint16{mapi.PidTagAttachLongFilename, mapi.PidTagAttachMimeTag, mapi.PidTagAttachContentID,
		mapi.PidTagAttachContentLocation, mapi.PidTagTextAttachmentCharset} {
		fmt.Fprintf(h, "%q ", a.Properties.Text(id))
	}
	fmt.Fprint(h, a.Hidden(), a.Embedded != nil)
	switch p := a.Data(); {
	case !deep:
	case a.Embedded != nil:
		h.Write(hashTree(a.Embedded))
	case p != nil:
		if _, err := io.Copy(h, p.Open()); err != nil {
			return nil
		}
	}
	return sum(h)
}

// hashTree is of all that a message has, in any order, but for what encoders number.
func hashTree(m *mapi.Message) []byte {
	h := sha256.New()
	hashBag(h, m.Properties)
	for _, r := range m.Recipients {
		hashBag(h, r)
	}
	for i := range m.Attachments {
		hashBag(h, m.Attachments[i].Properties)
		if in := m.Attachments[i].Embedded; in != nil {
			h.Write(hashTree(in))
		}
	}
	return sum(h)
}

func hashBag(h hash.Hash, b mapi.Bag) {
	list := make([]string, 0, len(b))
	for i := range b {
		if id := b[i].Tag.ID(); id != mapi.PidTagMid && id != mapi.PidTagAttachNumber {
			list = append(list, string(appendIdentity(nil, &b[i]))+string(hashProperty(b, &b[i])))
		}
	}
	slices.Sort(list)
	fmt.Fprintf(h, "%q\n", list)
}

// appendIdentity is the id, and the name of what has one instead of its id. The
// type is left out: it may change on the way.
func appendIdentity(b []byte, p *mapi.Property) []byte {
	if p.Name == nil {
		return binary.LittleEndian.AppendUint16(b, p.Tag.ID())
	}
	b = binary.LittleEndian.AppendUint16(b, mapi.FirstNamed)
	b = append(b, p.Name.Set[:]...)
	b = binary.LittleEndian.AppendUint32(b, p.Name.LID)
	b = binary.AppendUvarint(b, uint64(len(p.Name.Text)))
	return append(b, p.Name.Text...)
}

// appendSaid writes what the structure and the parts of the file say: as long as
// m says the same, the file may be written as it lay.
func appendSaid(b []byte, h header, m *mapi.Message, content mapi.Bag) []byte {
	b = append(b, hashText(structure(h))...)
	var list []*mapi.Property
	for i := range m.Properties {
		p := &m.Properties[i]
		id := p.Tag.ID()
		isBody := p.Name == nil && (id == mapi.PidTagBody || id == mapi.PidTagHTML)
		lost := p.Name == nil && id >= mapi.FirstNamed || counterpart(m.Properties, p) != p
		if !lost && (isBody || counterpart(content, p) != nil) {
			list = append(list, p)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, p := range list {
		b = appendIdentity(b, p)
		b = append(b, hashProperty(m.Properties, p)...)
	}
	return b
}

// counterpart is the property of b that p is, too.
func counterpart(b mapi.Bag, p *mapi.Property) *mapi.Property {
	if p.Name != nil {
		return b.FindNamed(*p.Name)
	}
	return b.Find(p.Tag.ID())
}

// said reads what appendSaid wrote and compares it with m. A property that is
// absent says nothing else: servers keep one body and make the others of it.
func (r *skeletonReader) said(h header, m *mapi.Message) bool {
	same := bytes.Equal(r.take(hashSize), hashText(structure(h)))
	n := r.uvarint()
	for same = same && n <= maxSaid+2; n > 0 && same && !r.bad; n-- {
		q := r.identity()
		want := r.take(hashSize)
		if p := counterpart(m.Properties, &q); p != nil {
			same = bytes.Equal(want, hashProperty(m.Properties, p))
		}
	}
	return same && !r.bad
}
