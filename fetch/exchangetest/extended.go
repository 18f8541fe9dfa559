package exchangetest

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// propertyTypes is MapiPropertyTypeType.
const propertyTypes = "ApplicationTime ApplicationTimeArray Binary BinaryArray Boolean CLSID CLSIDArray Currency " +
	"CurrencyArray Double DoubleArray Error Float FloatArray Integer IntegerArray Long LongArray Null Object ObjectArray " +
	"Short ShortArray SystemTime SystemTimeArray String StringArray"

// extendedField is an ExtendedFieldURI: a property by tag or by name.
type extendedField struct {
	tag        uint16
	name       *mapi.Name
	kind       string   // PropertyType
	attributes []string // as they came, to be given back
}

// readExtended reads one. EWS: a tag alone, or a set and a name or id.
func readExtended(e *etree.Element) (extendedField, *failure) {
	x := extendedField{kind: attr(e, "PropertyType")}
	for _, name := range []string{"DistinguishedPropertySetId", "PropertySetId", "PropertyTag", "PropertyName", "PropertyId", "PropertyType"} {
		if hasAttr(e, name) {
			x.attributes = append(x.attributes, name, attr(e, name))
		}
	}
	invalid := fail("ErrorInvalidExtendedProperty")
	if slices.Contains([]string{"Null", "Object", "ObjectArray", "Error"}, x.kind) {
		return x, fail("ErrorUnsupportedMapiPropertyType")
	}
	hasSet := hasAttr(e, "DistinguishedPropertySetId") || hasAttr(e, "PropertySetId")
	hasName := hasAttr(e, "PropertyName") || hasAttr(e, "PropertyId")
	if hasAttr(e, "PropertyTag") {
		n, err := strconv.ParseUint(attr(e, "PropertyTag"), 0, 16)
		if err != nil || hasSet || hasName {
			return x, invalid
		}
		if n >= mapi.FirstNamed {
			return x, fail("ErrorNoPropertyTagForCustomProperties")
		}
		x.tag = uint16(n)
		return x, nil
	}
	if !hasSet || !hasName || hasAttr(e, "PropertyName") && hasAttr(e, "PropertyId") ||
		hasAttr(e, "DistinguishedPropertySetId") && hasAttr(e, "PropertySetId") {
		return x, invalid
	}
	x.name = readName(e)
	return x, nil
}

func readName(e *etree.Element) *mapi.Name {
	name := mapi.Name{Set: distinguishedSet(attr(e, "DistinguishedPropertySetId")), Text: attr(e, "PropertyName")}
	if guid, ok := parseGUID(attr(e, "PropertySetId")); ok {
		name.Set = guid
	}
	if id, err := strconv.ParseInt(attr(e, "PropertyId"), 10, 64); err == nil {
		name.LID = uint32(id)
	}
	return &name
}

// distinguishedSet is the GUID of a DistinguishedPropertySetId. [MS-OXPROPS] 1.3.2
func distinguishedSet(name string) mapi.GUID {
	texts := map[string]string{
		"Meeting":           "6ed8da90-450b-101b-98da-00aa003f1305",
		"Appointment":       "00062002-0000-0000-c000-000000000046",
		"Common":            "00062008-0000-0000-c000-000000000046",
		"PublicStrings":     "00020329-0000-0000-c000-000000000046",
		"Address":           "00062004-0000-0000-c000-000000000046",
		"InternetHeaders":   "00020386-0000-0000-c000-000000000046",
		"CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
		"UnifiedMessaging":  "4442858e-a9e3-4e80-b900-317a210cc15b",
		"Task":              "00062003-0000-0000-c000-000000000046",
		"Sharing":           "00062040-0000-0000-c000-000000000046",
	}
	guid, _ := parseGUID(texts[name])
	return guid
}

