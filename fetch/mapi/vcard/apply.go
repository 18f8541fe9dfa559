package vcard

import (
	"slices"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// Apply makes m the contact that the first card of vcf describes: it sets the
// class and every property that the card has a value for, and leaves the others.
func Apply(m *mapi.Message, vcf []byte) error {
	c, err := read(vcf)
	if err != nil {
		return err
	}
	for _, p := range c.bag {
		m.Properties.Set(p)
	}
	if c.bag.Find(mapi.PidTagBody) != nil {
		m.Properties.Remove(mapi.PidTagHTML)
		m.Properties.Remove(mapi.PidTagRtfCompressed)
	}
	if c.photo != nil {
		m.Attachments = append(m.Attachments, photoAttachment(*c.photo, int32(len(m.Attachments))))
	}
	return nil
}

// Lost names the vCard properties of the first card that have no place in a
// contact, or none left, in the order they first stand there.
func Lost(vcf []byte) []string {
	c, err := read(vcf)
	if err != nil {
		return nil
	}
	return c.lost
}

// contact collects what the lines of a card say.
type contact struct {
	bag       mapi.Bag
	lost      []string
	labels    map[string]string // by group, what Apple's address book calls the line
	phones    []line
	emails    []line
	addresses []line
	notes     []string
	children  []string
	photo     *picture
	mailing   string // X-MS-OL-DEFAULT-POSTAL-ADDRESS
}

func read(vcf []byte) (*contact, error) {
	cards, err := Split(vcf)
	if err != nil {
		return nil, err
	}
	lines := parse(cards[0])
	c := &contact{labels: map[string]string{}}
	for i := range lines {
		if l := &lines[i]; l.name == "X-ABLABEL" && l.group != "" {
			c.labels[l.group] = strings.ToLower(l.plain())
		}
	}
	for i := range lines {
		l := &lines[i]
		if label := c.labels[l.group]; label != "" && l.name != "X-ABLABEL" {
			l.types = append(l.types, appleType(label))
		}
		if len(strings.Trim(string(l.value[:min(len(l.value), 64)]), "; \t\r\n")) > 0 && !c.take(l) {
			c.lose(l.name)
		}
	}
	c.finish()
	return c, nil
}

// appleType is what Apple calls a type of its own: _$!<HomePage>!$_.
func appleType(label string) string {
	return strings.TrimSuffix(strings.TrimPrefix(label, "_$!<"), ">!$_")
}

func (c *contact) lose(name string) {
	const names, longest = 64, 64
	if name = name[:min(len(name), longest)]; len(c.lost) < names && !slices.Contains(c.lost, name) {
		c.lost = append(c.lost, name)
	}
}

// take gives a line its place; false when there is none.
func (c *contact) take(l *line) bool {
	switch l.name {
	case "VERSION", "PRODID", "PROFILE", "X-PRODID": // say nothing about the contact
		return true
	case "FN":
		return c.put(displayName, l.plain())
	case "N":
		return c.takeName(l)
	case "TEL", "X-MS-TEL":
		c.phones = append(c.phones, *l)
		return true
	case "EMAIL":
		c.emails = append(c.emails, *l)
		return true
	case "ADR":
		c.addresses = append(c.addresses, *l)
		return true
	case "LABEL":
		return c.put(addressOf(l).whole, l.plain())
	case "X-MS-OL-DEFAULT-POSTAL-ADDRESS":
		c.mailing = l.plain()
		return true
	case "ORG":
		return c.takeOrganization(l)
	case "URL":
		return c.takeURL(l)
	case "PHOTO":
		return c.takePhoto(l)
	case "NOTE":
		if note := l.plain(); strings.TrimSpace(note) != "" {
			c.notes = append(c.notes, note)
		}
		return true
	case "X-ABLABEL": // those of Apple's own are types of other lines
		return strings.HasPrefix(l.plain(), "_$!<")
	}
	return c.takeRare(l)
}

func (c *contact) takeRare(l *line) bool {
	switch l.name {
	case "BDAY":
		return c.takeDate(l, birthday, birthdayLocal)
	case "ANNIVERSARY", "X-ANNIVERSARY", "X-MS-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-KADDRESSBOOK-X-ANNIVERSARY":
		return c.takeDate(l, anniversary, anniversaryDay)
	case "X-ABDATE":
		return l.is("anniversary") && c.takeDate(l, anniversary, anniversaryDay)
	case "RELATED", "X-ABRELATEDNAMES":
		return c.takeRelated(l)
	case "X-MS-CHILD":
		return c.takeChild(l.plain())
	case "CATEGORIES":
		return c.takeCategories(l)
	case "CLASS":
		return c.takeClass(l)
	case "GENDER", "X-GENDER", "X-WAB-GENDER":
		return c.takeGender(l)
	case "KIND", "X-ADDRESSBOOKSERVER-KIND":
		return strings.EqualFold(l.plain(), "individual")
	case "REV":
		at, ok := parseTime(l.plain())
		return ok && c.add(place(mapi.PidTagLastModificationTime), mapi.NewTime(0, at))
	case "X-MS-TEXT", "X-CUSTOM":
		field := l.params["CUSTOM"]
		n := strings.Index("1234", field)
		return len(field) == 1 && n >= 0 && c.put(userField1+place(n), l.plain())
	}
	for _, t := range texts {
		if t.name == l.name {
			return c.put(t.at, l.plain())
		}
	}
	return false
}

// put gives a text its place; false when another one has it.
func (c *contact) put(at place, text string) bool {
	if text = strings.TrimSpace(text); text == "" {
		return true
	}
	if at.find(c.bag) != nil {
		return at.text(c.bag) == text
	}
	return c.add(at, mapi.NewText(0, text))
}

// add gives a value its place; false when another one has it.
func (c *contact) add(at place, p mapi.Property) bool {
	if at.find(c.bag) != nil {
		return false
	}
	c.bag = append(c.bag, at.put(p))
	return true
}

func (c *contact) takeOrganization(l *line) bool {
	units := l.parts(2)
	company := c.put(companyName, units[0])
	return c.put(departmentName, strings.TrimRight(strings.Join(units[1:], "; "), "; ")) && company
}

// takeURL: the page of the business stands in two places [MS-OXOCNTC] 2.2.1.10.12, 2.2.1.10.13.
func (c *contact) takeURL(l *line) bool {
	page := l.plain()
	if l.is("home") || l.is("homepage") && businessPage.find(c.bag) != nil {
		return c.put(personalPage, page)
	}
	if !c.put(businessPage, page) {
		return !l.is("work") && c.put(personalPage, page)
	}
	return c.put(webPage, page)
}

func (c *contact) takeCategories(l *line) bool {
	const most = 256
	list := c.bag.TextsNamed(mapi.NameCategories())
	for _, s := range cut(l.text(), ',') {
		if s = strings.TrimSpace(unescape(s)); s != "" && len(list) < most && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	if len(list) > 0 {
		c.bag.Set(mapi.NewNamedTexts(mapi.NameCategories(), list))
	}
	return len(list) < most
}

// takeClass: [MS-OXVCARD] 2.1.3.7.1.
func (c *contact) takeClass(l *line) bool {
	for i, class := range classes() {
		if class != "" && strings.EqualFold(class, l.plain()) {
			return c.add(place(mapi.PidTagSensitivity), mapi.NewInt32(0, int32(i)))
		}
	}
	return false
}

// classes are those of RFC 2426 by PidTagSensitivity: 1, personal, has none.
func classes() []string { return []string{"PUBLIC", "", "PRIVATE", "CONFIDENTIAL"} }

// takeGender: 1 is female, 2 is male [MS-OXOCNTC] 2.2.1.10.20.
func (c *contact) takeGender(l *line) bool {
	var value byte
	switch word, _, _ := strings.Cut(strings.ToUpper(l.text()), ";"); word {
	case "F", "FEMALE", "1":
		value = 1
	case "M", "MALE", "2":
		value = 2
	default:
		return false
	}
	if have := gender.find(c.bag); have != nil {
		return have.Data[0] == value
	}
	return c.add(gender, mapi.Property{Tag: mapi.MakeTag(0, mapi.TypeInt16), Data: []byte{value, 0}, Size: 2})
}

// takeRelated takes those relations that are names and that a contact knows.
func (c *contact) takeRelated(l *line) bool {
	name := l.plain()
	if strings.EqualFold(l.params["VALUE"], "uri") || strings.HasPrefix(name, "urn:") {
		return false
	}
	switch {
	case l.is("child"):
		return c.takeChild(name)
	case l.is("spouse"):
		return c.put(0x3A48, name)
	case l.is("manager"):
		return c.put(0x3A4E, name)
	case l.is("assistant"):
		return c.put(0x3A30, name)
	}
	return false
}

func (c *contact) takeChild(name string) bool {
	const most = 256
	if name = strings.TrimSpace(name); name != "" && len(c.children) < most {
		c.children = append(c.children, name)
	}
	return len(c.children) < most
}

// finish makes what follows from all lines together.
func (c *contact) finish() {
	c.finishPhones()
	c.finishAddresses()
	c.finishEmails()
	if len(c.notes) > 0 {
		c.bag.Set(mapi.NewText(mapi.PidTagBody, strings.Join(c.notes, "\r\n\r\n")))
	}
	if len(c.children) > 0 {
		c.bag.Set(mapi.NewTexts(uint16(childrensNames), c.children))
	}
	if c.photo != nil {
		c.add(hasPicture, mapi.NewBool(0, true))
	}
	c.finishNames()
}

// noon of the day in UTC is the same day nearly everywhere [MS-ASCNTC] 2.2.2.6.
func noon(day time.Time) time.Time { return day.Add(11*time.Hour + 59*time.Minute) }

// takeDate stores a day twice: the older property as a moment, the newer one as
// midnight without a time zone [MS-OXOCNTC] 2.2.1.5.
func (c *contact) takeDate(l *line, moment, local place) bool {
	day, ok := parseDay(l.plain())
	if !ok {
		return false
	}
	if have, told := dayAt(c.bag, moment, local); told {
		return have.Equal(day)
	}
	return c.add(moment, mapi.NewTime(0, noon(day))) && c.add(local, mapi.NewTime(0, day))
}
