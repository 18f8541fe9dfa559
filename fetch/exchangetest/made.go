package exchangetest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// made are items of a folder that nobody holds: their ids, change keys, lines of
// the log and streams are computed when they are asked for. One that is changed is
// an item like others from then on.
type made struct {
	first  uint64 // counter of the first; the others follow
	number uint64 // of the change that made the first; the others follow
	n      uint64
	size   int64
	begin  time.Time // of the first
}

// Make fills the mailbox of that address with folders below the inbox ("Made 1",
// ...) of so many items each, of size bytes (0: about 1 KiB), which take no
// memory and no time to load: a million of them, or one of 250 MB. Listings
// (FindItem, Graph's items) compute all the items of a folder; synchronizations only those they tell.
func (s *Server) Make(addr string, folders, items int, size int64) error {
	if folders < 1 || items < 1 || size < 0 || size > math.MaxInt32 || int64(folders)*int64(items) > 1<<40 {
		return errors.New("make items: a number is out of range")
	}
	m := s.AddMailbox(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range folders {
		f := m.addFolder(m.special["inbox"], fmt.Sprintf("Made %d", i+1), "IPF.Note")
		f.changes.made = made{first: m.object + 1, number: m.number + 1, n: uint64(items), size: max(size, 1<<10),
			begin: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
		m.object += uint64(items)
		m.number += uint64(items)
		m.made = append(m.made, f)
		m.bump(f)
	}
	return nil
}

// line is the change that made the i-th.
func (d made) line(i int) change {
	number := d.number + uint64(i)
	return change{number: number, object: d.first + uint64(i), kind: changeCreate, chain: (d.first ^ number) * 0x9E3779B97F4A7C15}
}

// madeItem computes an item; nil if there is none of that counter. The mailbox is locked.
func (m *Mailbox) madeItem(counter uint64) *item {
	at := sort.Search(len(m.made), func(i int) bool { return m.made[i].changes.made.first > counter }) - 1
	if at < 0 || m.goneMade[counter] {
		return nil
	}
	f := m.made[at]
	d := f.changes.made
	if counter-d.first >= d.n || m.folders[f.counter] != f {
		return nil
	}
	number := d.number + counter - d.first
	rev := newRevision(madeSource{counter - d.first, counter, d.size, d.begin, m}, "IPM.Note", d.size, true)
	rev.number = number
	return &item{counter: counter, folder: f, created: number, content: number, changed: number, rev: rev}
}

// itemsOf are all items of a folder, by created. The mailbox is locked.
func (m *Mailbox) itemsOf(f *folder) []*item {
	d := f.changes.made
	if d.n == 0 {
		return f.items
	}
	list := make([]*item, 0, d.n+uint64(len(f.items)))
	for i := range d.n {
		if it := m.item(d.first + i); it != nil && it.folder == f {
			list = append(list, it)
		}
	}
	return append(list, f.items...)
}

// keepMade makes an item that is to be changed one that is held. The mailbox is locked.
func (m *Mailbox) keepMade(it *item) {
	if it.isMade() {
		m.items[it.counter] = it
	}
}

// dropMade takes away a made item.
func (m *Mailbox) dropMade(it *item) {
	if m.goneMade == nil {
		m.goneMade = map[uint64]bool{}
	}
	m.goneMade[it.counter] = true
	it.folder.madeGone++
	delete(m.items, it.counter)
}

// isMade says whether it is one of its folder's made items, changed or not.
func (it *item) isMade() bool {
	d := it.folder.changes.made
	return d.n > 0 && it.counter >= d.first && it.counter-d.first < d.n
}

// madeSource is the content of a made item.
type madeSource struct {
	index   uint64 // in its folder
	counter uint64
	size    int64
	begin   time.Time
	mailbox *Mailbox
}

// open encodes while it is read.
func (s madeSource) open() (io.ReadCloser, error) {
	m, err := s.message(math.MaxInt64)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(fasttransfer.Encode(w, m, fasttransfer.EncodeOptions{})) }() // ends at the latest when r is closed
	return r, nil
}

// message has an attachment that makes it as long as it is, whose bytes are computed.
func (s madeSource) message(int64) (*mapi.Message, error) {
	at := s.begin.Add(time.Duration(s.index) * time.Minute)
	subject := fmt.Sprintf("Made %d", s.index)
	m := &mapi.Message{Properties: mapi.Bag{
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"),
		mapi.NewText(mapi.PidTagSubject, subject),
		mapi.NewText(mapi.PidTagNormalizedSubject, subject),
		mapi.NewText(mapi.PidTagInternetMessageID, fmt.Sprintf("<%d.%s@made.example>", s.counter, s.mailbox.guid)),
		mapi.NewText(mapi.PidTagBody, "This item is made when it is asked for.\r\n"),
	}}
	stamp(m, searchKey("made", s.mailbox.guid.String(), fmt.Sprint(s.counter)), at)
	setRead(m, true)
	const head = 900 // about what the stream has without the attachment
	if s.size > head+100 {
		data := mapi.NewBinary(0x3701, nil) // PidTagAttachDataBinary
		data.Data, data.Size = nil, s.size-head
		data.Large = io.NewSectionReader(pattern(s.counter), 0, data.Size)
		m.Attachments = []mapi.Attachment{{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, 1),
			mapi.NewText(mapi.PidTagAttachLongFilename, "made.bin"), data}}}
	}
	return m, nil
}

func (s madeSource) edited(edit func(*mapi.Message)) (source, error) {
	m, err := s.message(math.MaxInt64)
	if err != nil {
		return nil, err
	}
	edit(m)
	return editedSource{m}, nil
}

// editedSource is a made item that was changed.
type editedSource struct{ m *mapi.Message }

func (s editedSource) message(int64) (*mapi.Message, error) { return s.m, nil }

func (s editedSource) open() (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(fasttransfer.Encode(w, s.m, fasttransfer.EncodeOptions{})) }()
	return r, nil
}

func (s editedSource) edited(edit func(*mapi.Message)) (source, error) {
	c := mapi.Message{Properties: append(mapi.Bag(nil), s.m.Properties...), Recipients: s.m.Recipients, Attachments: s.m.Attachments}
	edit(&c)
	return editedSource{&c}, nil
}

// pattern is an endless run of bytes, another for each seed, that does not compress.
type pattern uint64

// ReadAt computes the bytes: eight for each offset that eight divides.
func (p pattern) ReadAt(b []byte, off int64) (int, error) {
	for i := range b {
		at := uint64(off) + uint64(i)
		v := (at/8 + uint64(p)*0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9
		v ^= v >> 29
		b[i] = byte(v * 0x94D049BB133111EB >> (8 * (at % 8)))
	}
	return len(b), nil
}
