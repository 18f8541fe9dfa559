package calendar_test

import (
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

func at(t *testing.T, day string) time.Time {
	t.Helper()
	d, err := time.Parse("20060102", day)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func nextDay(day string) string {
	d, _ := time.Parse("20060102", day)
	return d.AddDate(0, 0, 1).Format("20060102")
}

func utc(wall time.Time) time.Time { return wall }

// The sets of named properties [MS-OXPROPS] 1.3.2.
const (
	setAppointment = "PSETID_Appointment"
	setCommon      = "PSETID_Common"
	setTask        = "PSETID_Task"
	setMeeting     = "PSETID_Meeting"
)

// named is a property by its set and number, nil when it is not there.
func named(m *mapi.Message, set string, lid uint32) *mapi.Property {
	for i := range m.Properties {
		if n := m.Properties[i].Name; n != nil && n.LID == lid && n.Set.Canonical() == set {
			return &m.Properties[i]
		}
	}
	return nil
}

// show is a property as a person sees it.
func show(m *mapi.Message, set string, lid uint32) string {
	p := named(m, set, lid)
	if p == nil {
		return "none"
	}
	return p.Display(0, 200)
}
