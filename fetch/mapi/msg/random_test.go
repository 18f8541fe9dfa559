package msg_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

// noise is n bytes that do not repeat.
func noise(n int, seed byte) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// maker makes random trees.
type maker struct{ *rand.Rand }

func (r maker) message(depth int) *mapi.Message {
	m := &mapi.Message{Properties: r.bag(40)}
	if r.IntN(2) == 0 {
		m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageCodepage, []int32{1252, 1251, 932, 65001, 936}[r.IntN(5)]))
	}
	for range r.IntN(6) {
		m.Recipients = append(m.Recipients, r.bag(8))
	}
	for range r.IntN(4) {
		a := mapi.Attachment{Properties: r.bag(8)}
		switch r.IntN(4) {
		case 0:
			if depth > 0 {
				a.Embedded = r.message(depth - 1)
			}
		case 1:
			a.Properties = append(a.Properties, r.ole())
		default:
			a.Properties = append(a.Properties, mapi.NewBinary(mapi.PidTagAttachData, noise(r.size(), byte(r.IntN(256)))))
		}
		m.Attachments = append(m.Attachments, a)
	}
	return m
}

func (r maker) ole() mapi.Property {
	data := noise(r.size(), 7)
	inside := cfb.NewStorage("dir", cfb.NewStream("\x01Ole", bytes.NewReader(data), int64(len(data))))
	inside.CLSID, inside.Modified, inside.State = [16]byte{1}, 5, 6
	root := cfb.NewStorage("", inside, cfb.NewStream("CONTENTS", bytes.NewReader(data), int64(len(data))))
	root.CLSID = [16]byte{9, 9}
	image, err := cfb.NewImage(root)
	if err != nil {
		panic(err) // the names are good
	}
	var b bytes.Buffer
	image.WriteTo(&b)
	return mapi.Property{Tag: mapi.MakeTag(mapi.PidTagAttachData, mapi.TypeObject), Data: b.Bytes(), Size: int64(b.Len())}
}

func (r maker) size() int {
	sizes := []int{0, 1, 63, 64, 100, 4095, 4096, 5000, 20000}
	return sizes[r.IntN(len(sizes))]
}

// bag has up to n properties; ids of fixed meaning to Write are not among them.
func (r maker) bag(n int) mapi.Bag {
	var b mapi.Bag
	for i := range r.IntN(n) {
		p := r.property()
		id := uint16(0x6000 + 16*i)
		if r.IntN(3) == 0 {
			p.Name = r.name()
			id = uint16(0x8000 + r.IntN(0x7000))
		}
		p.Tag = mapi.MakeTag(id, p.Tag.Type())
		if p.Name != nil && b.FindNamed(*p.Name) != nil {
			continue
		}
		b = append(b, p)
	}
	return b
}

func (r maker) name() *mapi.Name {
	sets := []mapi.GUID{mapi.SetCommon(), mapi.SetPublicStrings(), mapi.SetInternetHeaders(), {}, {0x28, 3, 2, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}}
	n := mapi.Name{Set: sets[r.IntN(len(sets))]}
	if r.IntN(2) == 0 {
		n.LID = uint32(r.IntN(40)) << uint(r.IntN(20))
	} else {
		n.Text = fmt.Sprintf("%s-%d", []string{"x", "häder", "日本", "𝄞"}[r.IntN(4)], r.IntN(20))
	}
	return &n
}

func (r maker) text() string {
	return strings.Repeat([]string{"", "plain ", "Grüße ", "Привет ", "日本語", "𝄞", "\u0000", "\r\n"}[r.IntN(8)], r.IntN(40))
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// property is a random value of a random type.
func (r maker) property() mapi.Property {
	types := []mapi.Type{mapi.TypeInt16, mapi.TypeInt32, mapi.TypeFloat32, mapi.TypeFloat64, mapi.TypeCurrency, mapi.TypeAppTime,
		mapi.TypeError, mapi.TypeBool, mapi.TypeInt64, mapi.TypeTime, mapi.TypeGUID, mapi.TypeBinary, mapi.TypeServerID,
		mapi.TypeString8, mapi.TypeUnicode, mapi.TypeText, mapi.CodePage | 1251, mapi.CodePage | 1201, mapi.CodePage | 1252,
		0x1002, 0x1003, 0x1004, 0x1005, 0x1006, 0x1007, 0x1014, 0x1040, 0x1048, 0x101E, 0x101F, 0x1102, 0x94B0}
	t := types[r.IntN(len(types))]
	data := r.value(t)
	return mapi.Property{Tag: mapi.MakeTag(0, t), Data: data, Size: int64(len(data))}
}

func (r maker) value(t mapi.Type) []byte {
	switch layout, width := t.Layout(); layout {
	case mapi.LayoutFixed:
		return noise(width, byte(r.IntN(256)))
	case mapi.LayoutVariable:
		return r.single(t)
	case mapi.LayoutFixedMV:
		n := r.IntN(10)
		return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), noise(n*width, 3)...)
	}
	one := t &^ mapi.MultiValue
	n := r.IntN(10)
	data := binary.LittleEndian.AppendUint32(nil, uint32(n))
	for range n {
		member := r.single(one)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(member)))
		data = append(data, member...)
	}
	return data
}

// single is a value without length; strings sometimes have no terminator.
func (r maker) single(t mapi.Type) []byte {
	var data []byte
	switch {
	case t == mapi.TypeBinary, t == mapi.TypeServerID:
		return noise(r.size(), byte(r.IntN(256)))
	case t == mapi.CodePage|1201:
		for _, u := range utf16.Encode([]rune(r.text())) {
			data = binary.BigEndian.AppendUint16(data, u)
		}
		return append(data, 0, 0)
	case t.IsUTF16():
		return append(utf16le(r.text()), 0, 0)
	}
	data = noise(r.IntN(50), byte(r.IntN(256)))
	for i := range data {
		if r.IntN(8) > 0 {
			data[i] = 'a' + data[i]%26
		}
	}
	return append(data, 0)
}

func TestRandomTrees(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		m := maker{rand.New(rand.NewPCG(seed, 3))}.message(3)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			data := same(t, m)
			if !bytes.Equal(data, write(t, m)) {
				t.Error("written twice it differs")
			}
		})
	}
}
