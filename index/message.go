package index

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// docID names a distinct message: a hash of its content.
type docID [16]byte

// content is what is equal in every copy of a message, and searched by words.
type content struct {
	id            docID
	subject, body string
	from          []mapi.Address
	to, cc, bcc   []mapi.Address
	attachments   []string
	hasAttachment bool
	sent          time.Time
	exception     string // why not all of the text is here; empty when it is
	damaged       bool   // the archive has other bytes than were written: it may be mended and say more
}

// empty tells of each field that can be asked for it whether there is nothing in it.
func (c *content) empty() map[string]bool {
	return map[string]bool{
		fieldSubject: strings.TrimSpace(c.subject) == "", fieldAttachments: len(c.attachments) == 0,
		fieldFrom: len(c.from) == 0, fieldTo: len(c.to) == 0, fieldCc: len(c.cc) == 0, fieldBcc: len(c.bcc) == 0,
	}
}

const (
	keepValue = 16 << 10 // longest value kept in memory as it is; bodies are caught apart
	keepParts = 64 << 20 // memory of all that is kept of a message, about
	keepBody  = 8 << 20  // bytes of a body that are searched
	longValue = 1 << 10  // from here on a value is a stream of its own (fasttransfer)
)

// readContent decodes the blob of a version. Of a blob that does not parse, or is damaged in the archive, it takes what
// the summary has. Any other error in reading may pass and says nothing about the blob: it is returned.
func readContent(ctx context.Context, log Log, v *archive.Version, values *values) (*content, error) {
	r, err := log.OpenBlob(ctx, v)
	if err != nil {
		return damagedContent(ctx, v, err)
	}
	var m mapi.Message
	values.reset()
	report, err := values.scanner.Scan(r, fasttransfer.Visitor{Segment: values.segment, Message: &m, Keep: keepValue, Room: keepParts})
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return damagedContent(ctx, v, err)
	case report.State == fasttransfer.Unparsed || report.State == fasttransfer.Truncated && len(m.Properties) == 0:
		return summaryContent(v, report.State.String()+": "+report.Reason), nil
	}
	c := messageContent(&m, values)
	if report.LeftOut > 0 {
		c.exception = fmt.Sprintf("parts cut: recipients, attachments and properties are searched as far as they take %d MiB of memory", keepParts>>20)
	}
	if report.State == fasttransfer.Truncated {
		c.exception = report.State.String() + ": " + report.Reason
	}
	return c, nil
}

// damagedContent stands in for a blob that is damaged in the archive. Other errors are given back.
func damagedContent(ctx context.Context, v *archive.Version, err error) (*content, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !errors.Is(err, archive.ErrDamaged):
		return nil, fmt.Errorf("read item %s: %w", v.ID, err)
	}
	c := summaryContent(v, fmt.Sprintf("damaged: %v; once the archive is mended, `mailbrick rebuild --index` indexes the rest", err))
	c.damaged = true
	return c, nil
}

// messageContent takes what is searched out of a message.
func messageContent(m *mapi.Message, values *values) *content {
	c := &content{
		subject: m.Subject(), to: m.To(), cc: m.Cc(), bcc: m.Bcc(),
		attachments: m.AttachmentNames(), hasAttachment: m.HasAttachments(), sent: m.Sent().Truncate(time.Microsecond),
	}
	if from := m.From(); from != (mapi.Address{}) {
		c.from = []mapi.Address{from}
	}
	if values.lend(m) {
		c.exception = fmt.Sprintf("text cut: only the first %d MiB of the body are searched", keepBody>>20)
	}
	c.body = m.BodyText()
	if c.body == "" && m.Properties.Find(mapi.PidTagRtfCompressed) != nil {
		c.exception = "text missing: the body is RTF only"
	}
	c.identify(m, values)
	return c
}

// identify names the message. What is not the same in every copy must stay out: Message-ID, received, folder, flags.
func (c *content) identify(m *mapi.Message, values *values) {
	h := newFieldHash("mailbrick message 1")
	h.common(c)
	h.attachments(m)
	values.identify(h, m)
	c.id = h.docID()
}

// summaryContent stands in for a blob that cannot be read as a message. Its identity includes the blob, so that things
// nobody can read are not taken for the same.
func summaryContent(v *archive.Version, reason string) *content {
	c := &content{exception: reason}
	if s, err := mapi.DecodeSummary(v.Summary); err == nil {
		c.subject, c.sent, c.hasAttachment, c.attachments = s.Subject, s.Sent, s.HasAttachments, s.Attachments
		c.to, c.cc, c.bcc = parseAddresses(s.To), parseAddresses(s.Cc), parseAddresses(s.Bcc)
		if s.From != "" {
			c.from = parseAddresses([]string{s.From})
		}
	}
	h := newFieldHash("mailbrick blob 1")
	h.text(string(v.SHA256[:]))
	h.common(c)
	c.id = h.docID()
	return c
}

// parseAddresses reads what mapi.Address.String wrote.
func parseAddresses(list []string) []mapi.Address {
	out := make([]mapi.Address, 0, len(list))
	for _, s := range list {
		name, email, ok := strings.Cut(s, " <")
		switch {
		case ok:
			out = append(out, mapi.Address{Name: name, Email: strings.TrimSuffix(email, ">")})
		case strings.Contains(s, "@") || strings.HasPrefix(s, "/"):
			out = append(out, mapi.Address{Email: s})
		default:
			out = append(out, mapi.Address{Name: s})
		}
	}
	return out
}

