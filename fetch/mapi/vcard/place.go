package vcard

import "mailbrick/fetch/mapi"

// place is where a value lives: the id of a tag, or, from FirstNamed on, one of PSETID_Address [MS-OXOCNTC] 2.2.1.
type place uint16

const (
	generation      place = 0x3A05
	givenName       place = 0x3A06
	surname         place = 0x3A11
	middleName      place = 0x3A44
	namePrefix      place = 0x3A45
	displayName     place = 0x3001
	companyName     place = 0x3A16
	departmentName  place = 0x3A18
	officeLocation  place = 0x3A19
	primaryPhone    place = 0x3A1A
	otherPhone      place = 0x3A1F
	telex           place = 0x3A2C
	anniversary     place = 0x3A41
	birthday        place = 0x3A42
	gender          place = 0x3A4D
	personalPage    place = 0x3A50
	businessPage    place = 0x3A51
	childrensNames  place = 0x3A58
	postalAddress   place = 0x3A15
	contactPhoto    place = 0x7FFF
	fileUnder       place = 0x8005
	fileUnderID     place = 0x8006
	hasPicture      place = 0x8015
	postalAddressID place = 0x8022
	emailList       place = 0x8028
	emailArrayType  place = 0x8029
	webPage         place = 0x802B
	imAddress       place = 0x8062
	userField1      place = 0x804F
	birthdayLocal   place = 0x80DE
	anniversaryDay  place = 0x80DF
)

// texts are the vCard properties that are one text, and their places. The first
// name of a place is the one written.
var texts = [...]struct {
	name string
	at   place
}{
	{"NICKNAME", 0x3A4F},
	{"TITLE", 0x3A17},
	{"ROLE", 0x3A46}, {"X-PROFESSION", 0x3A46},
	{"X-MS-MANAGER", 0x3A4E}, {"X-MANAGER", 0x3A4E}, {"X-EVOLUTION-MANAGER", 0x3A4E}, {"X-KADDRESSBOOK-X-MANAGERSNAME", 0x3A4E},
	{"X-MS-ASSISTANT", 0x3A30}, {"X-ASSISTANT", 0x3A30}, {"X-EVOLUTION-ASSISTANT", 0x3A30}, {"X-KADDRESSBOOK-X-ASSISTANTSNAME", 0x3A30},
	{"X-MS-SPOUSE", 0x3A48}, {"X-SPOUSE", 0x3A48}, {"X-EVOLUTION-SPOUSE", 0x3A48}, {"X-KADDRESSBOOK-X-SPOUSESNAME", 0x3A48},
	{"X-MS-INTERESTS", 0x3A43}, {"HOBBY", 0x3A43}, {"INTEREST", 0x3A43},
	{"X-PHONETIC-FIRST-NAME", 0x802C}, {"X-PHONETIC-LAST-NAME", 0x802D}, {"X-PHONETIC-ORG", 0x802E},
	{"X-MS-IMADDRESS", imAddress}, {"IMPP", imAddress}, {"X-MS-RM-IMACCOUNT", imAddress}, {"X-KADDRESSBOOK-X-IMADDRESS", imAddress},
	{"X-AIM", imAddress}, {"X-ICQ", imAddress}, {"X-JABBER", imAddress}, {"X-MSN", imAddress}, {"X-YAHOO", imAddress}, {"X-SKYPE", imAddress},
	{"X-SKYPE-USERNAME", imAddress}, {"X-GTALK", imAddress}, {"X-GOOGLE-TALK", imAddress}, {"X-QQ", imAddress}, {"X-SIP", imAddress},
	{"FBURL", 0x80D8},
	{"X-EVOLUTION-FILE-AS", fileUnder}, {"X-FILE-AS", fileUnder},
	{"LANG", 0x3A0C},
	{"X-MS-OFFICE", officeLocation}, {"X-EVOLUTION-OFFICE", officeLocation}, {"X-KADDRESSBOOK-X-OFFICE", officeLocation},
	{"X-DEPARTMENT", departmentName}, {"X-KADDRESSBOOK-X-DEPARTMENT", departmentName},
}

func (p place) name() mapi.Name { return mapi.Name{Set: mapi.SetAddress(), LID: uint32(p)} }

// put makes a property for the place of one that was made for a tag.
func (p place) put(v mapi.Property) mapi.Property {
	if p < mapi.FirstNamed {
		v.Tag = mapi.MakeTag(uint16(p), v.Tag.Type())
		return v
	}
	return mapi.NewNamed(p.name(), v)
}

func (p place) find(b mapi.Bag) *mapi.Property {
	if p < mapi.FirstNamed {
		return b.Find(uint16(p))
	}
	return b.FindNamed(p.name())
}

// text is the string at the place, "" when there is none.
func (p place) text(b mapi.Bag) string {
	if v := p.find(b); v != nil && v.Tag.Type().IsString() {
		return v.Text(b.CodePage())
	}
	return ""
}
