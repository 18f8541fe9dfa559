package msg

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

// Write writes m as a .msg file, in one pass. Long values are read while they
// are written. m is not changed; equal messages give equal bytes.
func Write(w io.Writer, m *mapi.Message) error {
	image, err := newImage(m)
	if err != nil {
		return err
	}
	_, err = image.WriteTo(w)
	return err
}

func newImage(m *mapi.Message) (*cfb.Image, error) {
	out := writer{}
	root, err := out.message("", m, 0, 0)
	if err != nil {
		return nil, err
	}
	root.CLSID = classMessage()
	root.Children = append(root.Children, out.names.storage())
	return cfb.NewImage(root)
}

type writer struct {
	names    nameTable
	codePage int // of the 8-bit strings of the present message
}

// message makes the storage of a message [MS-OXMSG] 2.2.
func (out *writer) message(name string, m *mapi.Message, depth, codePage int) (*cfb.Entry, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("%w: messages nest deeper than %d", ErrNotEncodable, maxNesting)
	}
	// A message that does not say its code page has that of the message around it.
	if codePage == 0 || m.Properties.Find(mapi.PidTagMessageCodepage) != nil || m.Properties.Find(mapi.PidTagInternetCodepage) != nil {
		codePage = m.Properties.CodePage()
	}
	out.codePage = codePage
	header := make([]byte, embeddedHeader, rootHeader)
	for i, n := range []int{len(m.Recipients), len(m.Attachments), len(m.Recipients), len(m.Attachments)} {
		binary.LittleEndian.PutUint32(header[8+4*i:], uint32(n))
	}
	if depth == 0 {
		header = header[:rootHeader]
	}
	children, err := out.object(header, m.Properties, forMessage(m, depth))
	if err != nil {
		return nil, err
	}
	for i, r := range m.Recipients {
		entries, err := out.object(make([]byte, childHeader), r, forRecipient(r, i))
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i, err)
		}
		children = append(children, cfb.NewStorage(fmt.Sprintf("%s%08X", recipPrefix, i), entries...))
	}
	for i := range m.Attachments {
		out.codePage = codePage // an embedded message had its own
		a, err := out.attachment(&m.Attachments[i], i, depth)
		if err != nil {
			return nil, fmt.Errorf("attachment %d: %w", i, err)
		}
		children = append(children, a)
	}
	return cfb.NewStorage(name, children...), nil
}

func (out *writer) attachment(a *mapi.Attachment, i, depth int) (*cfb.Entry, error) {
	more := forAttachment(a, i)
	if a.Embedded != nil {
		more.object = objectMessage
	}
	children, err := out.object(make([]byte, childHeader), a.Properties, more)
	if err != nil {
		return nil, err
	}
	if a.Embedded != nil {
		inside, err := out.message(valueName(tagObject), a.Embedded, depth+1, out.codePage)
		if err != nil {
			return nil, err
		}
		children = append(children, inside)
	}
	return cfb.NewStorage(fmt.Sprintf("%s%08X", attachPrefix, i), children...), nil
}

// object makes what lies in the storage of a bag: its property stream and its values.
func (out *writer) object(header []byte, bag mapi.Bag, more additions) ([]*cfb.Entry, error) {
	o := objectWriter{writer: out, more: more, seen: make(map[mapi.Tag]bool, len(bag)+len(more.properties))}
	if more.object != 0 {
		o.put(tagObject, sizeOfObject, more.object)
	}
	for _, list := range []mapi.Bag{bag, more.properties} {
		for i := range list {
			if err := o.property(&list[i]); err != nil {
				return nil, fmt.Errorf("property %v: %w", list[i].Tag, err)
			}
		}
	}
	if len(o.entries) > maxProperties {
		return nil, fmt.Errorf("%w: more than %d properties", ErrNotEncodable, maxProperties)
	}
	slices.SortFunc(o.entries, func(a, b [entrySize]byte) int {
		return int(int64(binary.LittleEndian.Uint32(a[:])) - int64(binary.LittleEndian.Uint32(b[:])))
	})
	stream := slices.Grow(header, entrySize*len(o.entries))
	for i := range o.entries {
		stream = append(stream, o.entries[i][:]...)
	}
	return append(o.streams, bytesStream(propertiesName, stream)), nil
}

// objectWriter gathers the properties of a bag.
type objectWriter struct {
	*writer
	more    additions
	entries [][entrySize]byte
	streams []*cfb.Entry
	seen    map[mapi.Tag]bool
}

// put adds an entry to the property stream.
func (o *objectWriter) put(tag mapi.Tag, size, reserved uint32) {
	o.putValue(tag, uint64(reserved)<<32|uint64(size))
}

func (o *objectWriter) putValue(tag mapi.Tag, value uint64) {
	var e [entrySize]byte
	binary.LittleEndian.PutUint32(e[:], uint32(tag))
	binary.LittleEndian.PutUint32(e[4:], flagsReadWrite)
	binary.LittleEndian.PutUint64(e[8:], value)
	o.entries = append(o.entries, e)
	o.seen[tag] = true
}
