package index

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"testing"
	"testing/iotest"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// memoryLog is a journal and its blobs in memory.
type memoryLog struct {
	changes []archive.Change
	blobs   map[[32]byte][]byte
	opened  int
	fails   func(archive.ID) error // instead of a blob
	cut     map[[32]byte]error     // comes after half of the blob
}

func newLog() *memoryLog { return &memoryLog{blobs: map[[32]byte][]byte{}} }

func (l *memoryLog) Head() uint64 {
	if len(l.changes) == 0 {
		return 0
	}
	return l.changes[len(l.changes)-1].Position
}

func (l *memoryLog) Changes(ctx context.Context, after uint64) iter.Seq2[archive.Change, error] {
	return func(yield func(archive.Change, error) bool) {
		for _, c := range l.changes {
			if c.Position > after && !yield(c, ctx.Err()) {
				return
			}
		}
	}
}

func (l *memoryLog) OpenBlob(_ context.Context, v *archive.Version) (io.ReadCloser, error) {
	l.opened++
	if l.fails != nil {
		if err := l.fails(v.ID); err != nil {
			return nil, err
		}
	}
	b, ok := l.blobs[v.SHA256]
	if !ok {
		return nil, fmt.Errorf("blob %x: %w", v.SHA256[:4], archive.ErrDamaged)
	}
	if err := l.cut[v.SHA256]; err != nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(b[:len(b)/2]), iotest.ErrReader(err))), nil
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// letter is a message as tests write it down.
type letter struct {
	class, subject, body string
	from                 mapi.Address
	to, cc, bcc          []mapi.Address
	sent, received       time.Time
	read                 bool
	attachments          []string
	data                 string // of each attachment
	id                   string // Message-ID
}

func person(name, email string) mapi.Address { return mapi.Address{Name: name, Email: email} }

func (l *letter) message() *mapi.Message {
	m := &mapi.Message{}
	class := l.class
	if class == "" {
		class = "IPM.Note"
	}
	flags := int32(0)
	if l.read {
		flags = mapi.FlagRead
	}
	m.Properties = mapi.Bag{
		mapi.NewText(mapi.PidTagMessageClass, class), mapi.NewText(mapi.PidTagSubject, l.subject),
		mapi.NewText(mapi.PidTagBody, l.body), mapi.NewText(mapi.PidTagInternetMessageID, l.id),
		mapi.NewInt32(mapi.PidTagMessageFlags, flags),
	}
	if l.from != (mapi.Address{}) {
		m.Properties = append(m.Properties, mapi.NewText(mapi.PidTagSentRepresentingName, l.from.Name),
			mapi.NewText(mapi.PidTagSentRepresentingSMTPAddress, l.from.Email))
	}
	if !l.sent.IsZero() {
		m.Properties = append(m.Properties, mapi.NewTime(mapi.PidTagClientSubmitTime, l.sent))
	}
	if !l.received.IsZero() {
		m.Properties = append(m.Properties, mapi.NewTime(mapi.PidTagMessageDeliveryTime, l.received))
	}
	for kind, list := range map[int32][]mapi.Address{mapi.RecipientTo: l.to, mapi.RecipientCc: l.cc, mapi.RecipientBcc: l.bcc} {
		for _, a := range list {
			m.Recipients = append(m.Recipients, mapi.Bag{mapi.NewInt32(mapi.PidTagRecipientType, kind),
				mapi.NewText(mapi.PidTagDisplayName, a.Name), mapi.NewText(mapi.PidTagSMTPAddress, a.Email)})
		}
	}
	for _, name := range l.attachments {
		m.Attachments = append(m.Attachments, mapi.Attachment{Properties: mapi.Bag{
			mapi.NewText(mapi.PidTagAttachLongFilename, name), mapi.NewBinary(mapi.PidTagAttachData, []byte(l.data)),
			mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue)}})
	}
	return m
}

// version makes a version of a letter, and keeps its blob.
func (l *memoryLog) version(t testing.TB, mailbox string, id byte, from uint32, folder string, size int64, m *letter) *archive.Version {
	t.Helper()
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m.message(), fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	s := mapi.Summarize(m.message())
	s.Size = size
	v := &archive.Version{Mailbox: mailbox, ID: archive.ID{id}, From: from, To: archive.Forever, Folder: folder, FolderID: "id of " + folder,
		Size: int64(b.Len()), SHA256: sha256.Sum256(b.Bytes()), Summary: s.Encode()}
	l.blobs[v.SHA256] = b.Bytes()
	return v
}

// add appends a version that begins, at a position.
func (l *memoryLog) add(position uint64, v *archive.Version) {
	l.changes = append(l.changes, archive.Change{Position: position, Mailbox: v.Mailbox, Added: v})
}

// end appends the end of an item.
func (l *memoryLog) end(position uint64, mailbox string, id byte, at uint32) {
	l.changes = append(l.changes, archive.Change{Position: position, Mailbox: mailbox, Ended: &archive.Ended{ID: archive.ID{id}, At: at}})
}

// testClock is a Wednesday.
func testClock() time.Time { return time.Date(2021, 5, 12, 15, 4, 5, 0, time.UTC) }

func openTest(t testing.TB, dir string, o Options) *Index {
	t.Helper()
	if o.Clock == nil {
		o.Clock = testClock
	}
	x, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

func follow(t testing.TB, x *Index, log Log) {
	t.Helper()
	if err := x.Follow(context.Background(), log, nil); err != nil {
		t.Fatal(err)
	}
}

// found gives "mailbox/first byte of id@from" of all hits, in order.
func found(t testing.TB, x *Index, q Query) []string {
	t.Helper()
	list := []string{}
	for h, err := range x.Search(context.Background(), q) {
		if err != nil {
			t.Fatalf("%s: %v", q.Text, err)
		}
		list = append(list, fmt.Sprintf("%s/%d@%d", h.Mailbox, h.ID[0], h.From))
	}
	n, err := x.Count(context.Background(), q)
	if err != nil || q.Limit == 0 && n != len(list) {
		t.Fatalf("%s: counted %d, found %d, %v", q.Text, n, len(list), err)
	}
	return list
}
