package calendar

import (
	"fmt"
	"slices"
)

// SystemTime is SYSTEMTIME [MS-DTYP] 2.3.13. As the date of a change of clocks
// Day is the n-th DayOfWeek of Month (5 is the last) when Year is 0, else the
// day of the month.
type SystemTime struct {
	Year, Month, DayOfWeek, Day, Hour, Minute, Second, Milliseconds uint16
}

func (s *SystemTime) read(f *fields) {
	for _, v := range []*uint16{&s.Year, &s.Month, &s.DayOfWeek, &s.Day, &s.Hour, &s.Minute, &s.Second, &s.Milliseconds} {
		*v = f.u16()
	}
}

func (s SystemTime) append(b []byte) []byte {
	return put16(b, s.Year, s.Month, s.DayOfWeek, s.Day, s.Hour, s.Minute, s.Second, s.Milliseconds)
}

// TimeZoneStruct is the value of PidLidTimeZoneStruct [MS-OXOCAL] 2.2.1.39.
// Biases are minutes: UTC = local + Bias + (StandardBias or DaylightBias).
type TimeZoneStruct struct {
	Bias, StandardBias, DaylightBias int32
	StandardYear                     uint16
	StandardDate                     SystemTime
	DaylightYear                     uint16
	DaylightDate                     SystemTime
}

// ParseTimeZoneStruct reads the 48 bytes of a value.
func ParseTimeZoneStruct(b []byte) (TimeZoneStruct, error) {
	var t TimeZoneStruct
	if len(b) != 48 {
		return t, fmt.Errorf("time zone of %d bytes, not 48", len(b))
	}
	f := fields{rest: b}
	t.Bias, t.StandardBias, t.DaylightBias = int32(f.u32()), int32(f.u32()), int32(f.u32())
	t.StandardYear = f.u16()
	t.StandardDate.read(&f)
	t.DaylightYear = f.u16()
	t.DaylightDate.read(&f)
	return t, nil
}

// Bytes is the value of the property.
func (t TimeZoneStruct) Bytes() []byte {
	b := put32(nil, uint32(t.Bias), uint32(t.StandardBias), uint32(t.DaylightBias))
	b = t.StandardDate.append(put16(b, t.StandardYear))
	return t.DaylightDate.append(put16(b, t.DaylightYear))
}

// Bits of TZRule.Flags [MS-OXOCAL] 2.2.1.41.1.
const (
	RuleRecurCurrent uint16 = 0x0001
	RuleEffective    uint16 = 0x0002
)

// TZRule holds from the first of January of Year to that of the next rule
// [MS-OXOCAL] 2.2.1.41.1.
type TZRule struct {
	Major, Minor                     byte   // 2, 1
	Size                             uint16 // 0x003E
	Flags                            uint16
	Year                             uint16
	X                                [14]byte
	Bias, StandardBias, DaylightBias int32
	StandardDate, DaylightDate       SystemTime
}

// TimeZoneDefinition is the value of PidLidAppointmentTimeZoneDefinitionRecur,
// -StartDisplay and -EndDisplay [MS-OXOCAL] 2.2.1.41 to 2.2.1.43.
type TimeZoneDefinition struct {
	Major, Minor byte   // 2, 1
	Reserved     uint16 // 2
	KeyName      string
	Rules        []TZRule
	Extra        []byte // behind the rules
}

// ParseTimeZoneDefinition reads a value.
func ParseTimeZoneDefinition(b []byte) (TimeZoneDefinition, error) {
	var d TimeZoneDefinition
	f := fields{rest: b}
	if v := f.take(2); v != nil {
		d.Major, d.Minor = v[0], v[1]
	}
	header := f.u16()
	d.Reserved = f.u16()
	chars := f.u16()
	name := f.take(2 * uint64(chars))
	d.KeyName = wideText(name)
	rules := f.u16()
	switch {
	case f.err != nil:
		return d, fmt.Errorf("time zone definition of %d bytes: %w", len(b), f.err)
	case int(header) != 6+2*int(chars):
		return d, fmt.Errorf("time zone definition: a header of %d bytes with a name of %d characters", header, chars)
	case !slices.Equal(wideBytes(d.KeyName), name):
		return d, fmt.Errorf("time zone definition: its name is not UTF-16")
	}
	for range rules {
		var r TZRule
		if r.read(&f); f.err != nil {
			return d, fmt.Errorf("time zone definition of %d bytes, rule %d of %d: %w", len(b), len(d.Rules)+1, rules, f.err)
		}
		d.Rules = append(d.Rules, r)
	}
	d.Extra = slices.Clone(f.rest)
	return d, nil
}

func (r *TZRule) read(f *fields) {
	if v := f.take(2); v != nil {
		r.Major, r.Minor = v[0], v[1]
	}
	r.Size, r.Flags, r.Year = f.u16(), f.u16(), f.u16()
	copy(r.X[:], f.take(14))
	r.Bias, r.StandardBias, r.DaylightBias = int32(f.u32()), int32(f.u32()), int32(f.u32())
	r.StandardDate.read(f)
	r.DaylightDate.read(f)
}

// Bytes is the value of the property.
func (d TimeZoneDefinition) Bytes() []byte {
	name := wideBytes(d.KeyName)
	b := put16([]byte{d.Major, d.Minor}, uint16(6+len(name)), d.Reserved, uint16(len(name)/2))
	b = put16(append(b, name...), uint16(len(d.Rules)))
	for _, r := range d.Rules {
		b = put16(append(b, r.Major, r.Minor), r.Size, r.Flags, r.Year)
		b = append(b, r.X[:]...)
		b = put32(b, uint32(r.Bias), uint32(r.StandardBias), uint32(r.DaylightBias))
		b = r.DaylightDate.append(r.StandardDate.append(b))
	}
	return append(b, d.Extra...)
}
