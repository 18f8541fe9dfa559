package eml

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"

	"mailbrick/fetch/mapi"
)

// ErrNotMail says that the input has no mail header.
var ErrNotMail = errors.New("not a mail message")

// ErrTooLong says that the input is longer than MaxSize.
var ErrTooLong = errors.New("mail message too long")

// MaxSize is the longest message that is read: it is held in memory.
const MaxSize = 1 << 30

// Messages and parts nested deeper than this stay attachments by value. An
// export stream takes 32 messages.
const (
	maxMessages   = 30
	maxMultiparts = 32
)

// Read makes a property tree of an RFC 5322 message. The whole message is held
// in memory, and so is the tree, of which long attachments are ranges of the
// message. A reader that has a method Size is believed.
func Read(r io.Reader) (*mapi.Message, error) {
	raw, err := readAll(r)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxSize {
		return nil, ErrTooLong
	}
	f := splitMessage(raw)
	if !f.header.isMail() {
		return nil, ErrNotMail
	}
	return f.message(0), nil
}

// readAll takes no more memory than the input has where that is known.
func readAll(r io.Reader) ([]byte, error) {
	limited := io.LimitReader(r, MaxSize+1)
	sized, ok := r.(interface{ Size() int64 })
	if !ok {
		return io.ReadAll(limited)
	}
	if sized.Size() > MaxSize {
		return nil, ErrTooLong
	}
	raw := make([]byte, max(sized.Size(), 0))
	n, err := io.ReadFull(limited, raw)
	if err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil
		}
		return raw[:n], err
	}
	more, err := io.ReadAll(limited)
	return append(raw, more...), err
}

// file is a message as it stands.
type file struct {
	raw         []byte // from the first field on
	header      header
	empty, body []byte // the line after the header, and the rest: the end of raw
	lf          bool   // the lines of the header end in LF alone
	dropped     int    // bytes before raw
}

// splitMessage is splitHeader for a whole file.
func splitMessage(all []byte) file {
	raw := bytes.TrimPrefix(all, []byte("\xEF\xBB\xBF"))
	raw = bytes.TrimLeft(raw, "\r\n")
	if !bytes.Contains(raw, []byte("\n")) {
		raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	}
	for bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) { // mbox
		_, raw = cutLine(raw)
	}
	f := file{raw: raw, dropped: len(all) - len(raw)}
	f.header, f.empty, f.body = splitHeader(raw)
	line, _ := cutLine(raw)
	f.lf = bytes.HasSuffix(line, []byte("\n")) && !bytes.HasSuffix(line, []byte("\r\n"))
	return f
}

// message makes the tree of the file.
func (f *file) message(depth int) *mapi.Message {
	key := sha256.Sum256(f.raw)
	root := newPart(f.header, f.body, len(f.empty), "text/plain")
	c := collector{depth: depth}
	c.root(root)
	c.finish()
	m := &mapi.Message{Recipients: recipients(f.header), Attachments: c.attachments}
	m.Properties = append(fieldProperties(f.header),
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"),
		mapi.NewText(mapi.PidTagTransportMessageHeaders, f.header.text()+"\r\n"),
		mapi.NewBinary(mapi.PidTagSearchKey, bytes.Clone(key[:16])),
	)
	m.Properties = append(m.Properties, c.bodies()...)
	applyNote(f.header, m)
	c.content.apply(m)
	if root.kind.kind == "multipart/signed" {
		sign(m, f)
	} else if s := f.skeleton(&c, m); s != nil {
		m.Properties = append(m.Properties, skeletonProperty(s))
	}
	m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, flags(f.header, m)))
	return m
}

// flags of a message as a file: read, unless its mail program says it is not.
func flags(h header, m *mapi.Message) int32 {
	f := mapi.FlagRead
	if status := h.get("status"); status != "" && !bytes.ContainsRune([]byte(status), 'R') {
		f = 0
	}
	if h.get("x-unsent") == "1" { // a draft of Outlook's
		f |= mapi.FlagUnsent
	}
	if m.HasAttachments() {
		f |= mapi.FlagHasAttach
	}
	return f
}
