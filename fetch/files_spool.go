package fetch

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// spoolBytes is how much of a message that is being made is kept in memory.
const spoolBytes = 4 << 20

// spool takes a message as an export stream: what is wrong with it must be known before its first byte is read. Long ones
// lie in a temporary file.
type spool struct {
	dir  string
	mem  bytes.Buffer
	file *os.File
	odd  []string // about the message
	err  error    // of the spool itself, not of a message
}

// encode makes an export stream of a message. Equal messages give equal bytes. What no stream can carry is left out and told.
func (s *spool) encode(m *mapi.Message) error {
	m, dropped := fasttransfer.Encodable(m)
	for _, tag := range dropped {
		s.odd = append(s.odd, fmt.Sprintf("property %v is damaged and left out", tag))
	}
	if err := fasttransfer.Encode(s, m, fasttransfer.EncodeOptions{}); err != nil {
		return err
	}
	if s.file != nil {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

func (s *spool) fail(err error) error {
	s.err = fmt.Errorf("temporary file of a message: %w", err)
	return s.err
}

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil {
		if s.mem.Len()+len(p) <= spoolBytes {
			return s.mem.Write(p)
		}
		f, err := os.CreateTemp(s.dir, "mailbrick-message-")
		if err != nil {
			return 0, s.fail(err)
		}
		s.file = f
		if _, err := f.Write(s.mem.Bytes()); err != nil {
			return 0, s.fail(err)
		}
	}
	n, err := s.file.Write(p)
	if err != nil {
		err = s.fail(err)
	}
	return n, err
}

// reader gives what encode made, once.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return s.file
	}
	return bytes.NewReader(s.mem.Bytes())
}

// reset makes room for the next message.
func (s *spool) reset() {
	s.mem.Reset()
	s.err, s.odd = nil, nil
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
		s.file = nil
	}
}
