package eml

import (
	"errors"
	"io"

	"mailbrick/fetch/mapi"
)

// ErrNotMail says that the input has no mail header.
var ErrNotMail = errors.New("not a mail message")

// Read makes a property tree of an RFC 5322 message.
func Read(r io.Reader) (*mapi.Message, error) { return nil, errors.New("not written yet") }
