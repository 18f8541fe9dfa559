package calendar_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/mapi/pst"
)

// synthetic are export blobs made of real .msg files.
const synthetic = "../../../../shared/data/fts/synthetic/"

func realFiles(t *testing.T, extensions ...string) map[string][]byte {
	t.Helper()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	files := map[string][]byte{}
	for _, folder := range []string{"calendar", "outlook", "mime", "attachments/poi/hsmf"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains(extensions, filepath.Ext(path)) {
				return err
			}
			files[path], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			t.Skip("no data: ", err)
		}
	}
	return files
}

// Each calendar there is gives messages, and these again a calendar that means the same.
func TestRealCalendars(t *testing.T) {
	t.Parallel()
	read, parts, refused := 0, 0, 0
	for name, data := range realFiles(t, ".ics", ".vcs", ".vcf") {
		list, err := calendar.Split(data)
		if err != nil {
			if !errors.Is(err, calendar.ErrNotCalendar) {
				t.Log(filepath.Base(name), err)
				refused++
			}
			continue
		}
		read++
		for _, one := range list {
			parts++
			first := write(t, apply(t, string(one)))
			if second := write(t, apply(t, first)); second != first {
				t.Errorf("%s: not the same again:\n%s\nthen\n%s", name, first, second)
			}
		}
	}
	t.Logf("%d calendars, %d series, events and tasks, %d refused", read, parts, refused)
	if read == 0 || parts == 0 || refused > 1 { // one is what a fuzzer made, blocks without an end
		t.Error("not read as it should be")
	}
}

// counts of the structures met in real messages.
type counts struct{ messages, calendars, recurrences, exceptions, zones, ids int }

// check holds each structure of a message and of those inside it against what it encodes to.
func (c *counts) check(t *testing.T, name string, m *mapi.Message) {
	t.Helper()
	c.messages++
	same := func(what string, b, got []byte, err error) {
		if err != nil {
			t.Errorf("%s: %s of %d bytes: %v", name, what, len(b), err)
		} else if !bytes.Equal(b, got) {
			t.Errorf("%s: %s\n%X became\n%X", name, what, b, got)
		}
	}
	if p := named(m, setAppointment, 0x8216); p != nil && len(p.Bytes()) > 0 {
		c.recurrences++
		r, err := calendar.ParseAppointmentRecurrence(p.Bytes())
		if err == nil {
			c.exceptions += len(r.Exceptions)
			same("recurrence", p.Bytes(), r.Bytes(), nil)
		} else {
			same("recurrence", p.Bytes(), nil, err)
		}
	}
	for _, lid := range []uint32{0x825E, 0x825F, 0x8260} {
		if p := named(m, setAppointment, lid); p != nil {
			c.zones++
			d, err := calendar.ParseTimeZoneDefinition(p.Bytes())
			same("time zone", p.Bytes(), d.Bytes(), err)
		}
	}
	if p := named(m, setAppointment, 0x8233); p != nil && len(p.Bytes()) > 0 {
		c.zones++
		z, err := calendar.ParseTimeZoneStruct(p.Bytes())
		same("time zone", p.Bytes(), z.Bytes(), err)
	}
	for _, lid := range []uint32{3, 0x23} {
		if p := named(m, setMeeting, lid); p != nil && len(p.Bytes()) > 0 {
			c.ids++
			g, err := calendar.ParseGlobalObjectID(p.Bytes())
			same("id", p.Bytes(), g.Bytes(), err)
		}
	}
	if calendar.Is(m) {
		c.calendars++
		out := write(t, m)
		again := apply(t, out)
		if strings.HasPrefix(m.Class(), "IPM.Appointment") {
			if got, want := show(again, setAppointment, 0x820D), show(m, setAppointment, 0x820D); got != want && named(m, setAppointment, 0x8216) == nil {
				t.Errorf("%s: begins %s, want %s", name, got, want)
			}
			if want, got := expand(t, out), expand(t, write(t, again)); !slices.Equal(got, want) {
				t.Errorf("%s: instances differ: %s", name, firstDifference(got, want))
			}
		}
	}
	for i := range m.Attachments {
		if e := m.Attachments[i].Embedded; e != nil {
			c.check(t, name, e)
		}
	}
}

func TestRealMessages(t *testing.T) {
	t.Parallel()
	var c counts
	for name, data := range realFiles(t, ".msg") {
		if m, err := msg.Read(bytes.NewReader(data), int64(len(data))); err == nil {
			c.check(t, name, m)
		}
	}
	t.Logf("%+v", c)
}

func TestRealStores(t *testing.T) {
	t.Parallel()
	var c counts
	for name, data := range realFiles(t, ".pst", ".ost") {
		f, err := pst.Open(bytes.NewReader(data), int64(len(data)), pst.Options{})
		if err != nil {
			continue
		}
		for folder := range f.Folders() {
			for e := range folder.Messages() {
				if m, _, err := e.Read(); err == nil {
					c.check(t, name, m)
				}
			}
		}
	}
	t.Logf("%+v", c)
}

func TestSyntheticBlobs(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob(synthetic + "*.bin")
	if len(names) == 0 {
		t.Skip("no data: shared/data/fts/synthetic")
	}
	var c counts
	for _, name := range names {
		blob, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var m mapi.Message
		if _, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &m}); err != nil {
			t.Fatal(err)
		}
		c.check(t, filepath.Base(name), &m)
	}
	t.Logf("%+v", c)
}
