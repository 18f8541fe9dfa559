package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
	"mailbrick/fetch/mapi/vcard"
)

// bundleForm is a format of files that hold many items in text.
type bundleForm struct {
	class string // of the folder that such a file is
	split func([]byte) ([][]byte, error)
	apply func(*mapi.Message, []byte) error
	lost  func([]byte) []string
}

func calendarForm() bundleForm {
	return bundleForm{"IPF.Appointment", calendar.Split, calendar.Apply, calendar.Lost}
}

func cardForm() bundleForm {
	return bundleForm{"IPF.Contact", vcard.Split, vcard.Apply, lostOfCard}
}

// lostOfCard leaves out what the item is known by.
func lostOfCard(part []byte) []string {
	return slices.DeleteFunc(vcard.Lost(part), func(name string) bool { return name == "UID" })
}

// bundle is a calendar or a file of cards as a folder. An item's id is a digest of its UID, of all of it where it has none,
// and the number among its equals.
type bundle struct {
	bundleForm
	root     *os.Root
	path, id string
}

// maxBundle is the longest file: it is held in memory.
const maxBundle = 64 << 20

func (b *bundle) list(ctx context.Context) ([]entry, error) {
	parts, err := b.parts()
	if err != nil {
		return nil, err
	}
	equals := map[string]int{}
	out := make([]entry, 0, len(parts))
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		whole := sha256.Sum256(part)
		name := whole
		if uid := uidOf(part); uid != "" {
			name = sha256.Sum256([]byte(uid))
		}
		id := hex.EncodeToString(name[:16])
		if equals[id]++; equals[id] > 1 {
			id = fmt.Sprintf("%s-%d", id, equals[id])
		}
		out = append(out, entry{part: part, Ref: Ref{ItemID: b.id + inside + id, ChangeKey: hex.EncodeToString(whole[:8]), Size: int64(len(part))}})
	}
	return out, nil
}

// parts are the items of the file, none of an empty one.
func (b *bundle) parts() ([][]byte, error) {
	f, err := plainFile(b.root, b.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBundle+1))
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil, err
	}
	if len(data) > maxBundle {
		return nil, fmt.Errorf("more than %d bytes of events or cards", maxBundle)
	}
	return b.split(data)
}

// open makes the item of what was listed: it needs no second look at the file.
func (b *bundle) open(e entry, out *spool) (io.Reader, Ref, error) {
	m := &mapi.Message{}
	if err := b.apply(m, e.part); err != nil {
		return nil, e.Ref, err
	}
	m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, mapi.FlagRead))
	if lost := b.lost(e.part); len(lost) > 0 {
		out.odd = append(out.odd, "there is no property for "+strings.Join(lost, ", "))
	}
	err := out.encode(m)
	return out.reader(), e.Ref, err
}

func (b *bundle) close() {}

func (b *bundle) leave() {}

// uidOf is the first UID of an event or a card, "" without one. It names and is not shown: how it is written does not matter.
func uidOf(part []byte) string {
	var uid []byte
	found := false
	for line := range bytes.Lines(part) {
		line = bytes.TrimRight(line, "\r\n")
		switch folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t'); {
		case found && folded:
			uid = append(uid, line[1:]...)
		case found:
			return string(bytes.TrimSpace(uid))
		case !folded && isUID(line):
			_, value, _ := bytes.Cut(line, []byte(":"))
			uid, found = append(uid, value...), true
		}
	}
	return string(bytes.TrimSpace(uid))
}

// isUID: a line of a card may have a group before its name.
func isUID(line []byte) bool {
	name := line[:max(0, bytes.IndexAny(line, ":;"))]
	return bytes.EqualFold(name[bytes.LastIndexByte(name, '.')+1:], []byte("UID"))
}
