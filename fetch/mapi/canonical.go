package mapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

//go:generate go run gentables.go

type (
	tagName struct {
		tag  Tag
		name string
	}
	setName struct {
		set  GUID
		name string
	}
	lidName struct {
		key  uint64
		name string
	}
)

// Canonical is the name of the tag in [MS-OXPROPS], such as PidTagSubject, and
// its number, such as 0x8001001F, where it has none. Where an id has many
// meanings the type tells them apart, as far as it can.
func (t Tag) Canonical() string {
	id := t.ID()
	from, _ := slices.BinarySearchFunc(tagTable[:], MakeTag(id, 0), func(e tagName, t Tag) int { return cmp.Compare(e.tag, t) })
	var first string
	for _, e := range tagTable[from:] {
		if e.tag.ID() != id {
			break
		}
		if e.tag.Type().family() == t.Type().family() {
			return e.name
		}
		if first == "" {
			first = e.name
		}
	}
	if first == "" || classSpecific(id) {
		return fmt.Sprintf("0x%08X", uint32(t))
	}
	return first
}

// classSpecific ids mean what the class of their message says [MS-OXPROPS] 1.3.3:
// without the type expected they are likely another property.
func classSpecific(id uint16) bool { return id >= 0x6800 && id < 0x7C00 }

// family makes one of all types of strings, keeping lists apart.
func (t Type) family() Type {
	switch {
	case t.IsString():
		return TypeUnicode
	case t&CodePage != 0, t == TypeString8|MultiValue:
		return TypeUnicode | MultiValue
	}
	return t
}

// Canonical is the name of the property set, such as PSETID_Appointment, and the
// GUID in braces where it has none.
func (g GUID) Canonical() string {
	if i := g.place(); i >= 0 {
		return setTable[i].name
	}
	return "{" + g.String() + "}"
}

// place is where the set stands in setTable, -1 when it does not.
func (g GUID) place() int {
	for i := range setTable {
		if setTable[i].set == g {
			return i
		}
	}
	return -1
}

// Canonical is the name of the property in [MS-OXPROPS], such as
// PidLidReminderSet; SET/0x8503 or SET/"name" where it has none.
func (n Name) Canonical() string {
	switch {
	case n == NameCategories():
		return "PidNameKeywords"
	case n.Text != "":
		return n.Set.Canonical() + "/" + quote(n.Text, maxNameShown)
	}
	if i := n.Set.place(); i >= 0 {
		key := uint64(i)<<32 | uint64(n.LID)
		at, found := slices.BinarySearchFunc(lidTable[:], key, func(e lidName, key uint64) int { return cmp.Compare(e.key, key) })
		if found {
			return lidTable[at].name
		}
	}
	return fmt.Sprintf("%s/0x%04X", n.Set.Canonical(), n.LID)
}

// Canonical is the name of the property: of its Name where it has one, else of its tag.
func (p *Property) Canonical() string {
	if p.Name != nil {
		return p.Name.Canonical()
	}
	return p.Tag.Canonical()
}

// String is the name of the type in [MS-OXCDATA] 2.11.1, such as PtypInteger32;
// PtypString(1252) for strings in a code page, and the number for types that have none.
func (t Type) String() string {
	if t&CodePage != 0 {
		name := "PtypString"
		number, list := t.page()
		if list {
			name = "PtypMultipleString"
		}
		return fmt.Sprintf("%s(%d)", name, number)
	}
	single := t &^ MultiValue
	name := typeName(single)
	switch {
	case name == "" || t != single && (single < TypeInt16 || !listable(single)):
		return fmt.Sprintf("0x%04X", uint16(t))
	case t != single:
		return strings.Replace(name, "Ptyp", "PtypMultiple", 1)
	}
	return name
}

func typeName(t Type) string {
	switch t {
	case 0:
		return "PtypUnspecified"
	case 1:
		return "PtypNull"
	case TypeInt16:
		return "PtypInteger16"
	case TypeInt32:
		return "PtypInteger32"
	case TypeFloat32:
		return "PtypFloating32"
	case TypeFloat64:
		return "PtypFloating64"
	case TypeCurrency:
		return "PtypCurrency"
	case TypeAppTime:
		return "PtypFloatingTime"
	case TypeError:
		return "PtypErrorCode"
	case TypeBool:
		return "PtypBoolean"
	case TypeObject:
		return "PtypObject"
	case TypeInt64:
		return "PtypInteger64"
	case TypeString8:
		return "PtypString8"
	case TypeUnicode:
		return "PtypString"
	case TypeTime:
		return "PtypTime"
	case TypeGUID:
		return "PtypGuid"
	case TypeServerID:
		return "PtypServerId"
	case TypeRestriction:
		return "PtypRestriction"
	case TypeRuleAction:
		return "PtypRuleAction"
	case TypeBinary:
		return "PtypBinary"
	}
	return ""
}
