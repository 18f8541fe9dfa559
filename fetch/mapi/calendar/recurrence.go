package calendar

import (
	"fmt"
	"slices"
)

// Values of RecurrencePattern [MS-OXOCAL] 2.2.1.44.1.
const (
	FreqDaily   uint16 = 0x200A
	FreqWeekly  uint16 = 0x200B
	FreqMonthly uint16 = 0x200C
	FreqYearly  uint16 = 0x200D

	PatternDay        uint16 = 0x0000
	PatternWeek       uint16 = 0x0001
	PatternMonth      uint16 = 0x0002
	PatternMonthNth   uint16 = 0x0003
	PatternMonthEnd   uint16 = 0x0004
	PatternHjMonth    uint16 = 0x000A
	PatternHjMonthNth uint16 = 0x000B
	PatternHjMonthEnd uint16 = 0x000C

	EndByDate  uint32 = 0x00002021
	EndByCount uint32 = 0x00002022
	EndNever   uint32 = 0x00002023
	EndNever2  uint32 = 0xFFFFFFFF

	// NoEndDate is the EndDate of a series that never ends.
	NoEndDate uint32 = 0x5AE980DF
)

// RecurrencePattern says on which days a series takes place [MS-OXOCAL]
// 2.2.1.44.1. Dates are minutes since 1601-01-01, local to the series.
type RecurrencePattern struct {
	ReaderVersion, WriterVersion uint16 // 0x3004
	Frequency                    uint16
	Pattern                      uint16
	CalendarType                 uint16
	FirstDateTime                uint32
	Period                       uint32
	SlidingFlag                  uint32

	Days uint32 // PatternWeek, PatternMonthNth: bit 0 is Sunday
	Day  uint32 // PatternMonth, PatternMonthEnd
	Nth  uint32 // PatternMonthNth: 5 is the last

	EndType         uint32
	OccurrenceCount uint32
	FirstDOW        uint32   // 0 is Sunday
	Deleted         []uint32 // the days of deleted and of modified instances
	Modified        []uint32 // the new days of modified instances
	StartDate       uint32
	EndDate         uint32
}

// ParseRecurrencePattern reads the value of PidLidTaskRecurrence [MS-OXOTASK]
// 2.2.2.2.15; rest is what stands behind the structure.
func ParseRecurrencePattern(b []byte) (p RecurrencePattern, rest []byte, err error) {
	f := fields{rest: b}
	p.read(&f)
	if f.err != nil {
		return p, nil, fmt.Errorf("recurrence pattern of %d bytes: %w", len(b), f.err)
	}
	return p, slices.Clone(f.rest), nil
}

func (p *RecurrencePattern) read(f *fields) {
	p.ReaderVersion, p.WriterVersion = f.u16(), f.u16()
	p.Frequency, p.Pattern, p.CalendarType = f.u16(), f.u16(), f.u16()
	p.FirstDateTime, p.Period, p.SlidingFlag = f.u32(), f.u32(), f.u32()
	if f.err == nil && p.ReaderVersion != version {
		f.err = fmt.Errorf("version %04X", p.ReaderVersion)
		return
	}
	switch p.Pattern {
	case PatternDay:
	case PatternWeek:
		p.Days = f.u32()
	case PatternMonth, PatternMonthEnd, PatternHjMonth, PatternHjMonthEnd:
		p.Day = f.u32()
	case PatternMonthNth, PatternHjMonthNth:
		p.Days, p.Nth = f.u32(), f.u32()
	default:
		f.err = fmt.Errorf("pattern type %04X", p.Pattern)
		return
	}
	p.EndType, p.OccurrenceCount, p.FirstDOW = f.u32(), f.u32(), f.u32()
	p.Deleted, p.Modified = f.list(), f.list()
	p.StartDate, p.EndDate = f.u32(), f.u32()
}

// Append writes the structure behind b.
func (p *RecurrencePattern) Append(b []byte) []byte {
	b = put16(b, p.ReaderVersion, p.WriterVersion, p.Frequency, p.Pattern, p.CalendarType)
	b = put32(b, p.FirstDateTime, p.Period, p.SlidingFlag)
	switch p.Pattern {
	case PatternWeek:
		b = put32(b, p.Days)
	case PatternMonth, PatternMonthEnd, PatternHjMonth, PatternHjMonthEnd:
		b = put32(b, p.Day)
	case PatternMonthNth, PatternHjMonthNth:
		b = put32(b, p.Days, p.Nth)
	}
	b = put32(b, p.EndType, p.OccurrenceCount, p.FirstDOW)
	b = putList(putList(b, p.Deleted), p.Modified)
	return put32(b, p.StartDate, p.EndDate)
}

const (
	version         uint16 = 0x3004
	readerVersion2  uint32 = 0x3006
	writerVersion2  uint32 = 0x3009 // from here on ChangeHighlight is there
	minutesInDay           = 24 * 60
	minutesInWeek          = 7 * minutesInDay
	defaultNoEndOcc        = 10
)

// AppointmentRecurrence is the value of PidLidAppointmentRecur: the structure
// AppointmentRecurrencePattern [MS-OXOCAL] 2.2.1.44.5.
type AppointmentRecurrence struct {
	RecurrencePattern
	ReaderVersion2, WriterVersion2 uint32
	StartTimeOffset, EndTimeOffset uint32 // minutes since midnight
	Exceptions                     []Exception
	ReservedBlock1, ReservedBlock2 []byte
	Extra                          []byte // behind the structure
}

// ParseAppointmentRecurrence reads the value of PidLidAppointmentRecur. With an
// error comes what was read before it, nil when that is not even the pattern.
func ParseAppointmentRecurrence(b []byte) (*AppointmentRecurrence, error) {
	var r AppointmentRecurrence
	f := fields{rest: b}
	r.RecurrencePattern.read(&f)
	if f.err != nil {
		return nil, fmt.Errorf("recurrence of %d bytes: %w", len(b), f.err)
	}
	r.ReaderVersion2, r.WriterVersion2 = f.u32(), f.u32()
	r.StartTimeOffset, r.EndTimeOffset = f.u32(), f.u32()
	if f.err != nil {
		return nil, fmt.Errorf("recurrence of %d bytes, offsets: %w", len(b), f.err)
	}
	r.readExceptions(&f)
	r.ReservedBlock2 = f.block()
	if f.err != nil {
		return &r, fmt.Errorf("recurrence of %d bytes, exceptions: %w", len(b), f.err)
	}
	r.Extra = slices.Clone(f.rest)
	return &r, nil
}

func (r *AppointmentRecurrence) readExceptions(f *fields) {
	for range f.u16() {
		var e Exception
		if e.read(f); f.err != nil {
			return
		}
		r.Exceptions = append(r.Exceptions, e)
	}
	r.ReservedBlock1 = f.block()
	for i := range r.Exceptions {
		if r.Exceptions[i].readExtended(f, r.WriterVersion2); f.err != nil {
			return
		}
	}
}

// Bytes is the value of PidLidAppointmentRecur.
func (r *AppointmentRecurrence) Bytes() []byte {
	b := r.RecurrencePattern.Append(nil)
	b = put32(b, r.ReaderVersion2, r.WriterVersion2, r.StartTimeOffset, r.EndTimeOffset)
	b = put16(b, uint16(len(r.Exceptions)))
	for i := range r.Exceptions {
		b = r.Exceptions[i].append(b)
	}
	b = putBlock(b, r.ReservedBlock1)
	for i := range r.Exceptions {
		b = r.Exceptions[i].appendExtended(b, r.WriterVersion2)
	}
	return append(putBlock(b, r.ReservedBlock2), r.Extra...)
}
