package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mbox"
)

// mboxFile is an mbox file as a folder. A message has no name there: its id is a digest of it, so that it stays the same
// when others are added or taken away, and the number among its equals.
type mboxFile struct {
	root     *os.Root
	path, id string
	file     *os.File
}

func (b *mboxFile) list(ctx context.Context) ([]entry, error) {
	f, err := plainFile(b.root, b.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var out []entry
	equals := map[string]int{}
	r := mbox.NewReader(f, info.Size())
	for {
		at, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d := newDigest()
		n, err := io.Copy(d, r)
		if err != nil {
			return nil, err
		}
		id, key := d.sum()
		if equals[id]++; equals[id] > 1 {
			id = fmt.Sprintf("%s-%d", id, equals[id])
		}
		out = append(out, entry{Ref: Ref{ItemID: b.id + inside + id, ChangeKey: key, Size: n}, offset: at.Offset})
	}
}

func (b *mboxFile) open(e entry, out *spool) (io.Reader, Ref, error) {
	f, err := plainFile(b.root, b.path)
	if err != nil {
		return nil, e.Ref, err
	}
	b.file = f
	info, err := f.Stat()
	if err != nil {
		return nil, e.Ref, err
	}
	size := max(0, info.Size()-e.offset)
	r := mbox.NewReader(io.NewSectionReader(f, e.offset, size), size)
	if _, err := r.Next(); err != nil {
		return nil, e.Ref, ErrGone // the file was written anew: the next list says what is where
	}
	d := newDigest()
	m, err := eml.Read(sized{io.TeeReader(r, d), e.Size})
	if err != nil && !errors.Is(err, eml.ErrNotMail) {
		return nil, e.Ref, fmt.Errorf("message at byte %d: %w", e.offset, err)
	}
	got := e.Ref
	id, key := d.sum()
	if got.ChangeKey = key; !strings.HasPrefix(e.ItemID, b.id+inside+id) {
		return nil, e.Ref, ErrGone
	}
	if err != nil {
		return nil, got, fmt.Errorf("message at byte %d: %w", e.offset, err)
	}
	if err := out.encode(m); err != nil {
		return nil, got, err
	}
	return out.reader(), got, nil
}

// sized is a reader of about so many bytes.
type sized struct {
	io.Reader
	size int64
}

func (s sized) Size() int64 { return s.size }

func (b *mboxFile) close() {
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}

func (b *mboxFile) leave() {}

// digest tells a message and its state apart: mail programs write the state into the header.
type digest struct {
	message, state hash.Hash
	line           []byte // of the header, as far as it has come
	amid           bool   // line is not the beginning of one
	inBody         bool
	volatile       bool // the field at hand is of the state
}

func newDigest() *digest { return &digest{message: sha256.New(), state: sha256.New()} }

// stateFields are what mail programs write into messages while they lie in an mbox.
var stateFields = [...]string{"status:", "x-status:", "x-keywords:", "x-uid:", "x-imap:", "x-imapbase:", "content-length:", "lines:",
	"x-mozilla-status:", "x-mozilla-status2:", "x-mozilla-keys:"}

// longLine is more than any line of a state has.
const longLine = 64 << 10

func (d *digest) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !d.inBody {
		end := bytes.IndexByte(p, '\n') + 1
		whole := end > 0
		if !whole {
			end = len(p)
		}
		d.line = append(d.line, p[:end]...)
		p = p[end:]
		if whole || len(d.line) > longLine {
			d.headerLine()
			d.amid = !whole
		}
	}
	d.message.Write(p)
	return n, nil
}

func (d *digest) headerLine() {
	line := d.line
	d.line = d.line[:0]
	if !d.amid && line[0] != ' ' && line[0] != '\t' {
		d.volatile = isState(line)
	}
	if d.volatile {
		d.state.Write(line)
		return
	}
	d.message.Write(line)
	d.inBody = !d.amid && len(bytes.TrimRight(line, "\r\n")) == 0
}

func isState(line []byte) bool {
	for _, f := range stateFields {
		if len(line) >= len(f) && strings.EqualFold(string(line[:len(f)]), f) {
			return true
		}
	}
	return false
}

// sum ends the digest.
func (d *digest) sum() (message, state string) {
	if len(d.line) > 0 {
		d.headerLine()
	}
	return hex.EncodeToString(d.message.Sum(nil)[:16]), hex.EncodeToString(d.state.Sum(nil)[:8])
}
