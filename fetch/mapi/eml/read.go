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

// Messages and parts nested deeper than this stay attachments by value. An
// export stream takes 32 messages.
const (
	maxMessages   = 30
	maxMultiparts = 32
)

// Read makes a property tree of an RFC 5322 message. The whole message is held
// in memory, as the tree it makes is.
func Read(r io.Reader) (*mapi.Message, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	h, body := splitMessage(raw)
	if !h.isMail() {
		return nil, ErrNotMail
	}
	return message(raw, h, body, 0), nil
}

// splitMessage is splitHeader for a whole file.
func splitMessage(raw []byte) (header, []byte) {
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	raw = bytes.TrimLeft(raw, "\r\n")
	if !bytes.Contains(raw, []byte("\n")) {
		raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	}
	for bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) { // mbox
		_, raw = cutLine(raw)
	}
	return splitHeader(raw)
}

// message makes the tree of a message whose input is raw.
func message(raw []byte, h header, body []byte, depth int) *mapi.Message {
	key := sha256.Sum256(raw)
	c := collector{depth: depth}
	c.root(newPart(h, body, "text/plain"))
	b := fieldProperties(h)
	b = append(b,
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"),
		mapi.NewText(mapi.PidTagTransportMessageHeaders, h.text()+"\r\n"),
		mapi.NewBinary(mapi.PidTagSearchKey, bytes.Clone(key[:16])),
	)
	m := &mapi.Message{Recipients: recipients(h), Attachments: c.finish()}
	b = append(b, c.bodies()...)
	b = append(b, mapi.NewInt32(mapi.PidTagMessageFlags, flags(h, m)))
	m.Properties = b
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
