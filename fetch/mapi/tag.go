package mapi

import (
	"fmt"

	"mailbrick/fetch/mapi/codepage"
)

// Type is the type of a value [MS-OXCDATA] 2.11.1.
type Type uint16

const (
	TypeInt16       Type = 0x0002
	TypeInt32       Type = 0x0003
	TypeFloat32     Type = 0x0004
	TypeFloat64     Type = 0x0005
	TypeCurrency    Type = 0x0006
	TypeAppTime     Type = 0x0007
	TypeError       Type = 0x000A
	TypeBool        Type = 0x000B
	TypeObject      Type = 0x000D
	TypeInt64       Type = 0x0014
	TypeString8     Type = 0x001E
	TypeUnicode     Type = 0x001F
	TypeTime        Type = 0x0040
	TypeGUID        Type = 0x0048
	TypeServerID    Type = 0x00FB
	TypeRestriction Type = 0x00FD
	TypeRuleAction  Type = 0x00FE
	TypeBinary      Type = 0x0102
	TypeText        Type = 0x84B0 // UTF-16LE as a code-page string: the normal string of an export
	TypeTexts       Type = 0x101F

	// MultiValue is the bit that makes a type a list of that type [MS-OXCDATA] 2.11.1.
	MultiValue Type = 0x1000
	// CodePage is the bit that marks a string type whose low 15 bits are a code page [MS-OXCFXICS] 2.2.4.1.1.
	CodePage Type = 0x8000
)

// Layout says how values of a type lie in an export stream.
type Layout uint8

const (
	LayoutUnknown  Layout = iota
	LayoutFixed           // Width bytes
	LayoutVariable        // length:u32 bytes
	LayoutFixedMV         // count:u32, count times Width bytes
	LayoutVarMV           // count:u32, count times length:u32 bytes
)

// Layout is the layout of t and the width of its fixed part (0 where variable).
func (t Type) Layout() (Layout, int) {
	if t&CodePage != 0 {
		if _, list := t.page(); list {
			return LayoutVarMV, 0
		}
		return LayoutVariable, 0
	}
	width, known := width(t &^ MultiValue)
	switch {
	case !known:
		return LayoutUnknown, 0
	case t&MultiValue == 0 && width == 0:
		return LayoutVariable, 0
	case t&MultiValue == 0:
		return LayoutFixed, width
	case !listable(t &^ MultiValue):
		return LayoutUnknown, 0
	case width == 0:
		return LayoutVarMV, 0
	}
	return LayoutFixedMV, width
}

// page is the code page of a code-page type, and whether it is a list. The bit of
// lists is also one of the numbers of code pages, such as 20866 and 21866, KOI8:
// 0xD182 is a string in 20866, but 0x94B0 is a list of strings in 1200, for there
// is no code page 5296.
func (t Type) page() (number int, list bool) {
	number = int(t &^ CodePage)
	if t&MultiValue == 0 || codepage.Name(number) != "" {
		return number, false
	}
	return number &^ int(MultiValue), true
}

// width is the size of a single value; 0 where it carries its length.
func width(t Type) (int, bool) {
	switch t {
	case TypeInt16, TypeBool: // a Boolean takes two bytes here [MS-OXCFXICS] 2.2.4.1.3
		return 2, true
	case TypeInt32, TypeFloat32, TypeError:
		return 4, true
	case TypeFloat64, TypeCurrency, TypeAppTime, TypeInt64, TypeTime:
		return 8, true
	case TypeGUID:
		return 16, true
	case TypeString8, TypeUnicode, TypeBinary, TypeObject, TypeServerID, TypeRestriction, TypeRuleAction:
		return 0, true
	}
	return 0, false
}

func listable(t Type) bool {
	switch t {
	case TypeError, TypeBool, TypeObject, TypeServerID, TypeRestriction, TypeRuleAction:
		return false
	}
	return true
}

// IsString says whether values of t are one string.
func (t Type) IsString() bool {
	if t&CodePage != 0 {
		_, list := t.page()
		return !list
	}
	return t == TypeString8 || t == TypeUnicode
}

// IsUTF16 says whether the strings of t are made of two-byte units.
func (t Type) IsUTF16() bool {
	switch t &^ MultiValue {
	case TypeUnicode, TypeText, CodePage | 1201:
		return true
	}
	return false
}

// Tag names a property: id<<16 | type.
type Tag uint32

func MakeTag(id uint16, t Type) Tag { return Tag(id)<<16 | Tag(t) }

func (t Tag) ID() uint16     { return uint16(t >> 16) }
func (t Tag) Type() Type     { return Type(t) }
func (t Tag) String() string { return fmt.Sprintf("%08X", uint32(t)) }

// FirstNamed is the first id that means something only through a Name.
const FirstNamed = 0x8000
