package exchangetest

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// Tags and numbers of contacts. [MS-OXPROPS] 2
const (
	tagGivenName    = 0x3A06
	tagSurname      = 0x3A11
	tagCompany      = 0x3A16
	tagMiddleName   = 0x3A44
	lidFileUnder    = 0x8005
	lidFileUnderID  = 0x8006
	lidHasPicture   = 0x8015
	lidEmailList    = 0x8028
	lidEmailTypes   = 0x8029
	lidEmail        = 0x8080 // the first of three, each 16 further on
	tagContactPhoto = 0x7FFF
)

// contactProperties are those of ContactItemType.
func contactProperties() []itemProperty {
	name := func(field string, id uint16) itemProperty {
		return textAt("contacts:"+field, "AllProperties", tagged(id))
	}
	return []itemProperty{
		textAt("contacts:FileAs", "Default", address(lidFileUnder)),
		{"contacts:FileAsMapping", "AllProperties", listed, !cheap, text("t:FileAsMapping", filingOf), setFiling, false},
		name("DisplayName", mapi.PidTagDisplayName),
		name("GivenName", tagGivenName),
		name("Initials", 0x3A0A),
		name("MiddleName", tagMiddleName),
		name("Nickname", 0x3A4F),
		{"contacts:CompleteName", "AllProperties", listed, !cheap, writeCompleteName, nil, false},
		textAt("contacts:CompanyName", "Default", tagged(tagCompany)),
		dictionary("contacts:EmailAddresses", "Default", emailKeys(), putEmail),
		{"contacts:PhysicalAddresses", "AllProperties", listed, !cheap, writePlaces, setPlaces, false},
		dictionary("contacts:PhoneNumbers", "Default", phoneKeys(), putText),
		name("AssistantName", 0x3A30),
		dayAt("contacts:Birthday", 0x3A42, 0x80DE),
		name("BusinessHomePage", 0x3A51),
		textsAt("contacts:Children", "AllProperties", tagged(0x3A58)),
		textsAt("contacts:Companies", "AllProperties", common(0x8539)),
		{"contacts:ContactSource", "AllProperties", listed, !cheap, text("t:ContactSource", func(*itemData) string { return "Store" }), nil, false},
		name("Department", 0x3A18),
		name("Generation", 0x3A05),
		dictionary("contacts:ImAddresses", "AllProperties", []entry{{"ImAddress1", address(0x8062)}}, putText),
		textAt("contacts:JobTitle", "Default", tagged(0x3A17)),
		name("Manager", 0x3A4E),
		textAt("contacts:Mileage", "AllProperties", common(0x8534)),
		name("OfficeLocation", 0x3A19),
		wordAt("contacts:PostalAddressIndex", "AllProperties", address(0x8022), "None", "Home", "Business", "Other"),
		name("Profession", 0x3A46),
		name("SpouseName", 0x3A48),
		name("Surname", tagSurname),
		dayAt("contacts:WeddingAnniversary", 0x3A41, 0x80DF),
		readOnly(truthAt("contacts:HasPicture", "AllProperties", address(lidHasPicture))),
		textAt("contacts:PhoneticFirstName", "AllProperties", address(0x802C)),
		textAt("contacts:PhoneticLastName", "AllProperties", address(0x802D)),
	}
}

// filings are the values of PidLidFileUnderId. [MS-OXOCNTC] 2.2.1.1.12
func filings() []struct {
	word  string
	value int32
} {
	return []struct {
		word  string
		value int32
	}{
		{"None", 0}, {"LastCommaFirst", 0x8017}, {"FirstSpaceLast", 0x8037}, {"Company", tagCompany}, {"LastCommaFirstCompany", 0x8019},
		{"CompanyLastCommaFirst", 0x8018}, {"LastFirst", 0x8030}, {"LastSpaceFirst", 0x8031}, {"CompanyLastFirst", 0x8032},
		{"CompanyLastSpaceFirst", 0x8033}, {"LastFirstCompany", 0x8034}, {"LastSpaceFirstCompany", 0x8035}, {"LastFirstSuffix", 0x8036},
		{"LastFirstMiddleSuffix", 0x8038}, {"DisplayName", int32(mapi.PidTagDisplayName)}, {"FirstName", tagGivenName}, {"LastName", tagSurname},
		{"Empty", -3},
	}
}

