package exchangetest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// Numbers of PSETID_Task. [MS-OXPROPS] 2
const (
	lidTaskStatus     = 0x8101
	lidTaskPercent    = 0x8102
	lidTaskStart      = 0x8104
	lidTaskDue        = 0x8105
	lidTaskCompleted  = 0x810F
	lidTaskRecurrence = 0x8116
	lidTaskComplete   = 0x811C
	lidTaskOwner      = 0x811F
	lidTaskRecurring  = 0x8126
)

func taskWords() []string {
	return []string{"NotStarted", "InProgress", "Completed", "WaitingOnOthers", "Deferred"}
}

// taskProperties are those of TaskType. What is joint is set by maker.task.
func taskProperties() []itemProperty {
	return []itemProperty{
		numberAt("task:ActualWork", "AllProperties", task(0x8110)),
		textAt("task:BillingInformation", "AllProperties", common(0x8535)),
		readOnly(numberAt("task:ChangeCount", "AllProperties", task(0x8112))),
		textsAt("task:Companies", "AllProperties", common(0x8539)),
		joint(timeAt("task:CompleteDate", "AllProperties", task(lidTaskCompleted))),
		textsAt("task:Contacts", "AllProperties", common(0x853A)),
		joint(timeAt("task:DueDate", "Default", task(lidTaskDue))),
		readOnly(truthAt("task:IsComplete", "AllProperties", task(lidTaskComplete))),
		readOnly(truthAt("task:IsRecurring", "AllProperties", task(lidTaskRecurring))),
		readOnly(truthAt("task:IsTeamTask", "AllProperties", task(0x8103))),
		textAt("task:Mileage", "AllProperties", common(0x8534)),
		readOnly(textAt("task:Owner", "AllProperties", task(lidTaskOwner))),
		joint(plain("task:PercentComplete", "Default", task(lidTaskPercent), percentOf, nil)),
		joint(itemProperty{"task:Recurrence", "AllProperties", !listed, !cheap, func(x *xmlWriter, d *itemData) error {
			if p, _, err := calendar.ParseRecurrencePattern(task(lidTaskRecurrence).binary(d.m)); err == nil {
				writePattern(x, &p, "UTC")
			}
			return nil
		}, nil, false}),
		joint(timeAt("task:StartDate", "Default", task(lidTaskStart))),
		joint(wordAt("task:Status", "Default", task(lidTaskStatus), taskWords()...)),
		numberAt("task:TotalWork", "AllProperties", task(0x8111)),
	}
}

func percentOf(m *mapi.Message) string {
	v, _ := task(lidTaskPercent).float(m)
	return strconv.FormatFloat(v*100, 'f', -1, 64)
}

// task sets the properties of a task: dates and series by way of iCalendar, then how far it is.
func (k maker) task(m *mapi.Message, given *etree.Element) *failure {
	lines := calendarLines{"BEGIN:VTODO"}
	for _, date := range []struct{ name, line string }{{"StartDate", "DTSTART"}, {"DueDate", "DUE"}} {
		if text := childText(given, date.name); text != "" {
			day, err := parseDate(text) // the day that is written, whatever the zone
			if err != nil {
				return fail("ErrorInvalidPropertySet")
			}
			lines.add(date.line + ";VALUE=DATE:" + day.Format("20060102"))
		}
	}
	series, f := lines.details(given)
	if f != nil {
		return f
	}
	lines.add("END:VTODO")
	class, reminder := m.Class(), common(lidReminderSet).truth(m)
	for _, id := range []uint16{lidTaskStart, lidTaskDue, lidTaskCompleted, lidTaskRecurrence} {
		task(id).remove(m)
	}
	if m.Properties.Find(mapi.PidTagSubject) == nil {
		setSubject(m, nil)
	}
	if err := calendar.Apply(m, lines.object()); err != nil {
		return fail("ErrorCorruptData")
	}
	m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, class))
	common(lidReminderSet).put(m, mapi.NewBool(lidReminderSet, reminder))
	if series != "" && !task(lidTaskRecurring).truth(m) {
		return fail("ErrorCalendarInvalidRecurrence")
	}
	if task(lidTaskOwner).find(m) == nil {
		task(lidTaskOwner).put(m, mapi.NewText(lidTaskOwner, shownName(k.owner)))
	}
	return k.progress(m, given)
}

// progress: status, percentage and date of completion agree. [MS-OXOTASK] 2.2.2.2.2, 2.2.2.2.3
func (k maker) progress(m *mapi.Message, given *etree.Element) *failure {
	percent, _ := strconv.ParseFloat(strings.TrimSpace(childText(given, "PercentComplete")), 64)
	status := slices.Index(taskWords(), childText(given, "Status"))
	when := childText(given, "CompleteDate")
	switch {
	case !(percent >= 0 && percent <= 100): // nor what is no number
		return fail("ErrorInvalidPercentCompleteValue")
	case status >= 0:
	case percent == 100 || when != "":
		status = 2
	case percent > 0:
		status = 1
	default:
		status = 0
	}
	done := status == 2
	if done {
		percent = 100
		day, err := parseDate(when)
		if err != nil {
			day = k.now.UTC().Truncate(24 * time.Hour)
		}
		task(lidTaskCompleted).put(m, mapi.NewTime(lidTaskCompleted, day))
	}
	task(lidTaskStatus).put(m, mapi.NewInt32(lidTaskStatus, int32(status)))
	task(lidTaskPercent).putFloat(m, percent/100)
	task(lidTaskComplete).put(m, mapi.NewBool(lidTaskComplete, done))
	return nil
}
