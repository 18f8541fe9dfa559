package fasttransfer

import (
	"errors"
	"io"

	"mailbrick/fetch/mapi"
)

// EncodeOptions: the zero value works.
type EncodeOptions struct {
	Version [6]byte // of the exporting server as in TellPartnerVersion; zero: a fixed recent one
}

// Encode writes m as Exchange exports a message.
func Encode(w io.Writer, m *mapi.Message, o EncodeOptions) error {
	return errors.New("not written yet")
}
