package exchangetest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// Numbers of named properties. [MS-OXPROPS] 2
const (
	lidGlobalObjectID  = 0x0003
	lidCleanObjectID   = 0x0023
	lidOwnerChange     = 0x001A
	lidSequence        = 0x8201
	lidBusyStatus      = 0x8205
	lidLocation        = 0x8208
	lidStart           = 0x820D
	lidEnd             = 0x820E
	lidAllDay          = 0x8215
	lidRecurrence      = 0x8216
	lidState           = 0x8217
	lidResponse        = 0x8218
	lidReplyTime       = 0x8220
	lidIntendedBusy    = 0x8224
	lidInvited         = 0x8229
	lidStartZone       = 0x825E
	lidEndZone         = 0x825F
	lidNoProposal      = 0x825A
	lidReminderDelta   = 0x8501
	lidReminderTime    = 0x8502
	lidReminderSet     = 0x8503
	lidReminderSignal  = 0x8560
	tagTrackStatus     = 0x5FFF
	tagResponseWanted  = 0x0063
	recipientOrganizer = 2 // a bit of PidTagRecipientFlags
)

func busyWords() []string {
	return []string{"Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"}
}

func responseWords() []string {
	return []string{"Unknown", "Organizer", "Tentative", "Accept", "Decline", "NoResponseReceived"}
}

// calendarProperties are those of CalendarItemType. What is joint is set by makeEvent, all at once.
func calendarProperties() []itemProperty {
	state := func(bit int32) func(*itemData) bool {
		return func(d *itemData) bool { n, _ := appointment(lidState).number(d.m); return n&bit != 0 }
	}
	computed := func(field string, of func(*itemData) string) itemProperty {
		return itemProperty{field, "AllProperties", listed, !cheap, text(elementOf(field), of), nil, false}
	}
	return []itemProperty{
		joint(plain("calendar:UID", "AllProperties", meeting(lidCleanObjectID), uidOf, nil)),
		readOnly(timeAt("calendar:DateTimeStamp", "AllProperties", meeting(lidOwnerChange))),
		joint(timeAt("calendar:Start", "Default", appointment(lidStart))),
		joint(timeAt("calendar:End", "Default", appointment(lidEnd))),
		joint(truthAt("calendar:IsAllDayEvent", "AllProperties", appointment(lidAllDay))),
		joint(wordAt("calendar:LegacyFreeBusyStatus", "Default", appointment(lidBusyStatus), busyWords()...)),
		joint(textAt("calendar:Location", "Default", appointment(lidLocation))),
		textAt("calendar:When", "AllProperties", appointment(0x8232)), // PidLidRecurrencePattern: in words
		{"calendar:IsMeeting", "AllProperties", listed, !cheap, truth("t:IsMeeting", state(1)), nil, false},
		{"calendar:IsCancelled", "AllProperties", listed, !cheap, truth("t:IsCancelled", state(4)), nil, false},
		computed("calendar:IsRecurring", func(*itemData) string { return "false" }), // EWS: true of occurrences, not of the master
		readOnly(truthAt("calendar:MeetingRequestWasSent", "AllProperties", appointment(lidInvited))),
		truthAt("calendar:IsResponseRequested", "AllProperties", tagged(tagResponseWanted)),
		computed("calendar:CalendarItemType", func(d *itemData) string {
			if recurrenceOf(d.m) != nil {
				return "RecurringMaster"
			}
			return "Single"
		}),
		readOnly(wordAt("calendar:MyResponseType", "AllProperties", appointment(lidResponse), responseWords()...)),
		{"calendar:Organizer", "Default", listed, !cheap, person("t:Organizer", (*mapi.Message).From), nil, false},
		joint(attendees("calendar:RequiredAttendees", mapi.RecipientTo)),
		joint(attendees("calendar:OptionalAttendees", mapi.RecipientCc)),
		joint(attendees("calendar:Resources", mapi.RecipientBcc)),
		computed("calendar:Duration", durationOf),
		readOnly(timeAt("calendar:AppointmentReplyTime", "AllProperties", appointment(lidReplyTime))),
		readOnly(numberAt("calendar:AppointmentSequenceNumber", "AllProperties", appointment(lidSequence))),
		readOnly(numberAt("calendar:AppointmentState", "AllProperties", appointment(lidState))),
		joint(itemProperty{"calendar:Recurrence", "AllProperties", !listed, !cheap, writeRecurrence, nil, false}),
		{"calendar:DeletedOccurrences", "AllProperties", !listed, !cheap, writeDeleted, nil, false},
		joint(itemProperty{"calendar:MeetingTimeZone", "", !listed, !cheap, func(*xmlWriter, *itemData) error { return nil }, nil, false}), // EWS: of Exchange 2007
		joint(zoneAt("calendar:StartTimeZone", lidStartZone)),
		joint(zoneAt("calendar:EndTimeZone", lidEndZone)),
		numberAt("calendar:ConferenceType", "AllProperties", appointment(0x8241)),
		{"calendar:AllowNewTimeProposal", "AllProperties", listed, !cheap, truth("t:AllowNewTimeProposal", func(d *itemData) bool {
			return !appointment(lidNoProposal).truth(d.m)
		}), func(m *mapi.Message, e *etree.Element) {
			appointment(lidNoProposal).put(m, mapi.NewBool(lidNoProposal, e != nil && !isTrue(e.Text())))
		}, false},
		truthAt("calendar:IsOnlineMeeting", "AllProperties", appointment(0x8240)),
		textAt("calendar:MeetingWorkspaceUrl", "AllProperties", appointment(0x8209)),
		textAt("calendar:NetShowUrl", "AllProperties", appointment(0x8248)),
	}
}

