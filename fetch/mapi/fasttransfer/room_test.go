package fasttransfer_test

import (
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// TestRoom: a message of very many small parts takes no more than the memory it may, though all of it is checked and counted.
func TestRoom(t *testing.T) {
	t.Parallel()
	name := tag(mapi.PidTagDisplayName, mapi.TypeText) + u32(4) + "A\x00\x00\x00"
	for _, c := range []struct{ name, part string }{
		{"recipients", startRecip + name + endRecip},
		{"attachments", newAttach + name + endAttach},
		{"messages", newAttach + startEmbed + name + newAttach + name + endAttach + endEmbed + endAttach},
		{"empty recipients", startRecip + endRecip},
		{"empty messages", newAttach + startEmbed + endEmbed + endAttach},
		{"rows that are not alike", startRecip + strings.Repeat(name, 40) + endRecip + startRecip + endRecip},
		{"properties", startRecip + strings.Repeat(name, 10_000) + endRecip},
		{"rows of one and none", startRecip + name + endRecip + startRecip + endRecip},
		{"long names", startRecip + tag(0x8001, mapi.TypeBool) + strings.Repeat("g", 16) + "\x01" + strings.Repeat("\x01\x4E", 500) + "\x00\x00\x01\x00" + endRecip},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const room = 200_000
			blob := framed(strings.Repeat(c.part, 1+2_000_000/len(c.part)), 31680)
			var all, m mapi.Message
			whole, _ := scan(t, blob, fasttransfer.Visitor{Message: &all})
			r, _ := scan(t, blob, fasttransfer.Visitor{Message: &m, Room: room})
			if r.State != fasttransfer.Complete || r.LeftOut == 0 || whole.LeftOut != 0 {
				t.Errorf("%+v, without a limit %+v", r, whole)
			}
			if r.LeftOut = 0; !sameReport(r, whole) {
				t.Errorf("%+v, without a limit %+v", r, whole)
			}
			if got := weight(&m); got < room/8 || got > room*5/4 { // the last list may have grown beyond it
				t.Errorf("it weighs %d", got)
			}
		})
	}
}

// weight is about the memory that a message takes, with what is reserved in its bags.
func weight(m *mapi.Message) int {
	const property, row = 56, 24
	bag := func(b mapi.Bag) int {
		n := property * cap(b)
		for _, p := range b {
			if n += len(p.Data); p.Name != nil {
				n += len(p.Name.Text)
			}
		}
		return n
	}
	n := bag(m.Properties)
	for _, r := range m.Recipients {
		n += row + bag(r)
	}
	for i := range m.Attachments {
		if a := &m.Attachments[i]; a.Embedded != nil {
			n += weight(a.Embedded) + row
		}
		n += row + bag(m.Attachments[i].Properties)
	}
	return n
}

// TestRoomIsEnough: a message that has the room it takes is whole.
func TestRoomIsEnough(t *testing.T) {
	t.Parallel()
	blob := encode(t, crowded(3000))
	var all, m mapi.Message
	scan(t, blob, fasttransfer.Visitor{Message: &all, Wanted: mapi.InSummary})
	r, _ := scan(t, blob, fasttransfer.Visitor{Message: &m, Wanted: mapi.InSummary, Room: 1 << 20})
	if r.LeftOut != 0 || !sameMessage(m, all) {
		t.Errorf("%d left out", r.LeftOut)
	}
}

// TestRoomAndSpool: values that have another place leave the room to what has none.
func TestRoomAndSpool(t *testing.T) {
	t.Parallel()
	m := mapi.Message{}
	for i := range 300 {
		m.Attachments = append(m.Attachments, mapi.Attachment{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachNumber, int32(i)), mapi.NewBinary(mapi.PidTagAttachData, noise(10_000))}})
	}
	blob := encode(t, &m)
	for _, spool := range []fasttransfer.Spool{nil, &growing{}} {
		var read mapi.Message
		r, _ := scan(t, blob, fasttransfer.Visitor{Message: &read, Room: 1_000_000, Spool: spool})
		if got := weight(&read); got > 1_100_000 || spool != nil && got < 400_000 {
			t.Errorf("it weighs %d", got)
		}
		if spool == nil {
			if r.LeftOut == 0 {
				t.Error("nothing was left out")
			}
			continue
		}
		if r.LeftOut > 0 || !sameMessage(deepCopy(t, &read), m) {
			t.Errorf("%d left out", r.LeftOut)
		}
	}
}
