package restore

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// Bits of PidLidAppointmentStateFlags [MS-OXOCAL] 2.2.1.10.
const (
	stateMeeting  = 1
	stateReceived = 2
)

// organizes says whether an appointment is a meeting as its organizer has it.
func organizes(m *mapi.Message) bool {
	p := m.Properties.FindNamed(mapi.Name{Set: mapi.SetAppointment(), LID: 0x8217}) // PidLidAppointmentStateFlags
	if p == nil || len(p.Data) != 4 {
		return false
	}
	return p.Data[0]&stateMeeting != 0 && p.Data[0]&stateReceived == 0
}

func isAppointment(class string) bool { return hasClass(class, "IPM.Appointment") }

// hasClass says whether an item class is base or one derived from it.
func hasClass(class, base string) bool {
	return len(class) >= len(base) && strings.EqualFold(class[:len(base)], base) && (len(class) == len(base) || class[len(base)] == '.')
}

// readable says whether items of a class are read or unread.
func readable(class string) bool {
	return hasClass(class, "IPM.Note") || hasClass(class, "IPM.Schedule.Meeting") || hasClass(class, "REPORT")
}

const (
	warnOrganizer = "a meeting whose organizer has another mailbox: who changes it here may send updates in that person's name"
	warnCrowded   = "it has too many recipients, attachments and properties to be compared one by one: it is compared as a whole"
	warnTwice     = "the calendar had this appointment already: two with one identity may be merged by clients"
)
