package fasttransfer_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestEncodeBytes(t *testing.T) {
	t.Parallel()
	inner := &mapi.Message{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagImportance, 2)}}
	m := &mapi.Message{
		Properties: mapi.Bag{
			mapi.NewNamedInt32(mapi.Name{Set: mapi.GUID{1}, LID: 0x8501}, 5),
			mapi.NewNamedText(mapi.Name{Set: mapi.GUID{2}, Text: "ab"}, ""),
			mapi.NewBool(mapi.PidTagReadReceiptRequested, true),
			mapi.NewText(mapi.PidTagMessageClass, "I"),
		},
		Recipients: []mapi.Bag{{mapi.NewInt32(mapi.PidTagRecipientType, 1)}},
		Attachments: []mapi.Attachment{
			{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagAttachData, []byte("x"))}},
			{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, 5), mapi.NewInt32(mapi.PidTagAttachNumber, 7)}, Embedded: inner},
		},
	}
	set := func(n byte) string { return string(append([]byte{n}, make([]byte, 15)...)) }
	want := tag(0x001A, 0x84B0) + u32(4) + "I\x00\x00\x00" +
		tag(0x0029, 0x000B) + "\x01\x00" +
		tag(0x8000, 0x0003) + set(1) + "\x00" + u32(0x8501) + u32(5) +
		tag(0x8001, 0x84B0) + set(2) + "\x01a\x00b\x00\x00\x00" + u32(2) + "\x00\x00" +
		tag(0x4016, 3) + u32(0x0E12000D) +
		startRecip + tag(0x0C15, 3) + u32(1) + endRecip +
		tag(0x4016, 3) + u32(0x0E13000D) +
		newAttach + tag(0x0E21, 3) + u32(0) + tag(0x3701, 0x0102) + u32(1) + "x" + endAttach +
		newAttach + tag(0x0E21, 3) + u32(7) + tag(0x3705, 3) + u32(5) +
		startEmbed + tag(0x674A, 0x0014) + "\x01\x00\x01\x00\x00\x00\x00\x00" + tag(0x0017, 3) + u32(2) + endEmbed + endAttach
	if got := encode(t, m); !bytes.Equal(got, framed(want, 31680)) {
		t.Errorf("got\n%q\nwant\n%q", got, framed(want, 31680))
	}
}

// TestAtomsKeepTogether cuts a blob after every record: what is cut may be a value, never an atom.
func TestAtomsKeepTogether(t *testing.T) {
	t.Parallel()
	m := item(40_000, 100_001)
	for i := range 3000 {
		m.Properties = append(m.Properties, mapi.NewNamedText(mapi.Name{Set: mapi.GUID{1}, Text: strings.Repeat("n", 1+i%40)}, "v"),
			mapi.NewBinary(0x6801, make([]byte, i%9)), mapi.NewNamedTexts(mapi.NameCategories(), []string{"a", "bc"}))
	}
	blob := encode(t, m)
	buffers := 0
	for at := 62; at < len(blob); {
		n := int(binary.LittleEndian.Uint32(blob[at+4:]))
		if n == 0 || n > 31680 {
			t.Fatalf("buffer of %d bytes", n)
		}
		if at += 8 + n; at < len(blob) && n < 31680-1100 {
			t.Errorf("buffer of only %d bytes before the last", n)
		}
		buffers++
		r, _ := scan(t, blob[:at], fasttransfer.Visitor{})
		if strings.HasPrefix(r.Reason, "element") {
			t.Fatalf("an atom is cut after buffer %d", buffers)
		}
	}
	if buffers < 10 {
		t.Errorf("only %d buffers", buffers)
	}
}

func TestUTF16IsCutAtEvenOffsets(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		m := &mapi.Message{Properties: mapi.Bag{
			mapi.NewBinary(0x0001, make([]byte, shift)),
			mapi.NewText(mapi.PidTagBody, strings.Repeat("x", 50_000)),
		}}
		body := 0
		_, err := fasttransfer.Scan(bytes.NewReader(encode(t, m)), fasttransfer.Visitor{Segment: func(s fasttransfer.Segment) error {
			switch {
			case s.Kind == fasttransfer.Body:
				body += len(s.Data)
			case s.Kind == fasttransfer.Framing && body%2 != 0:
				return errors.New("cut within a character")
			}
			return nil
		}})
		if err != nil {
			t.Errorf("shift %d: %v", shift, err)
		}
	}
}