// write writes an ExtendedProperty; a property that is not there, or not of the
// type asked for, is left out.
func (e extendedField) write(x *xmlWriter, p *mapi.Property) {
	if p == nil {
		return
	}
	texts, ok := e.texts(p)
	if !ok {
		return
	}
	x.start("t:ExtendedProperty")
	x.empty("t:ExtendedFieldURI", e.attributes...)
	if !strings.HasSuffix(e.kind, "Array") {
		x.leaf("t:Value", texts[0])
	} else {
		x.start("t:Values")
		for _, t := range texts {
			x.leaf("t:Value", t)
		}
		x.end()
	}
	x.end()
}

// texts are the values as XML has them; ok is false when there is none to show.
func (e extendedField) texts(p *mapi.Property) (list []string, ok bool) {
	if !p.Kept() {
		return nil, false
	}
	kind, array := strings.CutSuffix(e.kind, "Array")
	t := p.Tag.Type()
	if kind == "String" && (t.IsString() || array) {
		if array {
			list = mapi.Bag{*p}.TextsNamed(nameOf(p))
			return list, len(list) > 0
		}
		return []string{p.Text(0)}, true
	}
	data := p.Bytes()
	members := [][]byte{data}
	if array {
		members = membersOf(p)
	}
	for _, m := range members {
		text, ok := scalarText(kind, t&^mapi.MultiValue, m)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, len(list) > 0
}

// nameOf gives p a name if it has none, to be found by.
func nameOf(p *mapi.Property) mapi.Name {
	if p.Name == nil {
		p.Name = &mapi.Name{}
	}
	return *p.Name
}

func membersOf(p *mapi.Property) [][]byte {
	layout, width := p.Tag.Type().Layout()
	switch layout {
	case mapi.LayoutVarMV:
		return mapi.Members(p.Bytes())
	case mapi.LayoutFixedMV:
		data := p.Bytes()
		if len(data) < 4 {
			return nil
		}
		return slices.Collect(slices.Chunk(data[4:], width))
	}
	return nil
}

// scalarText writes one value of a type as EWS does; ok is false when types do not agree.
func scalarText(kind string, t mapi.Type, data []byte) (string, bool) {
	le := binary.LittleEndian
	switch {
	case kind == "Binary" && t == mapi.TypeBinary:
		return base64.StdEncoding.EncodeToString(data), true
	case kind == "Boolean" && t == mapi.TypeBool && len(data) == 2:
		return boolText(data[0] != 0), true
	case kind == "Integer" && t == mapi.TypeInt32 && len(data) == 4:
		return strconv.Itoa(int(int32(le.Uint32(data)))), true
	case kind == "Short" && t == mapi.TypeInt16 && len(data) == 2:
		return strconv.Itoa(int(int16(le.Uint16(data)))), true
	case (kind == "Long" || kind == "Integer") && t == mapi.TypeInt64 && len(data) == 8,
		kind == "Currency" && t == mapi.TypeCurrency && len(data) == 8:
		return strconv.FormatInt(int64(le.Uint64(data)), 10), true
	case (kind == "Double" && t == mapi.TypeFloat64 || kind == "ApplicationTime" && t == mapi.TypeAppTime) && len(data) == 8:
		return strconv.FormatFloat(math.Float64frombits(le.Uint64(data)), 'g', -1, 64), true
	case kind == "Float" && t == mapi.TypeFloat32 && len(data) == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(le.Uint32(data))), 'g', -1, 32), true
	case kind == "SystemTime" && t == mapi.TypeTime && len(data) == 8:
		when, ok := mapi.Bag{{Tag: mapi.MakeTag(1, t), Data: data}}.Time(1)
		return fineTime(when), ok
	case kind == "CLSID" && t == mapi.TypeGUID && len(data) == 16:
		return mapi.GUID(data).String(), true
	}
	return "", false
}

// stampText is a time as EWS writes it: UTC, whole seconds.
func stampText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// fineTime keeps milliseconds where there are any: a folder's commit time tells
// changes of one second apart.
func fineTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }
