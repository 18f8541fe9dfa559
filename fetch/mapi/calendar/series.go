package calendar

import (
	"slices"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// series sets what makes a message a series: the pattern, deleted and modified
// instances. A rule that Exchange has no pattern for leaves the first instance.
func (r *reader) series(m *mapi.Message, when span) {
	b := bag{&m.Properties}
	s := seriesOf(when)
	pattern, ok := r.pattern(s)
	b.setFlag(lidRecurring, ok)
	b.setFlag(lidIsRecurring, ok)
	b.setNumber(lidRecurrenceType, recurrenceType(&pattern, ok))
	if !ok {
		return
	}
	at := s.start.Sub(day(s.start))
	rec := AppointmentRecurrence{RecurrencePattern: pattern, ReaderVersion2: readerVersion2, WriterVersion2: writerVersion2,
		StartTimeOffset: uint32(at / time.Minute), EndTimeOffset: uint32((at + s.length) / time.Minute)}
	r.exceptions(m, s, &rec)
	b.setBinary(lidRecur, rec.Bytes())
	year := s.start.Year()
	b.setBinary(lidZoneStruct, s.zone.rule(year).asStruct().Bytes())
	b.setText(lidZoneText, s.zone.name)
	b.setBinary(lidZoneRecur, s.zone.definition(year, RuleEffective|RuleRecurCurrent).Bytes())
	first := wallOf1601(pattern.StartDate).Add(at)
	r.times(b, span{known: true, allDay: when.allDay, start: moment{wall: first, zone: s.zone}, end: moment{wall: first.Add(s.length), zone: s.zone}})
	b.setTime(lidClipStart, s.zone.instant(wallOf1601(pattern.StartDate)))
	b.setTime(lidClipEnd, s.zone.instant(wallOf1601(pattern.EndDate)))
}

func seriesOf(when span) series {
	zone := when.start.zone
	end := when.end.wall
	if when.end.zone != zone {
		end = zone.local(when.end.instant())
	}
	return series{start: when.start.wall, length: max(0, end.Sub(when.start.wall)), zone: zone, allDay: when.allDay}
}

func (r *reader) pattern(s series) (RecurrencePattern, bool) {
	rules := r.main.all("RRULE")
	if len(rules) != 1 {
		return RecurrencePattern{}, false
	}
	rule, err := parseRRule(rules[0].value)
	if err != nil {
		return RecurrencePattern{}, false
	}
	p, err := s.pattern(rule)
	return p, err == nil
}

// recurrenceType is PidLidRecurrenceType [MS-OXOCAL] 2.2.1.45.
func recurrenceType(p *RecurrencePattern, recurring bool) int32 {
	switch {
	case !recurring:
		return 0
	case p.Frequency >= FreqDaily && p.Frequency <= FreqYearly:
		return int32(p.Frequency-FreqDaily) + 1
	}
	return 0
}

// exceptions puts EXDATEs among the deleted instances and those with a
// RECURRENCE-ID among the modified ones [MS-OXCICAL] 2.1.3.1.1.20.13, .20.
func (r *reader) exceptions(m *mapi.Message, s series, rec *AppointmentRecurrence) {
	var removed []moment
	for _, p := range r.main.all("EXDATE") {
		if len(removed) < maxInstances {
			removed = append(removed, r.zones.moments(p)...)
		}
	}
	originals := make([]moment, len(r.instances))
	for i, c := range r.instances {
		originals[i], _ = r.zones.moment(c.find("RECURRENCE-ID"))
	}
	days := s.daysUpTo(&rec.RecurrencePattern, append(originals, removed...))
	deleted := map[uint32]bool{}
	for _, v := range rec.Deleted {
		deleted[v] = true
	}
	remove := func(at moment) bool {
		wall, ok := s.instanceAt(at, days)
		if key := minutes1601(day(wall)); ok && !deleted[key] {
			deleted[key] = true
			rec.Deleted = append(rec.Deleted, key)
			return true
		}
		return false
	}
	for _, at := range removed {
		remove(at)
	}
	for i, c := range r.instances {
		at := originals[i]
		if !remove(at) || strings.EqualFold(c.value("STATUS"), "CANCELLED") || len(rec.Exceptions) >= maxExceptions {
			continue
		}
		wall, _ := s.instanceAt(at, days)
		r.exception(m, s, rec, c, wall)
	}
	slices.Sort(rec.Deleted)
	slices.SortFunc(rec.Exceptions, func(a, b Exception) int { return int(int64(a.Start) - int64(b.Start)) })
	for _, e := range rec.Exceptions {
		rec.Modified = append(rec.Modified, e.Start-e.Start%minutesInDay)
	}
}

const maxExceptions = 4096

// daysUpTo are the days of the series up to the last of some moments.
func (s series) daysUpTo(p *RecurrencePattern, moments []moment) map[time.Time]bool {
	var last time.Time
	for _, m := range moments {
		if after := m.wall.AddDate(0, 0, 2); after.After(last) { // in whatever zone
			last = after
		}
	}
	days := map[time.Time]bool{}
	for d := range p.days() {
		if d.After(last) {
			break
		}
		days[d] = true
	}
	return days
}

// instanceAt is the instance of the series that a RECURRENCE-ID or EXDATE means.
func (s series) instanceAt(at moment, days map[time.Time]bool) (time.Time, bool) {
	clock := s.start.Sub(day(s.start))
	if at.isDate {
		return at.wall.Add(clock), days[at.wall]
	}
	wall := s.zone.local(at.instant())
	if s.allDay { // tolerate one that is no DATE
		wall = day(wall)
	}
	if !s.zone.instant(day(wall).Add(clock)).Equal(at.instant()) && !s.allDay {
		return wall, false
	}
	return day(wall).Add(clock), days[day(wall)]
}

// IsException says whether an attachment is a modified instance of a series,
// which Write makes an event of: not a thing that a person attached.
func IsException(a *mapi.Attachment) bool {
	flags, _ := a.Properties.Int32(idAttachmentFlags)
	return a.Embedded != nil && (flags&attachmentIsException != 0 || a.Embedded.Class() == exceptionClass)
}

// exception adds a modified instance: its entry in the pattern and the message in an attachment.
func (r *reader) exception(m *mapi.Message, s series, rec *AppointmentRecurrence, c *component, original time.Time) {
	inside := &mapi.Message{}
	b := bag{&inside.Properties}
	sub := &reader{group: group{uid: r.uid, main: c}, method: "PUBLISH", zones: r.zones}
	b.Set(mapi.NewText(mapi.PidTagMessageClass, exceptionClass))
	sub.texts(inside, c)
	sub.common(b, c)
	sub.identity(b, c)
	when := sub.event(b, c)
	if !when.known {
		when.start = moment{wall: original, zone: s.zone}
		when.end = moment{wall: original.Add(s.length), zone: s.zone}
		when.allDay, when.known = s.allDay, true
		sub.times(b, when)
	}
	b.setTime(lidReplaceTime, s.zone.instant(original))
	sub.meeting(inside)
	start, end := s.zone.local(when.start.instant()), s.zone.local(when.end.instant())
	if end.Year() > lastYear {
		return
	}
	rec.Exceptions = append(rec.Exceptions, r.override(bag{&m.Properties}, b, start, end, original))
	m.Attachments = append(m.Attachments, mapi.Attachment{Embedded: inside, Properties: mapi.Bag{
		mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachEmbedded),
		mapi.NewInt32(mapi.PidTagRenderingPosition, renderedNowhere),
		mapi.NewText(mapi.PidTagDisplayName, inside.Subject()),
		mapi.NewBinary(idAttachEncoding, nil),
		mapi.NewInt32(mapi.PidTagAttachFlags, 0),
		mapi.NewInt32(idAttachmentFlags, attachmentIsException),
		mapi.NewInt32(idAttachmentLinkID, 0),
		mapi.NewBool(mapi.PidTagAttachmentHidden, true),
		mapi.NewTime(idExceptionStartTime, start),
		mapi.NewTime(idExceptionEndTime, end),
		mapi.NewTime(idExceptionReplaceTime, s.zone.instant(original)),
	}})
}

