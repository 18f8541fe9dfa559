package eml

import (
	"errors"
	"io"

	"mailbrick/fetch/mapi"
)

// Write makes an RFC 5322 message of a property tree.
func Write(w io.Writer, m *mapi.Message) error { return errors.New("not written yet") }
