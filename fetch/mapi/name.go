package mapi

import "fmt"

// GUID holds the bytes as they stand on the wire: the first three groups little endian.
type GUID [16]byte

func (g GUID) String() string {
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x",
		g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8:10], g[10:])
}

// Name identifies a property whose id is local to one mailbox [MS-OXCDATA] 2.6.1.
type Name struct {
	Set  GUID
	LID  uint32
	Text string // not empty: named by this string, else by LID
}

func (n Name) String() string {
	if n.Text != "" {
		return fmt.Sprintf("{%v}/%s", n.Set, n.Text)
	}
	return fmt.Sprintf("{%v}/0x%04X", n.Set, n.LID)
}

func outlookSet(first uint32) GUID {
	return GUID{byte(first), byte(first >> 8), byte(first >> 16), byte(first >> 24),
		0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}
}

// The property sets [MS-OXPROPS] 1.3.2.
func SetPublicStrings() GUID   { return outlookSet(0x00020329) }
func SetInternetHeaders() GUID { return outlookSet(0x00020386) }
func SetCommon() GUID          { return outlookSet(0x00062008) }
func SetAppointment() GUID     { return outlookSet(0x00062002) }
func SetTask() GUID            { return outlookSet(0x00062003) }
func SetAddress() GUID         { return outlookSet(0x00062004) }

// NameCategories is the list of a message's categories.
func NameCategories() Name { return Name{Set: SetPublicStrings(), Text: "Keywords"} }
