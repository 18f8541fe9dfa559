package exchangetest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
	"mailbrick/fetch/mapi/vcard"
)

// createIn makes items of elements.
func createIn(folder, items string) string {
	saved := ""
	if folder != "" {
		saved = `<m:SavedItemFolderId>` + distinguished(folder) + `</m:SavedItemFolderId>`
	}
	return `<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone">` + saved + `<m:Items>` + items + `</m:Items></m:CreateItem>`
}

const wholeShape = `<t:BaseShape>AllProperties</t:BaseShape>`

// fields reads the texts of elements below an item, by path.
func fields(item *etree.Element, paths ...string) string {
	var list []string
	for _, path := range paths {
		for _, e := range item.FindElements(path) {
			list = append(list, strings.TrimSpace(e.Text()))
		}
	}
	return strings.Join(list, "|")
}

// item gets one item whole.
func (c *client) item(r ref) *etree.Element {
	c.t.Helper()
	return c.ok(c.do(getItem(wholeShape, r.bare()))).FindElement("//Items/*")
}

const (
	weekly  = `<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Monday Wednesday</t:DaysOfWeek><t:FirstDayOfWeek>Sunday</t:FirstDayOfWeek></t:WeeklyRecurrence>`
	berlin  = `<t:StartTimeZone Id="W. Europe Standard Time"/><t:EndTimeZone Id="W. Europe Standard Time"/>`
	seminar = `<t:CalendarItem><t:Subject>Seminar</t:Subject><t:Body BodyType="HTML">&lt;p&gt;Bring &lt;b&gt;pens&lt;/b&gt;&lt;/p&gt;</t:Body>` +
		`<t:Attachments><t:FileAttachment><t:Name>plan.txt</t:Name><t:ContentType>text/plain</t:ContentType><t:Content>QUJD</t:Content></t:FileAttachment></t:Attachments>` +
		`<t:Categories><t:String>red</t:String></t:Categories><t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>20</t:ReminderMinutesBeforeStart>` +
		`<t:UID>seminar-1@example.org</t:UID><t:Start>2026-03-23T10:00:00+01:00</t:Start><t:End>2026-03-23T11:30:00+01:00</t:End>` +
		`<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>Room 5; 2nd floor, left</t:Location>` +
		`<t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Bea "B"</t:Name><t:EmailAddress>b@y.example</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>` +
		`<t:OptionalAttendees><t:Attendee><t:Mailbox><t:EmailAddress>c@y.example</t:EmailAddress></t:Mailbox></t:Attendee></t:OptionalAttendees>` +
		`<t:Resources><t:Attendee><t:Mailbox><t:EmailAddress>room@y.example</t:EmailAddress></t:Mailbox></t:Attendee></t:Resources>` +
		`<t:Recurrence>` + weekly + `<t:NumberedRecurrence><t:StartDate>2026-03-23</t:StartDate><t:NumberOfOccurrences>5</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>` +
		berlin + `</t:CalendarItem>`
	ada = `<t:Contact><t:Body BodyType="Text">met in May</t:Body>` +
		`<t:Attachments><t:FileAttachment><t:Name>ContactPicture.jpg</t:Name><t:IsContactPhoto>true</t:IsContactPhoto><t:Content>/9j/4AAQSkZJRg==</t:Content></t:FileAttachment></t:Attachments>` +
		`<t:GivenName>Ada</t:GivenName><t:CompanyName>Engines</t:CompanyName><t:EmailAddresses><t:Entry Key="EmailAddress1">ada@x.example</t:Entry><t:Entry Key="EmailAddress3">al@x.example</t:Entry></t:EmailAddresses>` +
		`<t:PhysicalAddresses><t:Entry Key="Business"><t:Street>1 Main St</t:Street><t:City>London</t:City><t:PostalCode>W1</t:PostalCode></t:Entry></t:PhysicalAddresses>` +
		`<t:PhoneNumbers><t:Entry Key="MobilePhone">+1 2</t:Entry><t:Entry Key="BusinessPhone">+3 4</t:Entry></t:PhoneNumbers><t:Birthday>1815-12-10T00:00:00Z</t:Birthday>` +
		`<t:Children><t:String>Byron</t:String><t:String>Anne</t:String></t:Children><t:JobTitle>Countess</t:JobTitle><t:Surname>Lovelace</t:Surname></t:Contact>`
	pay = `<t:Task><t:Subject>pay</t:Subject><t:ReminderDueBy>2026-05-04T07:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet>` +
		`<t:ActualWork>30</t:ActualWork><t:DueDate>2026-05-05T00:00:00Z</t:DueDate><t:PercentComplete>40</t:PercentComplete><t:StartDate>2026-05-04T00:00:00Z</t:StartDate><t:TotalWork>90</t:TotalWork></t:Task>`
)