// uidOf is the id of the series as iCalendar has it.
func uidOf(m *mapi.Message) string {
	id, err := calendar.ParseGlobalObjectID(meeting(lidCleanObjectID).binary(m))
	if err != nil {
		return ""
	}
	return id.UID()
}

// durationOf is an xs:duration.
func durationOf(d *itemData) string {
	start, ok := appointment(lidStart).time(d.m)
	end, known := appointment(lidEnd).time(d.m)
	length := end.Sub(start)
	if !ok || !known || length < 0 {
		return durationText(0)
	}
	return durationText(length)
}

// durationText is an xs:duration of whole minutes.
func durationText(length time.Duration) string {
	minutes := int(length / time.Minute)
	text := "P"
	if days := minutes / minutesInDay; days > 0 {
		text += strconv.Itoa(days) + "D"
	}
	hours, minutes := minutes%minutesInDay/60, minutes%60
	if hours > 0 || minutes > 0 || text == "P" {
		text += fmt.Sprintf("T%dH%dM", hours, minutes)
	}
	return text
}

// attendees are the recipients of a kind, without the organizer.
func attendees(field string, kind int32) itemProperty {
	return itemProperty{field, "AllProperties", !listed, !cheap, func(x *xmlWriter, d *itemData) error {
		x.around(elementOf(field), func(open func()) {
			for _, r := range d.m.Recipients {
				flags, _ := r.Int32(mapi.PidTagRecipientFlags)
				if mapi.RecipientKind(r) != kind || flags&recipientOrganizer != 0 {
					continue
				}
				one := mapi.Message{Properties: d.m.Properties, Recipients: []mapi.Bag{r}}
				open()
				x.start("t:Attendee")
				for _, a := range slices.Concat(one.To(), one.Cc(), one.Bcc()) {
					writeAddress(x, a)
				}
				track, _ := r.Int32(tagTrackStatus)
				x.leaf("t:ResponseType", word(track, responseWords()...))
				x.end()
			}
		})
		return nil
	}, nil, false}
}

// zoneAt is a time zone by its name alone.
func zoneAt(field string, id uint16) itemProperty {
	name := elementOf(field)
	return itemProperty{field, "AllProperties", !listed, !cheap, func(x *xmlWriter, d *itemData) error {
		if zone := zoneName(d.m, id); zone != "" {
			x.empty(name, "Id", zone, "Name", zone)
		}
		return nil
	}, nil, false}
}

func zoneName(m *mapi.Message, id uint16) string {
	zone, err := calendar.ParseTimeZoneDefinition(appointment(id).binary(m))
	if err != nil {
		return ""
	}
	return zone.KeyName
}

// writeDeleted lists the instances that are gone; one that was modified is not.
func writeDeleted(x *xmlWriter, d *itemData) error {
	r := recurrenceOf(d.m)
	if r == nil {
		return nil
	}
	zone := zoneName(d.m, lidStartZone)
	x.around("t:DeletedOccurrences", func(open func()) {
		for _, day := range r.Deleted {
			modified := slices.ContainsFunc(r.Exceptions, func(e calendar.Exception) bool { return e.OriginalStart/minutesInDay == day/minutesInDay })
			if at, known := instant(wallTime(day+r.StartTimeOffset), zone); known && !modified {
				open()
				x.start("t:DeletedOccurrence")
				x.leaf("t:Start", stampText(at))
				x.end()
			}
		}
	})
	return nil
}

// recurrenceOf is the series of an appointment, nil where it is none.
func recurrenceOf(m *mapi.Message) *calendar.AppointmentRecurrence {
	r, err := calendar.ParseAppointmentRecurrence(appointment(lidRecurrence).binary(m))
	if err != nil {
		return nil
	}
	return r
}

const minutesInDay = 24 * 60

// wallTime is a local time of a pattern: minutes since 1601.
func wallTime(minutes uint32) time.Time {
	return time.Unix(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC).Unix()+60*int64(minutes), 0).UTC()
}
