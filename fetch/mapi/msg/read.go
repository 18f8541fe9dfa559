package msg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

// Report is what a reader of a file should know beside the message.
type Report struct {
	Warnings []string // at most 32; what is odd, and what was left out
}

const maxWarnings = 32

func (r *Report) warn(format string, args ...any) {
	if len(r.Warnings) < maxWarnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	}
}

// Read reads a .msg file of size bytes. Long values stay in r, which must serve
// as long as the message is used. Any other file is ErrNotMsg.
func Read(r io.ReaderAt, size int64) (*mapi.Message, error) {
	m, _, err := ReadReport(r, size)
	return m, err
}

// ReadReport is Read and tells what could not be read.
func ReadReport(r io.ReaderAt, size int64) (*mapi.Message, Report, error) {
	var report Report
	file, err := cfb.Open(r, size)
	if errors.Is(err, cfb.ErrNotCompound) {
		return nil, report, ErrNotMsg
	}
	if err != nil {
		return nil, report, err
	}
	root := sortStorage(file.Root)
	if root.properties == nil && len(root.values) == 0 {
		return nil, report, fmt.Errorf("%w: a compound file of another kind", ErrNotMsg)
	}
	for _, w := range file.Warnings {
		report.warn("%s", w)
	}
	in := reader{report: &report}
	in.names = in.readNames(root.names)
	return in.message(root, 0), report, nil
}

type reader struct {
	report *Report
	names  []*mapi.Name // by index of the property id; nil where there is none
	where  []place      // the object being read, for warnings
}

type place struct {
	kind string
	n    uint32
}

func (in *reader) warn(format string, args ...any) {
	var where strings.Builder
	for _, p := range in.where {
		fmt.Fprintf(&where, "%s %d: ", p.kind, p.n)
	}
	in.report.warn("%s%s", where.String(), fmt.Sprintf(format, args...))
}

func (in *reader) enter(kind string, n uint32) { in.where = append(in.where, place{kind, n}) }
func (in *reader) leave()                      { in.where = in.where[:len(in.where)-1] }

func (in *reader) message(s *storage, depth int) *mapi.Message {
	header := embeddedHeader
	if depth == 0 {
		header = rootHeader
	}
	m := &mapi.Message{Properties: in.bag(s, header)}
	for _, c := range s.recipients {
		in.enter("recipient", c.n)
		m.Recipients = append(m.Recipients, in.bag(sortStorage(c.entry), childHeader))
		in.leave()
	}
	for _, c := range s.attachments {
		in.enter("attachment", c.n)
		m.Attachments = append(m.Attachments, in.attachment(sortStorage(c.entry), depth))
		in.leave()
	}
	return m
}

func (in *reader) attachment(s *storage, depth int) mapi.Attachment {
	a := mapi.Attachment{Properties: in.bag(s, childHeader)}
	if s.object == nil {
		return a
	}
	method, _ := a.Properties.Int32(mapi.PidTagAttachMethod)
	inside := sortStorage(s.object)
	isMessage := method == mapi.AttachEmbedded || inside.properties != nil && method != mapi.AttachOLE
	if isMessage && depth < maxNesting {
		a.Embedded = in.message(inside, depth+1)
		return a
	}
	if isMessage {
		in.warn("messages nest deeper than %d: kept as a storage", maxNesting)
	}
	if p, ok := in.object(tagObject, s.object); ok {
		a.Properties = append(a.Properties, p)
	}
	return a
}

// object makes a storage a value: a compound file of its own.
func (in *reader) object(tag mapi.Tag, e *cfb.Entry) (mapi.Property, bool) {
	image, err := cfb.NewImage(in.sound(e))
	if err != nil {
		in.warn("storage %v: %v", tag, err)
		return mapi.Property{}, false
	}
	return in.value(tag, io.NewSectionReader(image, 0, image.Size()))
}

// sound copies a storage without what cannot be read of it.
func (in *reader) sound(e *cfb.Entry) *cfb.Entry {
	copied := *e
	copied.Children = nil
	for _, c := range e.Children {
		if c.Storage {
			copied.Children = append(copied.Children, in.sound(c))
			continue
		}
		content, err := c.Open()
		if err != nil {
			in.warn("stream %q: %v", c.Name, err)
		}
		copied.Children = append(copied.Children, cfb.NewStream(c.Name, content, content.Size()))
	}
	return &copied
}

// bag reads the properties of an object in the order of its property stream.
func (in *reader) bag(s *storage, header int) mapi.Bag {
	entries := in.entries(s, header)
	bag := make(mapi.Bag, 0, min(len(entries)/entrySize, maxProperties))
	seen := make(map[mapi.Tag]bool, len(entries)/entrySize)
	for ; len(entries) >= entrySize; entries = entries[entrySize:] {
		e := propertyEntry(entries[:entrySize])
		if len(bag) == maxProperties {
			in.warn("more than %d properties", maxProperties)
			return bag
		}
		if seen[e.tag()] {
			in.warn("property %v: there twice", e.tag())
			continue
		}
		seen[e.tag()] = true
		if s.object != nil && e.tag() == tagObject || tableOf(e.tag()) {
			continue
		}
		if p, ok := in.property(s, e); ok {
			bag = append(bag, p)
		}
	}
	return in.strays(s, bag, seen)
}

// tableOf says whether tag stands for the recipients or attachments: they are storages here.
func tableOf(tag mapi.Tag) bool {
	return tag.Type() == mapi.TypeObject &&
		(tag.ID() == mapi.PidTagMessageRecipients || tag.ID() == mapi.PidTagMessageAttachments)
}

// entries is the property stream without its header.
func (in *reader) entries(s *storage, header int) []byte {
	if s.properties == nil {
		in.warn("no property stream")
		return nil
	}
	data := in.bytes(s.properties)
	// Some writers give embedded messages the header of the root or the other way round.
	if header != childHeader && len(data)%entrySize != header%entrySize {
		header = rootHeader + embeddedHeader - header
	}
	if len(data) < header {
		in.warn("property stream of %d bytes", len(data))
		return nil
	}
	return data[header:]
}

// strays adds the values that no entry announces.
func (in *reader) strays(s *storage, bag mapi.Bag, seen map[mapi.Tag]bool) mapi.Bag {
	var tags []mapi.Tag
	for tag := range s.values {
		if !seen[tag] {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	for _, tag := range tags {
		if len(bag) == maxProperties {
			break
		}
		in.warn("property %v: not in the property stream", tag)
		var e [entrySize]byte
		binary.LittleEndian.PutUint32(e[:], uint32(tag))
		if p, ok := in.property(s, e[:]); ok {
			bag = append(bag, p)
		}
	}
	return bag
}

// bytes is all of a stream that can be read.
func (in *reader) bytes(e *cfb.Entry) []byte {
	content, err := e.Open()
	if err != nil {
		in.warn("stream %q: %v", e.Name, err)
	}
	data := make([]byte, content.Size())
	n, err := io.ReadFull(content, data)
	if err != nil && err != io.EOF {
		in.warn("stream %q: %v", e.Name, err)
	}
	return data[:n]
}
