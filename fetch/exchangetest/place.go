package exchangetest

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// place is where a value of an item lives: a tag, or a number in a set of named properties.
type place struct {
	set mapi.GUID // the zero GUID: id is that of a tag
	id  uint16
}

func tagged(id uint16) place      { return place{id: id} }
func appointment(id uint16) place { return place{mapi.SetAppointment(), id} }
func common(id uint16) place      { return place{mapi.SetCommon(), id} }
func address(id uint16) place     { return place{mapi.SetAddress(), id} }
func task(id uint16) place        { return place{mapi.SetTask(), id} }
func meeting(id uint16) place     { return place{distinguishedSet("Meeting"), id} }

func (s place) name() mapi.Name { return mapi.Name{Set: s.set, LID: uint32(s.id)} }

func (s place) find(m *mapi.Message) *mapi.Property {
	if s.set == (mapi.GUID{}) {
		return m.Properties.Find(s.id)
	}
	return m.Properties.FindNamed(s.name())
}

// put stores a value that was made for a tag.
func (s place) put(m *mapi.Message, p mapi.Property) {
	if s.set != (mapi.GUID{}) {
		p = mapi.NewNamed(s.name(), p)
	}
	m.Properties.Set(p)
}

func (s place) remove(m *mapi.Message) {
	m.Properties = slices.DeleteFunc(m.Properties, func(p mapi.Property) bool {
		if s.set == (mapi.GUID{}) {
			return p.Tag.ID() == s.id
		}
		return p.Name != nil && *p.Name == s.name()
	})
}

// alone is the value in a bag of its own, which the readers of tags take; s.id is not its id there.
func (s place) alone(m *mapi.Message) (mapi.Bag, uint16) {
	if p := s.find(m); p != nil {
		return mapi.Bag{*p}, p.Tag.ID()
	}
	return nil, 0
}

func (s place) text(m *mapi.Message) string {
	if p := s.find(m); p != nil && p.Tag.Type().IsString() {
		return p.Text(m.Properties.CodePage())
	}
	return ""
}

func (s place) number(m *mapi.Message) (int32, bool) {
	b, id := s.alone(m)
	return b.Int32(id)
}

func (s place) truth(m *mapi.Message) bool {
	b, id := s.alone(m)
	v, _ := b.Bool(id)
	return v
}

// lastYear: a later time is how Outlook says none.
const lastYear = 4500

func (s place) time(m *mapi.Message) (time.Time, bool) {
	b, id := s.alone(m)
	t, ok := b.Time(id)
	return t, ok && t.Year() <= lastYear
}

func (s place) binary(m *mapi.Message) []byte {
	b, id := s.alone(m)
	return b.Binary(id)
}

func (s place) float(m *mapi.Message) (float64, bool) {
	p := s.find(m)
	if p == nil || p.Tag.Type() != mapi.TypeFloat64 || len(p.Data) != 8 {
		return 0, false
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(p.Data)), true
}

func (s place) putFloat(m *mapi.Message, v float64) {
	data := binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
	s.put(m, mapi.Property{Tag: mapi.MakeTag(s.id, mapi.TypeFloat64), Data: data, Size: 8})
}

// The properties of one value that clients read and set as it is. In an element
// that is not there (nil) they are erased; the schema has checked the others.

func elementOf(field string) string {
	_, name, _ := strings.Cut(field, ":")
	return "t:" + name
}

// plain is a property of one value: written as text where there is one.
func plain(field, from string, s place, get func(*mapi.Message) string, put func(string) mapi.Property) itemProperty {
	name := elementOf(field)
	return itemProperty{field, from, listed, !cheap, func(x *xmlWriter, d *itemData) error {
		if v := get(d.m); v != "" {
			x.leaf(name, v)
		}
		return nil
	}, func(m *mapi.Message, e *etree.Element) {
		if e == nil {
			s.remove(m)
			return
		}
		s.put(m, put(e.Text()))
	}, false}
}

func textAt(field, from string, s place) itemProperty {
	return plain(field, from, s, s.text, func(v string) mapi.Property { return mapi.NewText(s.id, v) })
}

func truthAt(field, from string, s place) itemProperty {
	return plain(field, from, s, func(m *mapi.Message) string {
		return boolText(s.truth(m))
	}, func(v string) mapi.Property { return mapi.NewBool(s.id, isTrue(v)) })
}

func numberAt(field, from string, s place) itemProperty {
	return plain(field, from, s, func(m *mapi.Message) string {
		if n, ok := s.number(m); ok {
			return strconv.Itoa(int(n))
		}
		return ""
	}, func(v string) mapi.Property {
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		return mapi.NewInt32(s.id, int32(n))
	})
}

func timeAt(field, from string, s place) itemProperty {
	return plain(field, from, s, func(m *mapi.Message) string {
		if t, ok := s.time(m); ok {
			return stampText(t.Truncate(time.Second))
		}
		return ""
	}, func(v string) mapi.Property {
		t, _ := parseTime(v)
		return mapi.NewTime(s.id, t)
	})
}

// wordAt is a number that has a word, the first where there is none.
func wordAt(field, from string, s place, words ...string) itemProperty {
	return plain(field, from, s, func(m *mapi.Message) string {
		n, _ := s.number(m)
		return word(n, words...)
	}, func(v string) mapi.Property {
		return mapi.NewInt32(s.id, int32(max(slices.Index(words, v), 0)))
	})
}

// textsAt is a list of strings.
func textsAt(field, from string, s place) itemProperty {
	name := elementOf(field)
	return itemProperty{field, from, listed, !cheap, func(x *xmlWriter, d *itemData) error {
		b, id := s.alone(d.m)
		writeTexts(x, name, b.Texts(id))
		return nil
	}, func(m *mapi.Message, e *etree.Element) {
		if list := texts(e); len(list) > 0 {
			s.put(m, mapi.NewTexts(s.id, list))
			return
		}
		s.remove(m)
	}, false}
}

func writeTexts(x *xmlWriter, name string, list []string) {
	x.around(name, func(open func()) {
		for _, s := range list {
			open()
			x.leaf("t:String", s)
		}
	})
}

// binaryAt is bytes.
func binaryAt(field, from string, s place) itemProperty {
	return plain(field, from, s, func(m *mapi.Message) string {
		return base64.StdEncoding.EncodeToString(s.binary(m))
	}, func(v string) mapi.Property {
		b, _ := decodeBase64(v)
		return mapi.NewBinary(s.id, b)
	})
}

// entry is a value of a dictionary: the words of its key and its places.
type entry struct {
	key string
	at  place
}

// dictionary is a property whose values have keys; what has no value is left out, what is not named stays.
func dictionary(field, from string, entries []entry, put func(m *mapi.Message, at place, text string)) itemProperty {
	return itemProperty{field, from, listed, !cheap, func(x *xmlWriter, d *itemData) error {
		x.around(elementOf(field), func(open func()) {
			for _, e := range entries {
				if v := e.at.text(d.m); v != "" {
					open()
					x.leaf("t:Entry", v, "Key", e.key)
				}
			}
		})
		return nil
	}, func(m *mapi.Message, given *etree.Element) {
		for e := range childrenOf(given) {
			if i := slices.IndexFunc(entries, func(known entry) bool { return known.key == attr(e, "Key") }); i >= 0 {
				put(m, entries[i].at, e.Text())
			}
		}
	}, false}
}
