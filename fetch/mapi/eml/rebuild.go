package eml

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"mailbrick/fetch/mapi"
)

var errDiffers = errors.New("differs")

// skeletonReader reads the bytes of a skeleton; bad once they are none.
type skeletonReader struct {
	data []byte
	bad  bool
}

func (r *skeletonReader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.bad, r.data = true, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *skeletonReader) uvarint() int {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || v > MaxSize {
		r.take(-1)
		return 0
	}
	r.take(n)
	return int(v)
}

func (r *skeletonReader) identity() mapi.Property {
	var p mapi.Property
	b := r.take(2)
	if r.bad {
		return p
	}
	id := binary.LittleEndian.Uint16(b)
	p.Tag = mapi.MakeTag(id, 0)
	if id < mapi.FirstNamed {
		return p
	}
	set, lid := r.take(16), r.take(4)
	text := r.take(r.uvarint())
	if !r.bad {
		p.Name = &mapi.Name{Set: mapi.GUID(set), LID: binary.LittleEndian.Uint32(lid), Text: string(text)}
	}
	return p
}

// segments takes every attachment once and no byte of a body twice: nothing makes
// a file longer than what the message holds.
func (r *skeletonReader) segments() []segment {
	var list []segment
	var done [fromHTML + 1]int // of the bodies
	taken := map[int]bool{}    // of the attachments
	for len(r.data) > 0 && len(list) < maxSegments {
		p := segment{source: source(r.take(1)[0])}
		if p.source == literal {
			p.text = r.take(r.uvarint())
		} else if b := r.take(1); b != nil {
			p.form = b[0]
			first, second := p.numbers()
			*first, *second = r.uvarint(), r.uvarint()
		}
		coded := p.form&inBase64 != 0
		switch {
		case coded && (p.line == 0 || p.line%4 != 0 || p.line > maxBase64Line), p.source > fromMessage:
			r.bad = true
		case p.isBody() && coded:
			r.bad = r.bad || done[p.source] > 0
			done[p.source] = MaxSize
		case p.isBody():
			r.bad = r.bad || p.from < done[p.source] || p.from >= p.to
			done[p.source] = p.to
		case p.source != literal:
			r.bad = r.bad || taken[p.index]
			taken[p.index] = true
		}
		list = append(list, p)
	}
	r.bad = r.bad || len(r.data) > 0
	return list
}

// laid is how a message lay as a file.
type laid struct {
	lf       bool // the lines of its header end in LF
	segments []segment
}

// layout is how m lay, nil where that is not known or m says something else now.
func layout(m *mapi.Message, stored header) *laid {
	p := m.Properties.FindNamed(skeletonName())
	if p == nil || p.Len() > maxSkeleton || len(stored) == 0 {
		return nil
	}
	r := skeletonReader{data: p.Bytes()}
	if head := r.take(2); r.bad || head[0] != skeletonVersion {
		return nil
	} else if !r.said(stored, m) || head[1]&withRecipients != 0 && !bytes.Equal(r.take(hashSize), hashRecipients(m)) {
		return nil
	} else if l := (&laid{lf: head[1]&headerLF != 0}); r.attachments(l, m) {
		return l
	}
	return nil
}

// attachments reads the rest of a skeleton and compares it with what m has.
func (r *skeletonReader) attachments(l *laid, m *mapi.Message) bool {
	n := r.uvarint()
	if n != len(m.Attachments) {
		return false
	}
	hashes := r.take(n * hashSize)
	l.segments = r.segments()
	if r.bad || slices.ContainsFunc(l.segments, func(p segment) bool { return !p.fits(m) }) {
		return false
	}
	free := encoded(l.segments)
	for i := range m.Attachments {
		if !bytes.Equal(hashes[i*hashSize:(i+1)*hashSize], hashAttachment(&m.Attachments[i], !free[i])) {
			return false
		}
	}
	return true
}

// fits says whether m has what p is made of.
func (p *segment) fits(m *mapi.Message) bool {
	switch p.source {
	case fromPlain:
		return m.Properties.Find(mapi.PidTagBody) != nil
	case fromHTML:
		return m.Properties.Find(mapi.PidTagHTML) != nil
	case fromAttachment:
		return p.index < len(m.Attachments) && m.Attachments[p.index].Data() != nil
	case fromMessage:
		return p.index < len(m.Attachments) && m.Attachments[p.index].Embedded != nil
	}
	return true
}

// rebuild writes what follows the header as it lay.
func (e *writer) rebuild(l *laid, m *mapi.Message, depth int) error {
	bodies := map[[2]byte][]byte{} // in the forms that are wanted
	for i := range l.segments {
		p := &l.segments[i]
		var err error
		switch p.source {
		case literal:
			_, err = e.out.Write(p.text)
		case fromMessage:
			err = e.message(m.Attachments[p.index].Embedded, depth+1)
		case fromAttachment:
			if err = p.write(e.out, m.Attachments[p.index].Data().Open()); err != nil {
				err = fmt.Errorf("attachment %d: %w", p.index, err)
			}
		default:
			key := [2]byte{byte(p.source), p.form & contentLF}
			if bodies[key] == nil {
				bodies[key] = p.formed(p.body(m))
			}
			data := bodies[key]
			if p.form&inBase64 == 0 {
				data = data[min(p.from, len(data)):min(p.to, len(data))]
			}
			err = p.write(e.out, bytes.NewReader(data))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// body is the property that p takes its bytes from.
func (p *segment) body(m *mapi.Message) []byte {
	if p.source == fromHTML {
		return m.Properties.Binary(mapi.PidTagHTML)
	}
	return []byte(m.Properties.Text(mapi.PidTagBody))
}

func (p *segment) write(w io.Writer, r io.Reader) error {
	if p.form&inBase64 != 0 {
		return encodeBase64(w, r, p.line, p.eol())
	}
	_, err := io.Copy(w, r)
	return err
}