// TestCreateAppointment: what the fields said the export says, to the package that reads real ones, and GetItem.
func TestCreateAppointment(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	made := refs(c.ok(c.do(createIn("", seminar))), "ItemId")[0]
	equal(t, "where", c.find(c.folder("calendar")), []ref{made})
	m := scan(t, c.blob(made))
	equal(t, "class", m.Class(), "IPM.Appointment")
	var ics strings.Builder
	if err := calendar.Write(&ics, m); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(ics.String(), "\r\n ", "")
	for _, line := range []string{"SUMMARY:Seminar", "UID:seminar-1@example.org", `DTSTART;TZID="W. Europe Standard Time":20260323T100000`, `DTEND;TZID="W. Europe Standard Time":20260323T113000`,
		"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU;COUNT=5", `LOCATION:Room 5\; 2nd floor\, left`, "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRIGGER;RELATED=START:-PT20M", "CATEGORIES:red",
		"mailto:b@y.example", "mailto:c@y.example", "mailto:room@y.example", "mailto:" + box} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	equal(t, "attachments", m.AttachmentNames(), []string{"plan.txt"})
	got := c.item(made)
	for path, want := range map[string]string{
		"Subject": "Seminar", "Start": "2026-03-23T09:00:00Z", "End": "2026-03-23T10:30:00Z", "Location": "Room 5; 2nd floor, left", "LegacyFreeBusyStatus": "OOF",
		"UID": "seminar-1@example.org", "IsMeeting": "true", "IsAllDayEvent": "false", "CalendarItemType": "RecurringMaster", "MyResponseType": "Organizer",
		"Organizer/Mailbox/EmailAddress": box, "RequiredAttendees/Attendee/Mailbox/EmailAddress": "b@y.example", "OptionalAttendees/Attendee/Mailbox/EmailAddress": "c@y.example",
		"Resources/Attendee/Mailbox/EmailAddress": "room@y.example", "Duration": "PT1H30M", "Recurrence/WeeklyRecurrence/Interval": "2", "Recurrence/WeeklyRecurrence/DaysOfWeek": "Monday Wednesday",
		"Recurrence/NumberedRecurrence/NumberOfOccurrences": "5", "Recurrence/NumberedRecurrence/StartDate": "2026-03-23+01:00", "ReminderIsSet": "true", "ReminderMinutesBeforeStart": "20",
		"ReminderDueBy": "2026-03-23T09:00:00Z", "Attachments/FileAttachment/Name": "plan.txt", "Categories/String": "red", "HasAttachments": "true", "Body": "<p>Bring <b>pens</b></p>",
	} {
		equal(t, path, fields(got, path), want)
	}
	equal(t, "zone", got.FindElement("StartTimeZone").SelectAttrValue("Id", ""), "W. Europe Standard Time")
}