// override says what the instance has of its own.
func (r *reader) override(main, own bag, start, end, original time.Time) Exception {
	e := Exception{Start: minutes1601(start), End: minutes1601(end), OriginalStart: minutes1601(original), ChangeHighlight: make([]byte, 4)}
	e.WideStart, e.WideEnd, e.WideOriginalStart = e.Start, e.End, e.OriginalStart
	if v := own.Text(mapi.PidTagSubject); v != main.Text(mapi.PidTagSubject) {
		e.Flags |= OverrideSubject
		e.Subject, e.WideSubject = twoForms(v)
	}
	if v := own.string(lidLocation); v != main.string(lidLocation) {
		e.Flags |= OverrideLocation
		e.Location, e.WideLocation = twoForms(v)
	}
	number := func(flag uint16, l lid, value *uint32) {
		v, _ := own.number(l)
		if w, _ := main.number(l); v != w {
			e.Flags |= flag
			*value = uint32(v)
		}
	}
	flag := func(bit uint16, l lid, value *uint32) {
		v := own.flag(l)
		if v != main.flag(l) {
			e.Flags |= bit
			if v {
				*value = 1
			}
		}
	}
	number(OverrideBusyStatus, lidBusyStatus, &e.BusyStatus)
	number(OverrideMeetingType, lidStateFlags, &e.MeetingType)
	flag(OverrideReminder, lidReminderSet, &e.ReminderSet)
	flag(OverrideSubType, lidSubType, &e.SubType)
	if own.Find(mapi.PidTagBody) != nil || own.Find(mapi.PidTagHTML) != nil {
		e.Flags |= OverrideBody
	}
	if own.flag(lidReminderSet) {
		number(OverrideReminderDelta, lidReminderDelta, &e.ReminderDelta)
	}
	return e
}

// twoForms are the 8-bit form of a text, which says ? for what ASCII has not, and UTF-16.
func twoForms(s string) (narrow, wide []byte) {
	const most = 4096
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	wide = wideBytes(s)
	for _, c := range wideText(wide) {
		if c > 0x7E {
			c = '?'
		}
		narrow = append(narrow, byte(c))
	}
	return narrow, wide
}
