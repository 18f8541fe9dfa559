package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// Apply reads a text/calendar body and sets the properties that Exchange would
// set of it [MS-OXCICAL] 2.1.3. Of a calendar with several series or tasks it
// takes the first: Split makes one of each. Subject, body, sender and recipients
// that the message has already stay. Any other input is ErrNotCalendar.
func Apply(m *mapi.Message, ics []byte) error {
	calendars, err := parse(ics)
	if err != nil {
		return err
	}
	for _, cal := range calendars {
		if groups := groupsOf(cal); len(groups) > 0 {
			newReader(cal, groups[0]).apply(m)
			return nil
		}
	}
	return fmt.Errorf("%w: it has no event and no task", ErrNotCalendar)
}

// group is one series: what has the same UID.
type group struct {
	uid       string
	main      *component   // the series or single event; where it is not there, one of its instances
	instances []*component // those with a RECURRENCE-ID beside main
}

// groupsOf sorts events and tasks by UID, in the order of the calendar.
func groupsOf(cal *component) []group {
	var groups []group
	place := map[string]int{}
	for i, c := range cal.subs {
		if c.name != "VEVENT" && c.name != "VTODO" {
			continue
		}
		uid := strings.TrimSpace(c.text("UID"))
		key := c.name + uid
		if uid == "" { // each stands for itself
			key = strconv.Itoa(i)
		}
		at, known := place[key]
		if !known {
			place[key] = len(groups)
			groups = append(groups, group{uid: uid, main: c})
			continue
		}
		groups[at].add(c)
	}
	return groups
}

func (g *group) add(c *component) {
	isInstance := func(c *component) bool { return c.find("RECURRENCE-ID") != nil }
	switch {
	case isInstance(c) && len(g.instances) < maxInstances:
		g.instances = append(g.instances, c)
	case isInstance(g.main):
		g.instances = append(g.instances, g.main)
		g.main = c
	case sequence(c) > sequence(g.main): // the same twice: the newer one
		g.main = c
	}
}

func sequence(c *component) int {
	n, _ := strconv.Atoi(c.value("SEQUENCE"))
	return n
}

// reader makes properties of a group.
type reader struct {
	group
	method string
	zones  *zones
}

func newReader(cal *component, g group) *reader {
	start, ok := parseWall(g.main.value("DTSTART"))
	if !ok {
		start, _ = parseWall(g.main.value("DUE"))
	}
	return &reader{group: g, method: strings.ToUpper(cal.value("METHOD")), zones: zonesOf(cal, start.wall.Year())}
}

func (r *reader) apply(m *mapi.Message) {
	b := bag{&m.Properties}
	b.Set(mapi.NewText(mapi.PidTagMessageClass, r.class()))
	r.texts(m, r.main)
	r.common(b, r.main)
	r.identity(b, r.main)
	if r.main.name == "VTODO" {
		r.task(b)
		return
	}
	when := r.event(b, r.main)
	r.meeting(m)
	if when.known && r.main.find("RECURRENCE-ID") == nil {
		r.series(m, when)
	}
}

// class is the message class [MS-OXCICAL] 2.1.3.1.1.1.
func (r *reader) class() string {
	if r.main.name == "VTODO" {
		return "IPM.Task"
	}
	switch r.method {
	case "REQUEST":
		return "IPM.Schedule.Meeting.Request"
	case "CANCEL":
		return "IPM.Schedule.Meeting.Canceled"
	case "COUNTER":
		return "IPM.Schedule.Meeting.Resp.Tent"
	case "REPLY":
		switch r.response() {
		case responseAccepted:
			return "IPM.Schedule.Meeting.Resp.Pos"
		case responseDeclined:
			return "IPM.Schedule.Meeting.Resp.Neg"
		}
		return "IPM.Schedule.Meeting.Resp.Tent"
	}
	return "IPM.Appointment"
}

func (r *reader) isResponse() bool { return r.method == "REPLY" || r.method == "COUNTER" }

// response is that of the one attendee of a REPLY.
func (r *reader) response() int32 {
	a, _ := parsePerson(r.main.find("ATTENDEE"))
	return a.track
}

