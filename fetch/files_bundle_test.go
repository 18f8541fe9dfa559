package fetch_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func event(uid, title string) string {
	return "BEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260301T000000Z\r\nDTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\nSUMMARY:" + title + "\r\nEND:VEVENT\r\n"
}

func calendarFile(parts ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + strings.Join(parts, "") + "END:VCALENDAR\r\n"
}

func card(uid, name string) string {
	if uid != "" {
		uid = "item1.UID;X=y:" + uid + "\r\n"
	}
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:" + name + "\r\n" + uid + "EMAIL:a@contoso.example\r\nEND:VCARD\r\n"
}

// TestFilesBundles: a calendar and a file of contacts are folders, whose items last as long as their UIDs.
func TestFilesBundles(t *testing.T) {
	t.Parallel()
	todo := "BEGIN:VTODO\r\nUID:t1\r\nDTSTAMP:20260301T000000Z\r\nSUMMARY:pay\r\nX-ODD:1\r\nEND:VTODO\r\n"
	x := newTree(t, map[string]string{
		"Calendar.ics":   calendarFile(event("a", "one"), event("b", "two"), todo),
		"Old/people.vcf": card("p1", "Ann") + card("p2", "Bob") + card("", "Carl") + card("", "Carl"),
		"Old/empty.vcf":  "",
		"Old/none.ics":   calendarFile(),
	})
	subjects := func() []string { return slices.Sorted(maps.Values(x.holds())) }
	r := x.run()
	want := []string{`Calendar "one" true`, `Calendar "pay" true`, `Calendar "two" true`,
		`Old/people "Ann" true`, `Old/people "Bob" true`, `Old/people "Carl" true`, `Old/people "Carl" true`}
	if got := subjects(); !slices.Equal(got, want) || !r.Complete {
		t.Fatalf("%q, %+v", got, r)
	}
	if len(x.odd) != 1 || !strings.HasPrefix(x.odd[0], "Calendar.ics//") {
		t.Errorf("told of %q, want the task with X-ODD", x.odd)
	}
	classes := map[string]int{}
	for _, data := range x.versions() {
		m := &mapi.Message{}
		if report, err := fasttransfer.Scan(bytes.NewReader(data), fasttransfer.Visitor{Message: m}); err != nil || report.State != fasttransfer.Complete {
			t.Errorf("%v %v", report, err)
		}
		classes[m.Class()]++
	}
	if want := map[string]int{"IPM.Appointment": 2, "IPM.Task": 1, "IPM.Contact": 4}; !maps.Equal(classes, want) {
		t.Errorf("classes %v", classes)
	}
	folders, err := x.source().Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.ID == "Calendar.ics" && (f.Kind != "calendar" || f.Class != "IPF.Appointment") || f.ID == "Old/people.vcf" && f.Class != "IPF.Contact" {
			t.Errorf("%+v", f)
		}
	}
	for _, step := range []struct {
		name, file, text        string
		added, changed, removed int
	}{
		{"the same in another order", "Calendar.ics", calendarFile(todo, event("b", "two"), event("a", "one")), 0, 0, 0},
		{"one is edited", "Calendar.ics", calendarFile(event("b", "TWO"), event("a", "one"), todo), 0, 1, 0},
		{"one is gone, one is new", "Calendar.ics", calendarFile(event("c", "three"), event("a", "one"), todo), 1, 0, 1},
		{"a contact is edited", "Old/people.vcf", card("p2", "Bobby") + card("p1", "Ann") + card("", "Carl") + card("", "Carl"), 0, 1, 0},
		{"one of equals is gone", "Old/people.vcf", card("p2", "Bobby") + card("p1", "Ann") + card("", "Carl"), 0, 0, 1},
	} {
		x.write(step.file, step.text)
		if r := x.run(); !r.Complete || r.Snapshot.Added != step.added || r.Snapshot.Changed != step.changed || r.Snapshot.Removed != step.removed {
			t.Errorf("%s: %+v", step.name, r.Snapshot)
		}
	}
	before := x.holds()
	x.write("Calendar.ics", "no calendar")
	if r := x.run(); r.Complete || len(r.Failures) != 1 || !maps.Equal(x.holds(), before) {
		t.Errorf("broken: %+v", r)
	}
	x.mailbox = fetch.FileMailbox{File: "Calendar.ics"}
	if folders, err := x.source().Folders(t.Context()); err != nil || len(folders) != 2 || folders[1].Kind != "calendar" {
		t.Errorf("a file as a mailbox: %+v, %v", folders, err)
	}
}

// TestRealBundles brings in calendars and cards that programs wrote, and others made to break readers.
func TestRealBundles(t *testing.T) {
	t.Parallel()
	mail := os.Getenv("MAILBRICK_MAIL")
	if mail == "" {
		t.Skip("MAILBRICK_MAIL is not set")
	}
	for dir, want := range map[string]struct{ items, failed int }{"calendar": {1762, 10}, "mime/roundcube/tests/src": {13, 0}} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			at := filepath.Join(mail, filepath.FromSlash(dir))
			items, failed := read(t, at, fetch.FileMailbox{})
			n := 0
			for id := range items {
				if strings.Contains(id, "//") {
					n++
				}
			}
			if n < want.items || len(failed) > want.failed {
				t.Errorf("%d items, %d failed; want %+v", n, len(failed), want)
			}
			for id, err := range failed { // fragments and what has another name than it is
				t.Log(id, err)
			}
			again, _ := read(t, at, fetch.FileMailbox{})
			if !maps.Equal(items, again) {
				t.Error("not the same again")
			}
		})
	}
}