// values watches the long values of a blob go by: it hashes bodies and attachments and catches the first body of each
// kind, which is the message's own, for its properties stand before its attachments. What it lends is good until reset, and so is
// a message that its scanner reads.
type values struct {
	scanner fasttransfer.Scanner
	list    []value
	caught  map[fasttransfer.Kind][]byte
}

type value struct {
	stream int
	kind   fasttransfer.Kind
	sum    hash.Hash
}

func (w *values) reset() {
	w.list = w.list[:0]
	for kind, b := range w.caught {
		w.caught[kind] = b[:0]
	}
}

func (w *values) segment(s fasttransfer.Segment) error {
	switch s.Kind {
	case fasttransfer.Body, fasttransfer.HTML, fasttransfer.RTF, fasttransfer.Attachment:
	default:
		return nil
	}
	if n := len(w.list); n == 0 || w.list[n-1].stream != s.Stream {
		w.list = append(w.list, value{s.Stream, s.Kind, sha256.New()})
	}
	last := &w.list[len(w.list)-1]
	last.sum.Write(s.Data)
	if s.Kind == fasttransfer.Body || s.Kind == fasttransfer.HTML {
		if first, ok := w.first(s.Kind); ok && first == s.Stream {
			w.catch(s)
		}
	}
	return nil
}

// first gives the first stream of a kind.
func (w *values) first(k fasttransfer.Kind) (stream int, ok bool) {
	for _, v := range w.list {
		if v.kind == k {
			return v.stream, true
		}
	}
	return 0, false
}

func (w *values) catch(s fasttransfer.Segment) {
	if w.caught == nil {
		w.caught = map[fasttransfer.Kind][]byte{}
	}
	have := w.caught[s.Kind]
	w.caught[s.Kind] = append(have, s.Data[:min(len(s.Data), keepBody-len(have))]...)
}

// lend gives the message its bodies that the reader left out; cut tells that one was too long to keep whole.
func (w *values) lend(m *mapi.Message) (cut bool) {
	for kind, id := range map[fasttransfer.Kind]uint16{fasttransfer.Body: mapi.PidTagBody, fasttransfer.HTML: mapi.PidTagHTML} {
		if p := m.Properties.Find(id); p != nil && !p.Kept() {
			cut = cut || int64(len(w.caught[kind])) < p.Size
			p.Data = w.caught[kind]
			p.Size = int64(len(p.Data))
		}
	}
	return cut
}

// identify adds the long values but for the message's own bodies, whose text counts instead.
func (w *values) identify(h *fieldHash, m *mapi.Message) {
	own := map[int]bool{}
	for kind, id := range map[fasttransfer.Kind]uint16{fasttransfer.Body: mapi.PidTagBody, fasttransfer.HTML: mapi.PidTagHTML,
		fasttransfer.RTF: mapi.PidTagRtfCompressed} {
		if p := m.Properties.Find(id); p != nil && p.Len() >= longValue {
			if stream, ok := w.first(kind); ok {
				own[stream] = true
			}
		}
	}
	for _, v := range w.list {
		if !own[v.stream] {
			h.text(string(v.sum.Sum(nil)))
		}
	}
}

// fieldHash hashes fields so that where one ends counts.
type fieldHash struct{ hash.Hash }

func newFieldHash(purpose string) *fieldHash {
	h := &fieldHash{sha256.New()}
	h.text(purpose)
	return h
}

func (h *fieldHash) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func (h *fieldHash) text(s string) {
	h.number(int64(len(s)))
	io.WriteString(h, s)
}

func (h *fieldHash) addresses(list []mapi.Address) {
	h.number(int64(len(list)))
	for _, a := range list {
		h.text(a.Name)
		h.text(a.Email)
	}
}

func (h *fieldHash) common(c *content) {
	h.text(c.subject)
	for _, list := range [][]mapi.Address{c.from, c.to, c.cc, c.bcc} {
		h.addresses(list)
	}
	h.text(c.body)
	h.number(ticks(c.sent))
}

// attachments adds names, sizes and short data; long data comes with the streams.
func (h *fieldHash) attachments(m *mapi.Message) {
	codePage := m.Properties.CodePage()
	h.number(int64(len(m.Attachments)))
	for i := range m.Attachments {
		a := &m.Attachments[i]
		h.text(a.NameIn(codePage))
		if p := a.Data(); p != nil {
			h.number(p.Len())
			if p.Len() < longValue {
				h.text(string(p.Bytes()))
			}
		}
		if a.Embedded != nil {
			h.embedded(a.Embedded)
		}
	}
}

func (h *fieldHash) embedded(m *mapi.Message) {
	h.text(m.Subject())
	h.addresses([]mapi.Address{m.From()})
	h.addresses(m.To())
	h.addresses(m.Cc())
	h.number(ticks(m.Sent()))
	for _, id := range []uint16{mapi.PidTagBody, mapi.PidTagHTML} {
		if p := m.Properties.Find(id); p != nil && p.Len() < longValue {
			h.text(string(p.Bytes()))
		}
	}
	h.attachments(m)
}

func (h *fieldHash) docID() (id docID) {
	copy(id[:], h.Sum(nil))
	return id
}