// TestCreateRecurrences: every kind of pattern and range comes back as it was sent.
func TestCreateRecurrences(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	const start = `<t:StartDate>2026-01-01</t:StartDate>`
	patterns := map[string]string{
		"each third day":           `<t:DailyRecurrence><t:Interval>3</t:Interval></t:DailyRecurrence>`,
		"working days":             `<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday Tuesday Wednesday Thursday Friday</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>`,
		"the first":                `<t:AbsoluteMonthlyRecurrence><t:Interval>2</t:Interval><t:DayOfMonth>1</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>`,
		"first Thursday":           `<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Thursday</t:DaysOfWeek><t:DayOfWeekIndex>First</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>`,
		"last working day":         `<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>`,
		"new year":                 `<t:AbsoluteYearlyRecurrence><t:DayOfMonth>1</t:DayOfMonth><t:Month>January</t:Month></t:AbsoluteYearlyRecurrence>`,
		"first Thursday of a year": `<t:RelativeYearlyRecurrence><t:DaysOfWeek>Thursday</t:DaysOfWeek><t:DayOfWeekIndex>First</t:DayOfWeekIndex><t:Month>January</t:Month></t:RelativeYearlyRecurrence>`,
	}
	ranges := map[string]string{
		"for ever": `<t:NoEndRecurrence>%s</t:NoEndRecurrence>`, "three times": `<t:NumberedRecurrence>%s<t:NumberOfOccurrences>3</t:NumberOfOccurrences></t:NumberedRecurrence>`,
	}
	for _, pattern := range slices.Sorted(maps.Keys(patterns)) {
		for _, end := range slices.Sorted(maps.Keys(ranges)) {
			t.Run(pattern+" "+end, func(t *testing.T) {
				sent := `<t:Recurrence>` + patterns[pattern] + fmt.Sprintf(ranges[end], start) + `</t:Recurrence>`
				for _, kind := range []struct{ zone, item string }{
					{"-05:00", `<t:CalendarItem><t:Start>2026-01-01T23:30:00-05:00</t:Start><t:End>2026-01-01T23:45:00-05:00</t:End>` + sent + `<t:StartTimeZone Id="Eastern Standard Time"/></t:CalendarItem>`},
					{"+00:00", `<t:Task>` + sent + `<t:StartDate>2026-01-01T00:00:00Z</t:StartDate></t:Task>`},
				} {
					it := c.item(refs(c.ok(c.do(createIn("", kind.item))), "ItemId")[0])
					doc := etree.NewDocumentWithRoot(it.FindElement("Recurrence").Copy())
					got, err := doc.WriteToString()
					if err != nil {
						t.Fatal(err)
					}
					want := strings.NewReplacer("-01-01<", "-01-01"+kind.zone+"<").Replace(sent)
					if pattern == "last working day" {
						want = strings.Replace(want, "2026-01-01", "2026-01-30", 1)
					}
					equal(t, "recurrence", got, want)
				}
			})
		}
	}
}

func TestCreateContact(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	made := refs(c.ok(c.do(createIn("", ada))), "ItemId")[0]
	equal(t, "where", c.find(c.folder("contacts")), []ref{made})
	m := scan(t, c.blob(made))
	var card strings.Builder
	if err := vcard.Write(&card, m); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"FN:Ada Lovelace", "N:Lovelace;Ada", "ORG:Engines", "ada@x.example", "al@x.example", "TEL;TYPE=CELL:+1 2", "TEL;TYPE=WORK:+3 4", "1 Main St;London", "BDAY:1815-12-10", "TITLE:Countess", "PHOTO", "NOTE:met in May"} {
		if !strings.Contains(card.String(), line) {
			t.Errorf("no %q in\n%s", line, card.String())
		}
	}
	check := func(what string, want map[string]string) {
		t.Helper()
		got := c.item(made)
		for path, value := range want {
			equal(t, what+" "+path, fields(got, path), value)
		}
	}
	check("created", map[string]string{"FileAs": "Lovelace, Ada", "DisplayName": "Ada Lovelace", "Subject": "Ada Lovelace", "EmailAddresses/Entry": "ada@x.example|al@x.example",
		"PhoneNumbers/Entry": "+3 4|+1 2", "PhysicalAddresses/Entry/City": "London", "Birthday": "1815-12-10T00:00:00Z", "Children/String": "Byron|Anne", "HasPicture": "true", "CompleteName/LastName": "Lovelace"})
	indexed := func(field, key string) string {
		return `<t:IndexedFieldURI FieldURI="` + field + `" FieldIndex="` + key + `"/>`
	}
	c.ok(c.do(`<m:UpdateItem ConflictResolution="AlwaysOverwrite"><m:ItemChanges><t:ItemChange>` + made.bare() + `<t:Updates>` +
		`<t:SetItemField>` + indexed("contacts:EmailAddress", "EmailAddress2") + `<t:Contact><t:EmailAddresses><t:Entry Key="EmailAddress2">two@x.example</t:Entry></t:EmailAddresses></t:Contact></t:SetItemField>` +
		`<t:SetItemField>` + indexed("contacts:PhysicalAddress:City", "Business") + `<t:Contact><t:PhysicalAddresses><t:Entry Key="Business"><t:City>Bath</t:City></t:Entry></t:PhysicalAddresses></t:Contact></t:SetItemField>` +
		`<t:DeleteItemField>` + indexed("contacts:EmailAddress", "EmailAddress3") + `</t:DeleteItemField><t:DeleteItemField>` + indexed("contacts:PhysicalAddress:PostalCode", "Business") + `</t:DeleteItemField>` +
		`<t:DeleteItemField>` + indexed("contacts:PhoneNumber", "MobilePhone") + `</t:DeleteItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`))
	check("updated", map[string]string{"EmailAddresses/Entry": "ada@x.example|two@x.example", "PhoneNumbers/Entry": "+3 4", "PhysicalAddresses/Entry/*": "1 Main St|Bath", "HasPicture": "true"})
}

