package restore

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestDigestsOfStretches(t *testing.T) {
	t.Parallel()
	d := newDigester()
	data := make([]byte, 10000)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data)
	whole := d.extend(0, data)
	if got := d.extend(d.extend(0, data[:777]), data[777:]); got != whole {
		t.Errorf("in two pieces %x, want %x", got, whole)
	}
	spool := newDigestSpool(d)
	for _, n := range []int{1, 5000, 999, 4000} {
		if _, err := spool.WriteAt(data[spool.end:][:n], spool.end); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := spool.between(1, 5999); !ok || got != d.extend(0, data[1:6000]) {
		t.Errorf("a stretch: %x %v, want %x", got, ok, d.extend(0, data[1:6000]))
	}
	if _, ok := spool.between(2, 10); ok {
		t.Error("digest of a stretch that was never written by itself")
	}
	if _, err := spool.WriteAt(data, 3); err == nil {
		t.Error("written out of order")
	}
	data[9999]++
	if d.extend(0, data) == whole {
		t.Error("another byte, the same digest")
	}
}

// sample has something of everything, long values too.
func sample() *mapi.Message {
	long := bytes.Repeat([]byte("long value "), 9000)
	inner := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "inner"), mapi.NewBinary(mapi.PidTagHTML, long)}}
	return &mapi.Message{
		Properties: mapi.Bag{
			mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"),
			mapi.NewText(mapi.PidTagSubject, "subject"),
			mapi.NewInt32(mapi.PidTagMessageFlags, mapi.FlagRead),
			mapi.NewText(mapi.PidTagBody, strings.Repeat("body", 3000)),
			mapi.NewBinary(mapi.PidTagSearchKey, []byte("key")),
			mapi.NewInt64(0x3008, 5),
			mapi.NewNamedTexts(mapi.NameCategories(), []string{"red", strings.Repeat("green", 1000), "blue"}),
		},
		Recipients: []mapi.Bag{{mapi.NewText(mapi.PidTagDisplayName, "Ann"), mapi.NewInt32(mapi.PidTagRowid, 0)}, {mapi.NewText(mapi.PidTagDisplayName, "Bob")}},
		Attachments: []mapi.Attachment{
			{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachNumber, 0), mapi.NewBinary(mapi.PidTagAttachData, long)}},
			{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachNumber, 1)}, Embedded: inner},
		},
	}
}

func encoded(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// reframed cuts the stream of a blob into records of n bytes.
func reframed(blob []byte, n int) []byte {
	var head, stream []byte
	for len(blob) > 0 {
		end := 8 + int(binary.LittleEndian.Uint32(blob[4:]))
		if blob[0] == 2 {
			stream = append(stream, blob[8:end]...)
		} else {
			head = append(head, blob[:end]...)
		}
		blob = blob[end:]
	}
	for part := range slices.Chunk(stream, n) {
		head = binary.LittleEndian.AppendUint32(append(head, 2, 0, 0, 0), uint32(len(part)))
		head = append(head, part...)
	}
	return head
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	categories := mapi.NameCategories()
	for _, row := range []struct {
		name string
		edit func(*mapi.Message)
		want []string
	}{
		{"nothing", func(*mapi.Message) {}, nil},
		{"a property", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagSubject, "Subject")) }, []string{"0x0037"}},
		{"its type", func(m *mapi.Message) { m.Properties.Set(mapi.NewBinary(mapi.PidTagSubject, m.Properties[1].Data)) }, []string{"0x0037"}},
		{"the other type of the same string", func(m *mapi.Message) { m.Properties[1].Tag = mapi.MakeTag(mapi.PidTagSubject, mapi.TypeUnicode) }, nil},
		{"one too many", func(m *mapi.Message) { m.Properties.Set(mapi.NewInt32(mapi.PidTagImportance, 2)) }, []string{"0x0017"}},
		{"one missing", func(m *mapi.Message) { m.Properties.Remove(mapi.PidTagSearchKey) }, []string{"0x300B"}},
		{"a byte of a long value", func(m *mapi.Message) {
			data := slices.Clone(m.Attachments[0].Properties[1].Data)
			data[70000] ^= 1
			m.Attachments[0].Properties[1].Data = data
		}, []string{"attachment 1/0x3701"}},
		{"bytes of a long value changed places", func(m *mapi.Message) {
			data := m.Properties[3].Data
			m.Properties[3].Data = append(slices.Clone(data[8:]), data[:8]...)
		}, []string{"0x1000"}},
		{"order of properties", func(m *mapi.Message) { slices.Reverse(m.Attachments[0].Properties) }, nil},
		{"the number of a named property", func(m *mapi.Message) { m.Properties[6].Tag += 7 << 16 }, nil},
		{"a member of a list", func(m *mapi.Message) {
			m.Properties.Set(mapi.NewNamedTexts(categories, []string{"red", strings.Repeat("green", 1000), "blue!"}))
		}, []string{categories.String()}},
		{"modification time", func(m *mapi.Message) { m.Properties.Set(mapi.NewInt64(0x3008, 9)) }, nil},
		{"a row id", func(m *mapi.Message) { m.Recipients[0].Set(mapi.NewInt32(mapi.PidTagRowid, 7)) }, nil},
		{"the same id where it means something", func(m *mapi.Message) { m.Properties.Set(mapi.NewInt32(mapi.PidTagRowid, 7)) }, []string{"0x3000"}},
		{"a recipient", func(m *mapi.Message) { m.Recipients[1].Set(mapi.NewText(mapi.PidTagDisplayName, "Rob")) }, []string{"recipient 2/0x3001"}},
		{"a recipient too many", func(m *mapi.Message) {
			m.Recipients = append(m.Recipients, mapi.Bag{mapi.NewText(mapi.PidTagDisplayName, "Eve"), mapi.NewInt32(mapi.PidTagRecipientType, 1)})
		}, []string{"recipient 3"}},
		{"a recipient of whom nothing is known", func(m *mapi.Message) { m.Recipients = append(m.Recipients, mapi.Bag{}) }, []string{"recipient 3"}},
		{"an attachment with nothing in it", func(m *mapi.Message) {
			m.Attachments = append(m.Attachments, mapi.Attachment{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachNumber, 2)}})
		}, []string{"attachment 3"}},
		{"a message with nothing in it", func(m *mapi.Message) { m.Attachments[0].Embedded = &mapi.Message{} }, []string{"attachment 1/message"}},
		{"no attachments", func(m *mapi.Message) { m.Attachments = nil }, []string{"attachment 1", "attachment 2", "attachment 2/message"}},
		{"within the embedded message", func(m *mapi.Message) {
			m.Attachments[1].Embedded.Properties.Set(mapi.NewText(mapi.PidTagSubject, "other"))
		}, []string{"attachment 2/message/0x0037"}},
		{"the read flag", func(m *mapi.Message) { m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, 0)) }, []string{"0x0E07"}},
		{"flags that the server computes", func(m *mapi.Message) {
			m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, mapi.FlagRead|mapi.FlagHasAttach|mapi.FlagUnmodified|0x400))
		}, nil},
		{"flags that it does not", func(m *mapi.Message) {
			m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, mapi.FlagRead|mapi.FlagUnsent))
		}, []string{"0x0E07"}},
		{"the same property twice", func(m *mapi.Message) {
			m.Properties = slices.Insert(m.Properties, 2, mapi.NewText(mapi.PidTagSubject, "subject"))
		}, []string{"0x0037"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v := newViewer()
			m := sample()
			sent, err := v.look(bytes.NewReader(encoded(t, m)))
			if err != nil || sent.state != fasttransfer.Complete {
				t.Fatal(sent.state, err)
			}
			row.edit(m)
			blob := encoded(t, m)
			for _, r := range []io.Reader{bytes.NewReader(blob), iotest.OneByteReader(bytes.NewReader(reframed(blob, 1000)))} {
				held, err := v.look(r)
				if err != nil || held.state != fasttransfer.Complete {
					t.Fatal(held.state, held.reason, err)
				}
				if got := differences(sent, held, true); !slices.Equal(got, row.want) {
					t.Errorf("have %q, want %q", got, row.want)
				}
			}
		})
	}
}