func filingOf(d *itemData) string {
	n, _ := address(lidFileUnderID).number(d.m)
	for _, f := range filings() {
		if f.value == n {
			return f.word
		}
	}
	return filings()[0].word
}

func setFiling(m *mapi.Message, e *etree.Element) {
	value := int32(0)
	for _, f := range filings() {
		if e != nil && f.word == e.Text() {
			value = f.value
		}
	}
	address(lidFileUnderID).put(m, mapi.NewInt32(lidFileUnderID, value))
}

func phoneKeys() []entry {
	var list []entry
	for _, k := range []struct {
		key string
		tag uint16
	}{
		{"AssistantPhone", 0x3A2E}, {"BusinessFax", 0x3A24}, {"BusinessPhone", 0x3A08}, {"BusinessPhone2", 0x3A1B}, {"Callback", 0x3A02},
		{"CarPhone", 0x3A1E}, {"CompanyMainPhone", 0x3A57}, {"HomeFax", 0x3A25}, {"HomePhone", 0x3A09}, {"HomePhone2", 0x3A2F},
		{"Isdn", 0x3A2D}, {"MobilePhone", 0x3A1C}, {"OtherFax", 0x3A23}, {"OtherTelephone", 0x3A1F}, {"Pager", 0x3A21},
		{"PrimaryPhone", 0x3A1A}, {"RadioPhone", 0x3A1D}, {"Telex", 0x3A2C}, {"TtyTddPhone", 0x3A4B},
	} {
		list = append(list, entry{k.key, tagged(k.tag)})
	}
	return list
}

func putText(m *mapi.Message, at place, text string) {
	if text == "" {
		at.remove(m)
		return
	}
	at.put(m, mapi.NewText(at.id, text))
}

// emailKeys are the places of the addresses themselves. [MS-OXOCNTC] 2.2.1.2.3
func emailKeys() []entry {
	return []entry{{"EmailAddress1", address(lidEmail + 3)}, {"EmailAddress2", address(lidEmail + 0x13)}, {"EmailAddress3", address(lidEmail + 0x23)}}
}

// putEmail sets the five properties that an address is made of. [MS-OXOCNTC] 2.2.1.2
func putEmail(m *mapi.Message, at place, email string) {
	first := at.id - 3
	shown, kind, original, entryID := address(first), address(first+2), address(first+4), address(first+5)
	for _, s := range []place{shown, kind, at, original, entryID} {
		s.remove(m)
	}
	if email == "" {
		return
	}
	shown.put(m, mapi.NewText(shown.id, email))
	kind.put(m, mapi.NewText(kind.id, "SMTP"))
	at.put(m, mapi.NewText(at.id, email))
	original.put(m, mapi.NewText(original.id, email))
	entryID.put(m, mapi.NewBinary(entryID.id, oneOff(mapi.Address{Email: email})))
}

// dayAt is a day, which stands as a moment and, without a zone, as midnight. [MS-OXOCNTC] 2.2.1.5
func dayAt(field string, tag, local uint16) itemProperty {
	p := timeAt(field, "AllProperties", tagged(tag))
	set := p.set
	p.set = func(m *mapi.Message, e *etree.Element) {
		set(m, e)
		address(local).remove(m)
		if t, ok := tagged(tag).time(m); ok {
			address(local).put(m, mapi.NewTime(local, t.Truncate(24*time.Hour)))
		}
	}
	return p
}

// postal is where an address lives: street, city, state, country, postal code, and all in one.
type postal struct {
	key   string
	parts [5]place
	whole uint16
}

// postals are the three addresses. [MS-OXOCNTC] 2.2.1.3
func postals() []postal {
	return []postal{
		{"Home", [5]place{tagged(0x3A5D), tagged(0x3A59), tagged(0x3A5C), tagged(0x3A5A), tagged(0x3A5B)}, 0x801A},
		{"Business", [5]place{address(0x8045), address(0x8046), address(0x8047), address(0x8049), address(0x8048)}, 0x801B},
		{"Other", [5]place{tagged(0x3A63), tagged(0x3A5F), tagged(0x3A62), tagged(0x3A60), tagged(0x3A61)}, 0x801C},
	}
}