func TestNamesKeepTheirIDs(t *testing.T) {
	t.Parallel()
	named := func(id uint16, text string) mapi.Property {
		p := mapi.NewNamedText(mapi.Name{Set: mapi.GUID{1}, Text: text}, text)
		p.Tag = mapi.MakeTag(id, mapi.TypeText)
		return p
	}
	m := &mapi.Message{Properties: mapi.Bag{named(0x8123, "a"), named(0x8123, "b"), named(0x8000, "c"), named(0x9000, "a")}}
	var back mapi.Message
	scan(t, encode(t, m), fasttransfer.Visitor{Message: &back})
	want := map[string]uint16{"a": 0x8123, "b": 0x8001, "c": 0x8000}
	for _, p := range back.Properties {
		if id := want[p.Text(0)]; p.Tag.ID() != id || p.Name.Text != p.Text(0) {
			t.Errorf("%q has id %04X, want %04X", p.Text(0), p.Tag.ID(), id)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	deep := &mapi.Message{}
	for range 33 {
		deep = &mapi.Message{Attachments: []mapi.Attachment{{Embedded: deep}}}
	}
	one := func(p mapi.Property) *mapi.Message { return &mapi.Message{Properties: mapi.Bag{p}} }
	for _, c := range []struct {
		name string
		m    *mapi.Message
	}{
		{"nested too deep", deep},
		{"named without a name", one(mapi.NewInt32(0x8001, 1))},
		{"name on a plain id", one(mapi.Property{Tag: 0x00170003, Name: &mapi.Name{}, Data: make([]byte, 4)})},
		{"name too long", one(mapi.NewNamedText(mapi.Name{Text: strings.Repeat("n", 512)}, ""))},
		{"short fixed value", one(mapi.Property{Tag: 0x00170003, Data: make([]byte, 3)})},
		{"bad list", one(mapi.Property{Tag: 0x68011003, Data: make([]byte, 5)})},
		{"bad list of strings", one(mapi.Property{Tag: 0x6801101F, Data: []byte("\x01\x00\x00\x00\xFF\xFF\xFF\xFF")})},
		{"unknown type", one(mapi.Property{Tag: 0x00170011})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := fasttransfer.Encode(io.Discard, c.m, fasttransfer.EncodeOptions{}); !errors.Is(err, fasttransfer.ErrNotEncodable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEncodeVersionAndErrors(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, item(10, 0), fasttransfer.EncodeOptions{Version: [6]byte{1, 2, 3, 4, 5, 6}}); err != nil {
		t.Fatal(err)
	}
	if got := b.Bytes()[56:62]; !bytes.Equal(got, []byte{1, 2, 3, 4, 5, 6}) {
		t.Errorf("version %x", got)
	}
	for n := range int64(5) {
		w := &failingWriter{left: n}
		if err := fasttransfer.Encode(w, item(40_000, 0), fasttransfer.EncodeOptions{}); n < 4 && err == nil {
			t.Errorf("write %d fails: no error", n)
		}
	}
}

type failingWriter struct{ left int64 }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestEncodeRefusesWhatSteers: a property of a hostile message must not become a marker or an instruction of the stream.
func TestEncodeRefusesWhatSteers(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]mapi.Property{
		"start of an embedded message": mapi.NewInt32(0x4001, 1),
		"end of an attachment":         mapi.NewInt32(0x400E, 1),
		"delete property":              mapi.NewInt32(0x4016, 1),
		"name prefix":                  mapi.NewText(0x4008, "/o="),
		"folder marker":                mapi.NewInt32(0x4009, 1),
	} {
		m := &mapi.Message{Properties: mapi.Bag{p}}
		if err := fasttransfer.Encode(io.Discard, m, fasttransfer.EncodeOptions{}); !errors.Is(err, fasttransfer.ErrNotEncodable) {
			t.Errorf("%s: %v, want ErrNotEncodable", name, err)
		}
	}
}