func TestDifferencesOfUnparsed(t *testing.T) {
	t.Parallel()
	v := newViewer()
	good := encoded(t, sample())
	bad := slices.Clone(good)
	bad[70], bad[71] = 0x77, 0x77 // the type of the first property
	other := slices.Clone(bad)
	other[len(other)-1] ^= 1
	look := func(blob []byte) *sight {
		s, err := v.look(bytes.NewReader(blob))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, row := range []struct {
		name       string
		sent, held []byte
		want       int
	}{
		{"the same", bad, bad, 0},
		{"another byte", bad, other, 1},
		{"shorter", bad, bad[:len(bad)-1], 1},
		{"not readable any more", good, bad, 1},
		{"readable now", bad, good, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := differences(look(row.sent), look(row.held), false); len(got) != row.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestManyDifferencesAreCut(t *testing.T) {
	t.Parallel()
	v := newViewer()
	m := sample()
	sent, _ := v.look(bytes.NewReader(encoded(t, m)))
	for id := range uint16(80) {
		m.Properties.Set(mapi.NewInt32(0x6000+id, 1))
	}
	held, _ := v.look(bytes.NewReader(encoded(t, m)))
	got := differences(sent, held, true)
	if len(got) != maxDifferences+1 || got[maxDifferences] != "30 more" {
		t.Errorf("%q", got)
	}
}

// FuzzLook: whatever a server answers, looking at it does not panic, and equal bytes have no differences.
func FuzzLook(f *testing.F) {
	m := sample()
	m.Attachments[0].Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, make([]byte, keepValue+100)))
	m.Attachments[1].Embedded.Properties.Set(mapi.NewBinary(mapi.PidTagHTML, make([]byte, 2000)))
	m.Properties[3] = mapi.NewText(mapi.PidTagBody, "short")
	m.Properties[6] = mapi.NewNamedTexts(mapi.NameCategories(), []string{"red", "green"})
	blob := encoded(f, m)
	f.Add(blob)
	f.Add(blob[:len(blob)/2])
	f.Add(reframed(blob, 100))
	f.Add([]byte("=== Truncated Data ==="))
	v := newViewer()
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := v.look(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := v.look(iotest.HalfReader(bytes.NewReader(data)))
		if d := differences(a, b, a.read); len(d) > 0 {
			t.Errorf("differs from itself: %q", d)
		}
	})
}

func BenchmarkLook(b *testing.B) {
	m := sample()
	m.Attachments[0].Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, make([]byte, 20<<20)))
	blob := encoded(b, m)
	v := newViewer()
	b.SetBytes(int64(len(blob)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.look(bytes.NewReader(blob)); err != nil {
			b.Fatal(err)
		}
	}
}