func postalParts() []string {
	return []string{"Street", "City", "State", "CountryOrRegion", "PostalCode"}
}

func writePlaces(x *xmlWriter, d *itemData) error {
	x.around("t:PhysicalAddresses", func(open func()) {
		for _, p := range postals() {
			if address(p.whole).text(d.m) == "" && p.joined(d.m) == "" {
				continue
			}
			open()
			x.start("t:Entry", "Key", p.key)
			for i, name := range postalParts() {
				if v := p.parts[i].text(d.m); v != "" {
					x.leaf("t:"+name, v)
				}
			}
			x.end()
		}
	})
	return nil
}

// joined is the address as it stands on an envelope.
func (p postal) joined(m *mapi.Message) string {
	lines := []string{p.parts[0].text(m), strings.TrimSpace(p.parts[1].text(m) + "  " + p.parts[2].text(m) + "  " + p.parts[4].text(m)), p.parts[3].text(m)}
	return strings.Trim(strings.Join(lines, "\r\n"), "\r\n")
}

func setPlaces(m *mapi.Message, given *etree.Element) {
	for e := range childrenOf(given) {
		for _, p := range postals() {
			if p.key != attr(e, "Key") {
				continue
			}
			for i, name := range postalParts() {
				if part := child(e, name); part != nil {
					putText(m, p.parts[i], part.Text())
				}
			}
			putText(m, address(p.whole), p.joined(m))
		}
	}
}

func writeCompleteName(x *xmlWriter, d *itemData) error {
	parts := []struct {
		name string
		tag  uint16
	}{{"Title", 0x3A45}, {"FirstName", tagGivenName}, {"MiddleName", tagMiddleName}, {"LastName", tagSurname}, {"Suffix", 0x3A05},
		{"Initials", 0x3A0A}, {"FullName", mapi.PidTagDisplayName}, {"Nickname", 0x3A4F}}
	x.start("t:CompleteName")
	for _, p := range parts {
		if v := tagged(p.tag).text(d.m); v != "" {
			x.leaf("t:"+p.name, v)
		}
	}
	x.end()
	return nil
}

// makeContact sets what follows from the other properties of a contact. [MS-OXOCNTC] 2.2.1.1, 2.2.1.2.11
func makeContact(m *mapi.Message) {
	given := strings.Join(strings.Fields(tagged(tagGivenName).text(m)+" "+tagged(tagMiddleName).text(m)), " ")
	last := tagged(tagSurname).text(m)
	shown := tagged(mapi.PidTagDisplayName).text(m)
	for _, name := range []string{strings.TrimSpace(given + " " + last), tagged(tagCompany).text(m), emailKeys()[0].at.text(m)} {
		if shown == "" {
			shown = name
		}
	}
	putText(m, tagged(mapi.PidTagDisplayName), shown)
	if address(lidFileUnder).text(m) == "" {
		filed := shown
		if given != "" && last != "" {
			filed = last + ", " + given
		}
		putText(m, address(lidFileUnder), filed)
	}
	if m.Properties.Find(mapi.PidTagSubject) == nil {
		setSubjectText(m, shown)
	}
	var list []byte
	var used int32
	for i, e := range emailKeys() {
		if e.at.find(m) != nil {
			list = binary.LittleEndian.AppendUint32(list, uint32(i))
			used |= 1 << i
		}
	}
	list = append(binary.LittleEndian.AppendUint32(nil, uint32(len(list)/4)), list...)
	address(lidEmailList).put(m, mapi.Property{Tag: mapi.MakeTag(lidEmailList, mapi.TypeInt32|mapi.MultiValue), Data: list, Size: int64(len(list))})
	address(lidEmailTypes).put(m, mapi.NewInt32(lidEmailTypes, used))
	photo := false
	for _, a := range m.Attachments {
		is, _ := a.Properties.Bool(tagContactPhoto)
		photo = photo || is
	}
	address(lidHasPicture).put(m, mapi.NewBool(lidHasPicture, photo))
}
