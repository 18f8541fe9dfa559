package pst

import (
	"fmt"
	"slices"

	"mailbrick/fetch/mapi"
)

// Subnodes of a message [MS-PST] 2.4.5.
const nidRecipients = 0x692

const (
	tagObject      = mapi.Tag(mapi.PidTagAttachData)<<16 | mapi.Tag(mapi.TypeObject)
	tagRecipients  = mapi.Tag(mapi.PidTagMessageRecipients)<<16 | mapi.Tag(mapi.TypeObject)
	tagAttachments = mapi.Tag(mapi.PidTagMessageAttachments)<<16 | mapi.Tag(mapi.TypeObject)
)

// Entry is a message in its folder, not read yet.
type Entry struct {
	f    *File
	node node
}

// ID is the message's in its file, as long as it is there: it is not given to another.
func (e Entry) ID() uint32 { return e.node.nid }

// Associated messages are configuration, views and forms, not mail.
func (e Entry) Associated() bool { return typeOf(e.node.nid) == typeAssociated }

// Version is another whenever the message was changed: blocks are written anew, never over.
func (e Entry) Version() string { return fmt.Sprintf("%x-%x", e.node.data, e.node.sub) }

// Entry finds a message by its ID.
func (f *File) Entry(id uint32) (Entry, error) {
	if t := typeOf(id); t != typeMessage && t != typeAssociated {
		return Entry{}, fmt.Errorf("%#x is not the ID of a message", id)
	}
	n, err := f.node(id)
	return Entry{f, n}, err
}

// Read reads the message with all that hangs on it. What is damaged is left out, a
// value that breaks off is kept as far as it goes, and the report tells of both.
// The error is ErrDamaged where there are no properties at all, or the file's own.
func (e Entry) Read() (*mapi.Message, Report, error) {
	in := e.f.reader()
	m, err := in.message(e.node, e.f.codePage, 0)
	if err = first(in.err, err); err != nil {
		return nil, *in.report, fmt.Errorf("message %#x: %w", e.node.nid, err)
	}
	return m, *in.report, nil
}

// message reads a message [MS-PST] 2.4.5; given is the code page of those around it.
func (in *reader) message(n node, given, depth int) (*mapi.Message, error) {
	o, err := in.object(n)
	if err != nil {
		return nil, err
	}
	m := &mapi.Message{Properties: o.bag(tagRecipients, tagAttachments)}
	cp := codePage(m.Properties, given)
	pin(m.Properties, cp)
	splitSubject(&m.Properties)
	if t, ok := o.subs.find(nidRecipients); ok {
		err := in.table(t, func(row mapi.Bag) {
			pin(row, cp)
			m.Recipients = append(m.Recipients, row)
		})
		if err != nil {
			in.failed(err, "recipients")
		}
	}
	// The table of attachments repeats what they say themselves, and may be damaged.
	for _, s := range o.subs {
		if typeOf(s.nid) != typeAttachment {
			continue
		}
		in.enter("attachment", len(m.Attachments))
		if a, ok := in.attachment(s, cp, depth); ok {
			m.Attachments = append(m.Attachments, a)
		}
		in.leave()
	}
	return m, nil
}

// attachment reads an attachment [MS-PST] 2.4.6.2.
func (in *reader) attachment(n node, cp, depth int) (a mapi.Attachment, ok bool) {
	o, err := in.object(n)
	if err != nil {
		in.failed(err, "left out")
		return a, false
	}
	data, ok := o.find(mapi.PidTagAttachData)
	method, _ := o.find(mapi.PidTagAttachMethod)
	embedded := ok && data.tag == tagObject && int32(method.hnid()) != mapi.AttachOLE
	var except []mapi.Tag
	if embedded {
		except = append(except, tagObject)
	}
	a.Properties = o.bag(except...)
	pin(a.Properties, cp)
	switch {
	case embedded && depth == maxNesting:
		in.warn("messages nest deeper than %d: left out", maxNesting)
	case embedded:
		a.Embedded = in.embedded(&o.context, data, cp, depth+1)
	}
	return a, true
}

// embedded reads the message that an attachment is, nil where it cannot be read.
func (in *reader) embedded(c *context, data record, cp, depth int) *mapi.Message {
	n, err := c.nodeOf(data.hnid())
	if err != nil {
		in.failed(err, "message")
		return nil
	}
	in.enter("message", depth)
	defer in.leave()
	m, err := in.message(n, cp, depth)
	if err != nil {
		in.failed(err, "left out")
		return nil
	}
	return m
}

// splitSubject makes of the form of a file, U+0001, the length of the prefix plus
// one, prefix, rest, the three properties that it stands for [MS-PST] 2.5.3.1.1.1.
func splitSubject(bag *mapi.Bag) {
	p := bag.Find(mapi.PidTagSubject)
	if p == nil || p.Large != nil || !p.Tag.Type().IsString() {
		return
	}
	unit := 1
	if p.Tag.Type().IsUTF16() {
		unit = 2
	}
	lead := func(i int) int {
		if unit == 2 {
			return int(p.Data[2*i]) | int(p.Data[2*i+1])<<8
		}
		return int(p.Data[i])
	}
	if len(p.Data) < 3*unit || lead(0) != 1 {
		return
	}
	prefix := (lead(1) - 1) * unit
	whole := p.Data[2*unit:]
	if prefix < 0 || prefix > len(whole)-unit {
		prefix = 0
	}
	t, end := p.Tag.Type(), whole[len(whole)-unit:]
	*p = newProperty(p.Tag, whole)
	if bag.Find(mapi.PidTagSubjectPrefix) == nil {
		*bag = append(*bag, newProperty(mapi.MakeTag(mapi.PidTagSubjectPrefix, t), slices.Concat(whole[:prefix], end)))
	}
	if bag.Find(mapi.PidTagNormalizedSubject) == nil {
		*bag = append(*bag, newProperty(mapi.MakeTag(mapi.PidTagNormalizedSubject, t), whole[prefix:]))
	}
}
