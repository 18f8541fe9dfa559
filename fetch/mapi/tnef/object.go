package tnef

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"mailbrick/fetch/mapi"
)

// object is the properties of a message, recipient or attachment being read.
type object struct {
	bag   mapi.Bag
	index map[key]int // into a long bag
	spare mapi.Bag    // of attributes: they count where no property of a list says it
	local []localTime
	full  bool
}

// key is what makes a property itself: its id or its name.
type key struct {
	id   uint16
	name mapi.Name
}

func keyOf(p *mapi.Property) key {
	if p.Name != nil {
		return key{id: 0xFFFF, name: *p.Name}
	}
	return key{id: p.Tag.ID()}
}

// indexed is the size from which on a bag is searched by index.
const indexed = 64

// find is where o has a property, -1 where it has none.
func (o *object) find(p *mapi.Property) int {
	want := keyOf(p)
	if len(o.bag) >= indexed {
		if at, ok := o.index[want]; ok {
			return at
		}
		return -1
	}
	return slices.IndexFunc(o.bag, func(p mapi.Property) bool { return keyOf(&p) == want })
}

func (o *object) append(p mapi.Property) {
	o.bag = append(o.bag, p)
	if len(o.bag) == indexed {
		o.index = make(map[key]int, 2*indexed)
		for i := range o.bag {
			o.index[keyOf(&o.bag[i])] = i
		}
	} else if len(o.bag) > indexed {
		o.index[keyOf(&p)] = len(o.bag) - 1
	}
}

// add takes a property of a list.
func (s *stream) add(o *object, p mapi.Property) {
	if at := o.find(&p); at >= 0 {
		// Exchange itself writes some properties twice.
		if first := &o.bag[at]; first.Tag != p.Tag || !bytes.Equal(first.Data, p.Data) {
			s.warn("property %v: there twice, the first counts", p.Tag)
		}
		return
	}
	if len(o.bag) == maxProperties || s.properties == maxAll {
		if !o.full {
			s.warn("property %v and those after it: too many", p.Tag)
		}
		o.full = true
		return
	}
	s.properties++
	o.append(p)
}

// fill takes a property that an attribute means.
func (o *object) fill(p mapi.Property) { o.spare = append(o.spare, p) }

// finishObject is all properties of o.
func (s *stream) finishObject(o *object, zone zone) mapi.Bag {
	for _, p := range o.spare {
		if o.find(&p) < 0 {
			s.add(o, p)
		}
	}
	for _, l := range o.local {
		if p := mapi.NewTime(l.id, l.t); o.find(&p) < 0 {
			s.add(o, mapi.NewTime(l.id, s.moment(l, zone)))
		}
	}
	return o.bag
}

// localTime is a time of an attribute, its digits read as if they were UTC.
type localTime struct {
	id uint16
	t  time.Time
}

// fillTime takes the time of an attribute: year, month, day, hour, minute,
// second and day of the week, a u16 each [MS-OXTNEF] 2.1.3.3.1.
func (s *stream) fillTime(o *object, id uint16, a attribute) {
	if len(a.data) < 12 {
		s.warn("attribute %08X: a time of %d bytes", a.id, len(a.data))
		return
	}
	var f [6]int
	for i := range f {
		f[i] = int(binary.LittleEndian.Uint16(a.data[2*i:]))
	}
	t := time.Date(f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], 0, time.UTC)
	if t.Year() != f[0] || int(t.Month()) != f[1] || t.Day() != f[2] || t.Hour() != f[3] || t.Minute() != f[4] ||
		f[0] < 1601 || f[0] > 9999 {
		s.warn("attribute %08X: no time: %v", a.id, f)
		return
	}
	o.local = append(o.local, localTime{id, t})
}

// zone is how far the writer's clock was ahead of UTC.
type zone struct {
	offset time.Duration
	known  bool
}

// zone finds the writer's zone from a time that is there as attribute and as
// property. Those of attachments may be of another season.
func (s *stream) zone() zone {
	for _, l := range s.message.local {
		t, ok := s.message.bag.Time(l.id)
		if !ok {
			continue
		}
		ahead := l.t.Sub(t)
		offset := ahead.Round(15 * time.Minute)
		if (ahead-offset).Abs() < 2*time.Second && offset.Abs() <= 14*time.Hour {
			return zone{offset, true}
		}
	}
	return zone{}
}

func (s *stream) moment(l localTime, z zone) time.Time {
	if !z.known {
		s.warn("property %04X: local time of an unknown zone, taken as UTC", l.id)
	}
	return l.t.Add(-z.offset)
}