// texts sets subject and bodies where there are none.
func (r *reader) texts(m *mapi.Message, c *component) {
	b := bag{&m.Properties}
	if b.Find(mapi.PidTagSubject) == nil {
		b.Set(mapi.NewText(mapi.PidTagSubject, oneLine(c.text("SUMMARY"))))
	}
	if b.Find(mapi.PidTagBody) != nil || b.Find(mapi.PidTagHTML) != nil || b.Find(mapi.PidTagRtfCompressed) != nil {
		return
	}
	text := c.text("DESCRIPTION")
	if text == "" && r.isResponse() {
		text = c.text("COMMENT")
	}
	if text != "" {
		b.Set(mapi.NewText(mapi.PidTagBody, strings.ReplaceAll(text, "\n", "\r\n")))
		b.fill(mapi.NewInt32(mapi.PidTagNativeBody, mapi.NativePlain))
	}
	if page := c.find("X-ALT-DESC"); page != nil && strings.EqualFold(page.param("FMTTYPE"), "text/html") {
		b.Set(mapi.NewBinary(mapi.PidTagHTML, []byte(unescape(page.value))))
		b.Set(mapi.NewInt32(mapi.PidTagInternetCodepage, 65001))
		b.Set(mapi.NewInt32(mapi.PidTagNativeBody, mapi.NativeHTML))
	}
}

// common sets what events and tasks have alike.
func (r *reader) common(b bag, c *component) {
	if v, ok := sensitivity(c.value("CLASS")); ok {
		b.Set(mapi.NewInt32(mapi.PidTagSensitivity, v))
		b.setFlag(lidPrivate, v == 2)
	}
	if v, ok := importance(c); ok {
		b.Set(mapi.NewInt32(mapi.PidTagImportance, v))
	}
	if list := texts(c, "CATEGORIES"); len(list) > 0 {
		b.Set(mapi.NewNamedTexts(mapi.NameCategories(), list))
	}
	if list := texts(c, "CONTACT"); len(list) > 0 {
		b.Set(mapi.NewNamedTexts(lidContacts.name(), list))
	}
	if t, ok := r.zones.moment(c.find("CREATED")); ok {
		b.fill(mapi.NewTime(mapi.PidTagCreationTime, t.instant()))
	}
	if t, ok := r.zones.moment(c.find("LAST-MODIFIED")); ok {
		b.fill(mapi.NewTime(mapi.PidTagLastModificationTime, t.instant()))
	}
}

const maxTexts = 1000

// texts are the values of all properties of a name.
func texts(c *component, name string) []string {
	var list []string
	for _, p := range c.all(name) {
		for _, v := range splitText(p.value) {
			if !slices.Contains(list, v) && len(list) < maxTexts {
				list = append(list, v)
			}
		}
	}
	return list
}

// sensitivity [MS-OXCICAL] 2.1.3.1.1.20.4.
func sensitivity(class string) (int32, bool) {
	switch strings.ToUpper(class) {
	case "PUBLIC":
		return 0, true
	case "PERSONAL", "X-PERSONAL":
		return 1, true
	case "PRIVATE":
		return 2, true
	case "CONFIDENTIAL":
		return 3, true
	}
	return 0, false
}

func importance(c *component) (int32, bool) {
	if n, err := strconv.Atoi(c.value("X-MICROSOFT-CDO-IMPORTANCE")); err == nil && n >= 0 && n <= 2 {
		return int32(n), true
	}
	n, err := strconv.Atoi(c.value("PRIORITY"))
	if err != nil || n < 1 || n > 9 {
		return 0, false
	}
	return int32(1 - cmp.Compare(n, 5)), true
}

// identity sets what tells which series and instance this is [MS-OXCICAL] 2.1.3.1.1.20.26.
func (r *reader) identity(b bag, c *component) {
	if r.uid != "" {
		id := GlobalObjectIDOf(r.uid)
		if at, ok := r.zones.moment(c.find("RECURRENCE-ID")); ok {
			wall := at.wall
			if at.utc {
				wall = r.zones.floating.local(wall)
			}
			id = id.Instance(wall)
		}
		b.setBinary(lidGlobalObjectID, id.Bytes())
		b.setBinary(lidCleanGlobalObjectID, id.Clean().Bytes())
	}
	if at, ok := r.zones.moment(c.find("RECURRENCE-ID")); ok {
		b.setTime(lidReplaceTime, at.instant())
		b.setFlag(lidIsException, true)
	}
}

// stamp is when the sender made this: an X- property of his, else DTSTAMP.
func (r *reader) stamp(c *component, name string) (time.Time, bool) {
	p := c.find(name)
	if p == nil {
		p = c.find("DTSTAMP")
	}
	t, ok := r.zones.moment(p)
	return t.instant(), ok
}
