package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"mailbrick/archive/wire"
)

// normal makes what Encode cannot tell apart the same: empty slices are nil.
func normal(b *Body) *Body {
	for i := range b.Sections {
		for k := range b.Sections[i].Versions {
			v := &b.Sections[i].Versions[k]
			v.Summary = append([]byte(nil), v.Summary...)
		}
	}
	for i := range b.Forgets {
		f := &b.Forgets[i]
		f.Versions, f.Snapshots = append([]VersionRef(nil), f.Versions...), append([]uint32(nil), f.Snapshots...)
	}
	if c := b.Condemn; c != nil {
		c.Packs, c.Fenced = append([][16]byte(nil), c.Packs...), append([][16]byte(nil), c.Fenced...)
		c.Buried = append([]Buried(nil), c.Buried...)
	}
	for i := range b.Holds {
		h := &b.Holds[i]
		h.Mailboxes, h.Items = append([]string(nil), h.Mailboxes...), append([]HeldItems(nil), h.Items...)
		for k := range h.Items {
			h.Items[k].IDs = append([][16]byte(nil), h.Items[k].IDs...)
		}
	}
	return b
}

func wantBack(t *testing.T, body *Body) {
	t.Helper()
	encoded := body.Encode()
	back, err := DecodeBody(encoded)
	if err != nil {
		t.Fatalf("%v: %+v", err, body)
	}
	if !reflect.DeepEqual(normal(back), normal(body)) {
		t.Fatalf("came back as\n%+v\nwas\n%+v", back, body)
	}
	if !bytes.Equal(back.Encode(), encoded) {
		t.Fatal("the encoding is not canonical")
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	wantBack(t, &Body{})
	wantBack(t, sample())
	wantBack(t, &Body{Packs: sample().Packs, Condemn: &Condemn{Packs: [][16]byte{{1}, {2}}, Fenced: [][16]byte{{3}}, Buried: []Buried{{[16]byte{9}, []byte{1, 2}}}},
		Forgets: []Forget{{Mailbox: "a", Reason: "r", Versions: []VersionRef{{[16]byte{4}, 7}, {[16]byte{5}, 1 << 31}}, Snapshots: []uint32{1, 300}}, {Mailbox: "b"}}})
	wantBack(t, &Body{Condemn: &Condemn{}})
	wantBack(t, &Body{Holds: []Hold{{Name: "n", Reason: "r", Query: "q", Position: 1 << 40, Mailboxes: []string{"a", "b"},
		Items: []HeldItems{{"a", [][16]byte{{1}, {2}}}, {Mailbox: "b"}}}, {Name: "m"}}, Releases: []Release{{"n", "over"}, {}}})
	rounds := 500
	if torture() {
		rounds = 100_000
	}
	r := &roller{rand.New(rand.NewPCG(1, 2))}
	for range rounds {
		wantBack(t, r.body())
	}
}

// roller rolls bodies.
type roller struct{ *rand.Rand }

func (r *roller) bytes() []byte {
	b := make([]byte, []int{0, 1, 3, 127, 128, 300}[r.IntN(6)])
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r *roller) text() string { return string(r.bytes()) }

func (r *roller) id() (id [16]byte) {
	copy(id[:], r.bytes())
	return id
}

func (r *roller) sum() (s [32]byte) {
	copy(s[:], r.bytes())
	return s
}

// many calls add up to three times.
func (r *roller) many(add func()) {
	for range r.IntN(4) {
		add()
	}
}

func (r *roller) body() *Body {
	b := &Body{}
	if r.IntN(2) == 0 {
		b.Begin = &Begin{r.id(), r.text()}
		b.Key = &KeyChange{1 + r.Uint32N(3), r.Uint32(), r.text(), r.text(), r.text(), r.sum()}
	} else {
		b.Writer = &Writer{r.sum(), r.text()}
	}
	inline := r.IntN(2) == 0
	r.many(func() {
		b.Packs = append(b.Packs, Pack{Name: r.id(), Salt: r.sum(), Size: r.Int64(), SHA256: r.sum(), Chunks: int(r.Uint32()), Generation: r.Uint32(), Inline: inline})
		inline = false
	})
	r.many(func() { b.Depends = append(b.Depends, r.id()) })
	r.many(func() { b.Sections = append(b.Sections, r.section()) })
	r.many(func() { b.Holds = append(b.Holds, r.hold()) })
	r.many(func() { b.Releases = append(b.Releases, Release{r.text(), r.text()}) })
	return b
}

func (r *roller) hold() Hold {
	h := Hold{Name: r.text(), Reason: r.text(), Query: r.text(), Position: r.Uint64()}
	r.many(func() { h.Mailboxes = append(h.Mailboxes, r.text()) })
	r.many(func() {
		group := HeldItems{Mailbox: r.text()}
		r.many(func() { group.IDs = append(group.IDs, r.id()) })
		h.Items = append(h.Items, group)
	})
	return h
}

func (r *roller) section() Section {
	s := Section{Mailbox: r.text(), Ordinal: r.Uint32(), Complete: r.IntN(2) == 0}
	r.many(func() { s.Folders = append(s.Folders, Folder{r.text(), r.text(), r.text(), r.text(), r.text()}) })
	r.many(func() { s.FoldersGone = append(s.FoldersGone, r.text()) })
	r.many(func() {
		s.Versions = append(s.Versions, Version{r.id(), r.text(), r.text(), r.text(), r.Int64(), r.sum(), r.IntN(2) == 0, r.id(), r.text(), r.bytes()})
	})
	r.many(func() { s.Gone = append(s.Gone, r.id()) })
	r.many(func() {
		c := Cursor{Key: r.text()}
		if r.IntN(3) > 0 {
			c.Value = r.bytes()
		}
		s.Cursors = append(s.Cursors, c)
	})
	return s
}

// entry is an entry of any kind with any payload.
func entry(kind uint64, payload []byte) []byte {
	return wire.AppendBytes(wire.AppendUvarint(nil, kind), payload)
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	t.Parallel()
	section := entry(kindSection, wire.AppendUvarint(wire.AppendBytes(nil, "m"), 1))
	flagged := (&Version{}).Append(nil)
	flagged[16+3+1+32+16] = 4 // id, three empty texts, size, SHA-256, recipe, flags
	cursor := wire.AppendBytes(wire.AppendUvarint(wire.AppendBytes(nil, "k"), 2), "v")
	for _, tt := range []struct {
		name string
		body []byte
		want error
	}{
		{"kind 0", entry(0, nil), ErrUnknownEntry},
		{"kind of the future", entry(97, nil), ErrUnknownEntry},
		{"change of the key", entry(kindKey, make([]byte, 37)), ErrUnknownEntry},
		{"change of the key cut short", entry(kindKey, make([]byte, 36)), ErrDamaged},
		{"kind of the future in a section", append(bytes.Clone(section), entry(99, []byte("x"))...), ErrUnknownEntry},
		{"version's flags", append(bytes.Clone(section), entry(kindVersion, flagged)...), ErrUnknownEntry},
		{"cursor's form", append(bytes.Clone(section), entry(kindCursor, cursor)...), ErrUnknownEntry},
		{"snapshot's form", append(bytes.Clone(section), entry(kindComplete, []byte{1})...), ErrUnknownEntry},
		{"version without a section", entry(kindVersion, (&Version{}).Append(nil)), ErrDamaged},
		{"bytes left in an entry", entry(kindDepends, make([]byte, 17)), ErrDamaged},
		{"entry cut short", entry(kindDepends, make([]byte, 15)), ErrDamaged},
		{"body cut short", section[:len(section)-1], ErrDamaged},
		{"pack in a place of the future", append((&Body{Packs: []Pack{{}}}).Encode()[:2+16+32+1+32+2], 2), ErrUnknownEntry},
		{"two packs in one record", (&Body{Packs: []Pack{{Inline: true}, {Inline: true}}}).Encode(), ErrDamaged},
		{"two condemnations", append((&Body{Condemn: &Condemn{}}).Encode(), (&Body{Condemn: &Condemn{}}).Encode()...), ErrDamaged},
		{"more versions forgotten than there is room", entry(kindForget, append(make([]byte, 2), 0xff, 0xff, 0xff, 0x7f)), ErrDamaged},
		{"more packs condemned than there is room", entry(kindCondemn, []byte{0xff, 0xff, 0x7f}), ErrDamaged},
		{"more held than there is room", entry(kindHold, append(make([]byte, 5), 0xff, 0xff, 0x7f)), ErrDamaged},
		{"kind without payload", []byte{1}, ErrDamaged},
	} {
		_, err := DecodeBody(tt.body)
		if !errors.Is(err, tt.want) || errors.Is(err, ErrDamaged) && errors.Is(err, ErrUnknownEntry) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := DecodeBody(entry(77, nil)); err == nil || !bytes.Contains([]byte(err.Error()), []byte("77")) {
		t.Errorf("the unknown kind is not named: %v", err)
	}
}

func FuzzDecodeBody(f *testing.F) {
	r := &roller{rand.New(rand.NewPCG(3, 4))}
	f.Add(sample().Encode())
	f.Add([]byte{})
	for range 10 {
		f.Add(r.body().Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := DecodeBody(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnknownEntry) {
				t.Fatal(err)
			}
			return
		}
		again, err := DecodeBody(body.Encode())
		if err != nil || !bytes.Equal(again.Encode(), body.Encode()) {
			t.Fatalf("a body that was read does not come back: %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	j := open(f, memory(), 1)
	d, err := j.seal(signer(1), Head{}, sample().Encode(), noon(0))
	if err != nil {
		f.Fatal(err)
	}
	data := d.data
	f.Add(data)
	f.Add(data[:200])
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := j.open(1, b)
		if err == nil && !bytes.Equal(b, data) || err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
	})
}