func TestCreateTask(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	made := refs(c.ok(c.do(createIn("", pay))), "ItemId")[0]
	equal(t, "where", c.find(c.folder("tasks")), []ref{made})
	var ics strings.Builder
	if err := calendar.Write(&ics, scan(t, c.blob(made))); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"BEGIN:VTODO", "SUMMARY:pay", "DTSTART;VALUE=DATE:20260504", "DUE;VALUE=DATE:20260505", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"} {
		if !strings.Contains(ics.String(), line) {
			t.Errorf("no %q in\n%s", line, ics.String())
		}
	}
	set := func(field, value string) { c.ok(c.do(setIn(made, "Task", field, value))) }
	progress := func() string {
		return fields(c.item(made), "CompleteDate", "DueDate", "IsComplete", "PercentComplete", "StartDate", "Status", "ReminderIsSet", "ActualWork", "Owner")
	}
	equal(t, "begun", progress(), "2026-05-05T00:00:00Z|false|40|2026-05-04T00:00:00Z|InProgress|true|30|anna")
	set("task:Status", "<t:Status>WaitingOnOthers</t:Status>")
	equal(t, "waiting", progress(), "2026-05-05T00:00:00Z|false|0|2026-05-04T00:00:00Z|WaitingOnOthers|true|30|anna")
	set("task:CompleteDate", "<t:CompleteDate>2026-05-06T00:00:00Z</t:CompleteDate>")
	equal(t, "done", progress(), "2026-05-06T00:00:00Z|2026-05-05T00:00:00Z|true|100|2026-05-04T00:00:00Z|Completed|true|30|anna")
	set("task:PercentComplete", "<t:PercentComplete>50</t:PercentComplete>")
	equal(t, "begun again", progress(), "2026-05-05T00:00:00Z|false|50|2026-05-04T00:00:00Z|InProgress|true|30|anna")
}

// setIn sets one property of an item of that element.
func setIn(r ref, element, field, value string) string {
	return `<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>` + r.bare() + `<t:Updates><t:SetItemField><t:FieldURI FieldURI="` + field +
		`"/><t:` + element + `>` + value + `</t:` + element + `></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
}

// TestUpdateAppointment: what an update does not name stays as it was, and what follows from it follows.
func TestUpdateAppointment(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	ics := "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:u\r\nSUMMARY:S\r\nDTSTART;TZID=Europe/Paris:20260302T090000\r\nDTEND;TZID=Europe/Paris:20260302T100000\r\n" +
		"RRULE:FREQ=DAILY;COUNT=4\r\nEXDATE;TZID=Europe/Paris:20260303T090000\r\nORGANIZER:mailto:boss@x.example\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:b@y.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	m := &mapi.Message{}
	if err := calendar.Apply(m, []byte(ics)); err != nil {
		t.Fatal(err)
	}
	made := refs(c.ok(c.uploadItems(upload("CreateNew", c.folder("calendar"), "", encode(t, "IPM.Appointment", "S", m.Properties...), ""))), "ItemId")[0]
	equal(t, "deleted", fields(c.item(made), "DeletedOccurrences/DeletedOccurrence/Start"), "2026-03-03T08:00:00Z")
	c.ok(c.do(setIn(made, "CalendarItem", "calendar:Location", "<t:Location>here</t:Location>")))
	got := c.item(made)
	equal(t, "kept", fields(got, "Start", "Location", "UID", "Recurrence/NumberedRecurrence/NumberOfOccurrences", "DeletedOccurrences/DeletedOccurrence/Start"), "2026-03-02T08:00:00Z|here|u|4|2026-03-03T08:00:00Z")
	c.ok(c.do(setIn(made, "CalendarItem", "calendar:Start", "<t:Start>2026-03-02T08:30:00Z</t:Start>")))
	got = c.item(made)
	equal(t, "moved", fields(got, "Start", "End", "Duration", "Recurrence/NumberedRecurrence/NumberOfOccurrences", "DeletedOccurrences/DeletedOccurrence/Start"), "2026-03-02T08:30:00Z|2026-03-02T09:00:00Z|PT0H30M|4")
	c.ok(c.do(strings.NewReplacer("SetItemField", "DeleteItemField", "<t:CalendarItem></t:CalendarItem>", "").Replace(setIn(made, "CalendarItem", "calendar:Recurrence", ""))))
	equal(t, "single", fields(c.item(made), "CalendarItemType", "Recurrence"), "Single")
	c.ok(c.do(setIn(made, "CalendarItem", "calendar:IsAllDayEvent", "<t:IsAllDayEvent>true</t:IsAllDayEvent>")))
	equal(t, "all day", fields(c.item(made), "Start", "End", "Duration"), "2026-03-01T23:00:00Z|2026-03-02T23:00:00Z|P1D")
}

// TestCreateRefused is what the server refuses, and with which word.
func TestCreateRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	event := func(fields string) string { return createIn("", `<t:CalendarItem>`+fields+`</t:CalendarItem>`) }
	made := refs(c.ok(c.do(event(`<t:Start>2026-03-02T10:00:00Z</t:Start>`))), "ItemId")[0]
	for _, test := range []struct{ name, body, code string }{
		{"end before start", event(`<t:Start>2026-03-02T10:00:00Z</t:Start><t:End>2026-03-02T09:00:00Z</t:End>`), "ErrorCalendarEndDateIsEarlierThanStartDate"},
		{"zone nobody knows", event(`<t:Start>2026-03-02T10:00:00Z</t:Start><t:StartTimeZone Id="Atlantis Standard Time"/>`), "ErrorCalendarInvalidTimeZone"},
		{"no invitations said", strings.Replace(event(""), ` SendMeetingInvitations="SendToNone"`, "", 1), "ErrorSendMeetingInvitationsRequired"},
		{"in the inbox", createIn("inbox", `<t:CalendarItem/>`), "ErrorCannotCreateCalendarItemInNonCalendarFolder"},
		{"a task in the calendar", createIn("calendar", `<t:Task/>`), "ErrorCannotCreateTaskInNonTaskFolder"},
		{"a contact among tasks", createIn("tasks", `<t:Contact/>`), "ErrorCannotCreateContactInNonContactFolder"},
		{"organizer", event(`<t:Organizer><t:Mailbox/></t:Organizer>`), "ErrorInvalidPropertySet"},
		{"sender of an appointment", setIn(made, "CalendarItem", "message:From", `<t:Subject>x</t:Subject>`), "ErrorInvalidPropertySet"},
		{"no start", strings.NewReplacer("SetItemField", "DeleteItemField", "<t:CalendarItem></t:CalendarItem>", "").Replace(setIn(made, "CalendarItem", "calendar:Start", "")), "ErrorInvalidPropertyDelete"},
		{"update of a meeting without word of invitations", strings.Replace(setIn(made, "CalendarItem", "calendar:Location", "<t:Location/>"), ` SendMeetingInvitationsOrCancellations="SendToNone"`, "", 1), "ErrorSendMeetingInvitationsOrCancellationsRequired"},
		{"too much", createIn("", `<t:Task><t:PercentComplete>101</t:PercentComplete></t:Task>`), "ErrorInvalidPercentCompleteValue"},
		{"made anew when done", createIn("", `<t:Task><t:Recurrence><t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration><t:NoEndRecurrence><t:StartDate>2026-01-01</t:StartDate></t:NoEndRecurrence></t:Recurrence><t:StartDate>2026-01-01T00:00:00Z</t:StartDate></t:Task>`), "ErrorCalendarInvalidRecurrence"},
		{"a list", createIn("", `<t:DistributionList/>`), "ErrorInvalidItemForOperationCreateItem"},
		{"a reference", createIn("", `<t:Message><t:Attachments><t:ReferenceAttachment/></t:Attachments></t:Message>`), "ErrorInvalidItemForOperationCreateItemAttachment"},
		{"an attachment of nothing", createIn("", `<t:Message><t:Attachments><t:ItemAttachment/></t:Attachments></t:Message>`), "ErrorMissingItemForCreateItemAttachment"},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, "code", c.one(c.do(test.body)), test.code) })
	}
	for name, body := range map[string]string{
		"time":  event(`<t:Start>noon</t:Start>`),
		"order": event(`<t:End>2026-03-02T10:00:00Z</t:End><t:Start>2026-03-02T10:00:00Z</t:Start>`),
		"word":  event(`<t:LegacyFreeBusyStatus>Napping</t:LegacyFreeBusyStatus>`),
		"key":   createIn("", `<t:Contact><t:PhoneNumbers><t:Entry Key="Fax">1</t:Entry></t:PhoneNumbers></t:Contact>`),
		"field": getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="calendar:Begin"/></t:AdditionalProperties>`, made.bare()),
	} {
		equal(t, name, c.fault(c.envelope(body)), "ErrorSchemaValidation")
	}
}

// TestInlineAttachments: files, pictures of the body and items in items, in all four classes; added and taken away later.
func TestInlineAttachments(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	inner := `<t:ItemAttachment><t:Name>inner</t:Name><t:Contact><t:Attachments><t:FileAttachment><t:Name>deep.bin</t:Name><t:Content>ZGVlcA==</t:Content></t:FileAttachment></t:Attachments><t:GivenName>In</t:GivenName></t:Contact></t:ItemAttachment>`
	list := `<t:Attachments><t:FileAttachment><t:Name>pic.png</t:Name><t:ContentType>image/png</t:ContentType><t:ContentId>pic@1</t:ContentId><t:IsInline>true</t:IsInline><t:Content>UE5H</t:Content></t:FileAttachment>` + inner + `</t:Attachments>`
	for _, element := range []string{"Message", "CalendarItem", "Contact", "Task"} {
		t.Run(element, func(t *testing.T) {
			made := refs(c.ok(c.do(createIn("", `<t:`+element+`><t:Subject>s</t:Subject>`+list+`</t:`+element+`>`))), "ItemId")[0]
			m := scan(t, c.blob(made))
			if len(m.Attachments) != 2 || !m.Attachments[0].Hidden() || m.Attachments[1].Embedded == nil || m.Attachments[1].Embedded.Class() != "IPM.Contact" {
				t.Fatal("attachments are not as they were sent")
			}
			it := c.item(made)
			equal(t, "inline", fields(it, "Attachments/*/Name", "Attachments/*/ContentId", "Attachments/*/IsInline"), "pic.png|inner|pic@1|true|false")
			ids := refs(it, "AttachmentId")
			inside := c.ok(c.do(getAttachment(ids[1].id))).FindElement("//ItemAttachment/Contact")
			equal(t, "inside", fields(inside, "GivenName", "Attachments/FileAttachment/Name"), "In|deep.bin")
			equal(t, "deep", fields(c.ok(c.do(getAttachment(inside.FindElement("Attachments/FileAttachment/AttachmentId").SelectAttrValue("Id", "")))), "//FileAttachment/Content"), "ZGVlcA==")

			added := c.ok(c.do(`<m:CreateAttachment><m:ParentItemId Id="` + made.id + `"/><m:Attachments><t:FileAttachment><t:Name>later.txt</t:Name><t:Content>bGF0ZXI=</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>`))
			id := refs(added, "AttachmentId")[0].id
			equal(t, "later", fields(c.ok(c.do(getAttachment(id))), "//Content"), "bGF0ZXI=")
			c.ok(c.do(deleteAttachment(ids[0].id)))
			equal(t, "left", fields(c.item(made), "Attachments/*/Name"), "inner|later.txt")
			equal(t, "beyond", c.one(c.do(deleteAttachment(id))), "ErrorInvalidAttachmentId")
		})
	}
}

func deleteAttachment(id string) string {
	return `<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id="` + id + `"/></m:AttachmentIds></m:DeleteAttachment>`
}

// TestZones: a time without a zone is in that of the event, of the request, or UTC.
func TestZones(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	event := createIn("", `<t:CalendarItem><t:Start>2026-07-01T10:00:00</t:Start>%s</t:CalendarItem>`)
	start := func(document string) time.Time {
		t.Helper()
		resp, data, err := c.send(document)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %s", err, data)
		}
		at, err := time.Parse(time.RFC3339, fields(c.item(refs(c.ok(c.parse(data)), "ItemId")[0]), "Start"))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	equal(t, "UTC", start(c.envelope(fmt.Sprintf(event, ""))).Hour(), 10)
	equal(t, "of the event", start(c.envelope(fmt.Sprintf(event, `<t:StartTimeZone Id="Eastern Standard Time"/>`))).Hour(), 14)
	equal(t, "of Exchange 2007", start(c.envelope(fmt.Sprintf(event, `<t:MeetingTimeZone TimeZoneName="Tokyo Standard Time"/>`))).Hour(), 1)
	context := strings.Replace(c.envelope(fmt.Sprintf(event, "")), "</s:Header>", `<t:TimeZoneContext><t:TimeZoneDefinition Id="India Standard Time"/></t:TimeZoneContext></s:Header>`, 1)
	equal(t, "of the request", start(context).Hour(), 4)
}
