package eml

import (
	"fmt"
	"strconv"
	"strings"

	"mailbrick/fetch/mapi"
)

// noteField is the field of a note's colour, size and place; mail has no form for
// them. What the note says is the body.
//
//	X-Sticky-Note: color=3; width=200; height=166; x=80; y=80
const noteField = "x-sticky-note"

const noteClass = "IPM.StickyNote"

type noteParam struct {
	name string
	lid  uint32
}

// noteParams are the properties of a note [MS-OXONOTE] 2.2.1.
func noteParams() []noteParam {
	return []noteParam{{"color", 0x8B00}, {"width", 0x8B02}, {"height", 0x8B03}, {"x", 0x8B04}, {"y", 0x8B05}}
}

func noteName(lid uint32) mapi.Name {
	return mapi.Name{Set: mapi.GUID{0x0E, 0x20, 0x06, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}, LID: lid}
}

// note is the value of the field, "" for a message that is no note.
func note(m *mapi.Message) string {
	if !strings.EqualFold(m.Class(), noteClass) {
		return ""
	}
	var list []string
	for _, p := range noteParams() {
		if v := m.Properties.FindNamed(noteName(p.lid)); v != nil {
			n, _ := mapi.Bag{{Tag: v.Tag, Data: v.Data}}.Int32(v.Tag.ID())
			list = append(list, fmt.Sprintf("%s=%d", p.name, n))
		}
	}
	if len(list) == 0 {
		return "color=3" // yellow, as notes are
	}
	return strings.Join(list, "; ")
}

// applyNote makes m the note that its header says it is.
func applyNote(h header, m *mapi.Message) {
	params := parseMedia(";" + h.get(noteField)).params
	for _, p := range noteParams() {
		if n, err := strconv.ParseInt(params[p.name], 10, 32); err == nil {
			m.Properties.Set(mapi.NewNamedInt32(noteName(p.lid), int32(n)))
			m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, noteClass))
		}
	}
}
