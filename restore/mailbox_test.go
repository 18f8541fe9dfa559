package restore_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
	"mailbrick/restore"
)

func TestIntoEmptyMailbox(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{
		"Inbox/1.eml": mail("one"), "Inbox/twin.eml": mail("one"), "Inbox/Projects/2.eml": mail("two"),
		"Own/Deep/3.eml": mail("three"), "Sent Items/4.eml": mail("four"), "5.eml": mail("five"),
	})
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	before := l.server.Requests("b@x.example")
	results, report, err := l.run(s, "b@x.example", restore.Options{})
	must(t, err)
	requests := l.server.Requests("b@x.example") - before
	for name, r := range results {
		if r.Status != restore.Restored || r.ItemID == "" || len(r.Differences)+len(r.Warnings) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if report.Items != 6 || report.Restored != 6 {
		t.Errorf("report: %+v", report)
	}
	wantList(t, "b", l.holds("b@x.example"), l.holds("a@x.example"))
	if requests > 2+3+1+1 { // the tree, three folders, one group up, one group down
		t.Errorf("%d requests", requests)
	}
	t.Log(requests, l.server.RequestsByOperation("b@x.example"))
}

func TestSkip(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("twin"), "Inbox/3.eml": mail("twin"), "Own/4.eml": mail("four")})
	l.load("b@x.example", map[string]string{"Inbox/1.eml": mail("twin"), "Inbox/2.eml": mail("other")})
	s := l.backup("a@x.example")

	_, report, err := l.run(s, "b@x.example", restore.Options{})
	must(t, err)
	if report.Restored != 3 || report.Skipped != 1 {
		t.Errorf("one twin was there: %+v", report)
	}
	want := []string{"Inbox: one", "Inbox: other", "Inbox: twin", "Inbox: twin", "Own: four"}
	wantList(t, "b", l.holds("b@x.example"), want)

	_, report, err = l.run(s, "b@x.example", restore.Options{})
	must(t, err)
	if report.Skipped != 4 {
		t.Errorf("the second time: %+v", report)
	}
	wantList(t, "b again", l.holds("b@x.example"), want)

	results, _, err := l.run(s, "a@x.example", restore.Options{})
	must(t, err)
	for name, r := range results {
		if r.Status != restore.Skipped || r.Reason != "the item is still there" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestSkipRestoresWhatWasDeleted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two")})
	s := l.backup("a@x.example")
	want := l.holds("a@x.example")
	l.delete("a@x.example", "inbox")
	results, _, err := l.run(s, "a@x.example", restore.Options{})
	must(t, err)
	if len(l.holds("a@x.example")) != 2 {
		t.Fatalf("have %q: %+v", l.holds("a@x.example"), results)
	}
	wantList(t, "a", l.holds("a@x.example"), want)
}

func TestModeNew(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	s := l.backup("a@x.example")
	_, _, err := l.run(s, "a@x.example", restore.Options{Mode: restore.New})
	must(t, err)
	wantList(t, "a", l.holds("a@x.example"), []string{"Inbox: one", "Inbox: one"})
}

func TestModeUpdate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two")})
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	original := l.find("a@x.example", "inbox", "one")
	_, err := l.client("a@x.example").SetRead(t.Context(), original, false)
	must(t, err)
	l.remove("a@x.example", l.find("a@x.example", "inbox", "two"))

	results, report, err := l.run(s, "a@x.example", restore.Options{Mode: restore.Update})
	must(t, err)
	if report.Restored != 2 || results["one"].ItemID != original.ID {
		t.Errorf("not in place: %+v", results)
	}
	wantList(t, "a", l.holds("a@x.example"), []string{"Inbox: one", "Inbox: two"})

	_, report, err = l.run(s, "b@x.example", restore.Options{Mode: restore.Update})
	must(t, err)
	if report.Restored != 2 {
		t.Errorf("another mailbox: %+v", report)
	}
}

func TestToFolder(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Own/2.eml": mail("two"), "3.eml": mail("three")})
	s := l.backup("a@x.example")
	results, _, err := l.run(s, "a@x.example", restore.Options{ToFolder: `Case 7\/b/May`})
	must(t, err)
	if got := results["one"].Target; got != `Case 7\/b/May/Inbox` {
		t.Errorf("target %q", got)
	}
	wantList(t, "a", l.holds("a@x.example"), []string{": three", `Case 7\/b/May/Inbox: one`, `Case 7\/b/May/Own: two`, `Case 7\/b/May: three`, "Inbox: one", "Own: two"})
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Own/Deep/2.eml": mail("two")})
	l.load("b@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	results, report, err := l.run(l.backup("a@x.example"), "b@x.example", restore.Options{DryRun: true})
	must(t, err)
	if results["one"].Status != restore.Skipped || results["two"].Status != restore.Restored || results["two"].Target != "Own/Deep" || report.Bytes != 0 {
		t.Errorf("%+v %+v", results, report)
	}
	wantList(t, "b", l.holds("b@x.example"), []string{"Inbox: one"})
	for _, op := range []string{"UploadItems", "CreateFolder"} {
		if n := l.server.RequestsByOperation("b@x.example")[op]; n > 0 {
			t.Errorf("%d of %s", n, op)
		}
	}
}

func TestReadFlagOfTheArchive(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two")})
	l.server.AddMailbox("b@x.example")
	l.backup("a@x.example")
	ref := l.find("a@x.example", "inbox", "one")
	session, err := l.archive.Begin("a@x.example")
	must(t, err)
	must(t, session.Amend(ref.ID, "later", func(b []byte) ([]byte, error) {
		s, err := mapi.DecodeSummary(b)
		s.Read = false
		return s.Encode(), err
	}))
	s, err := session.Commit(t.Context())
	must(t, err)
	must(t, session.Close(t.Context()))
	results, report, err := l.run(s, "b@x.example", restore.Options{})
	must(t, err)
	if report.Restored != 2 {
		t.Errorf("%+v", results)
	}
	wantList(t, "b", l.holds("b@x.example"), []string{"Inbox: one (unread)", "Inbox: two"})
}

func TestReadFlagThatCannotBeSet(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	l.server.AddFaults(exchangetest.Fault{Operation: "UpdateItem", Times: -1, Action: exchangetest.ActionItemError, Code: "ErrorItemSave"})
	items := func(yield func(*archive.Version, error) bool) {
		for v := range l.archive.Versions(t.Context(), s) {
			summary, _ := mapi.DecodeSummary(v.Summary)
			summary.Read = false
			v.Summary = summary.Encode()
			yield(v, nil)
		}
	}
	results, _, err := l.restore(restore.NewMailbox(l.client("b@x.example"), "b@x.example"), items, restore.Options{})
	must(t, err)
	if r := results["one"]; r.Status != restore.Differs || !slices.Equal(r.Differences, []string{"0x0E07"}) || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAssociated(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.server.AddMailbox("a@x.example")
	l.server.AddMailbox("b@x.example")
	for _, subject := range []string{"view", "rule"} {
		m := message(subject)
		m.Properties.Set(mapi.NewBinary(mapi.PidTagSearchKey, []byte("key of "+subject)))
		l.upload("a@x.example", "inbox", m, true)
	}
	s := l.backup("a@x.example")
	for _, want := range []restore.Status{restore.Restored, restore.Skipped} {
		results, _, err := l.run(s, "b@x.example", restore.Options{})
		must(t, err)
		if results["view"].Status != want || results["rule"].Status != want {
			t.Errorf("want %s: %+v", want, results)
		}
	}
	wantList(t, "b", l.holds("b@x.example"), []string{"Inbox: rule (unread) (associated)", "Inbox: view (unread) (associated)"})
}

func message(subject string) *mapi.Message {
	m := &mapi.Message{}
	m.Properties = mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"), mapi.NewText(mapi.PidTagSubject, subject),
		mapi.NewInt32(mapi.PidTagMessageFlags, 0)}
	return m
}

func TestCalendarWarnings(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.server.AddMailbox("a@x.example")
	l.server.AddMailbox("b@x.example")
	for subject, flags := range map[string]int32{"organized": 1, "invited": 3, "alone": 0} {
		m := message(subject)
		m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, "IPM.Appointment"))
		m.Properties.Set(mapi.NewBinary(mapi.PidTagSearchKey, []byte("key of "+subject)))
		p := mapi.NewNamedInt32(mapi.Name{Set: mapi.SetAppointment(), LID: 0x8217}, flags)
		m.Properties.Set(p)
		l.upload("a@x.example", "calendar", m, false)
	}
	s := l.backup("a@x.example")
	for _, row := range []struct {
		name, to string
		mode     restore.Mode
		want     map[string]int
	}{
		{"elsewhere", "b@x.example", restore.Skip, map[string]int{"organized": 1, "invited": 0, "alone": 0}},
		{"at home twice", "a@x.example", restore.New, map[string]int{"organized": 1, "invited": 1, "alone": 1}},
	} {
		results, _, err := l.run(s, row.to, restore.Options{Mode: row.mode})
		must(t, err)
		for subject, n := range row.want {
			if r := results[subject]; r.Status != restore.Restored || len(r.Warnings) != n || r.Target != "Calendar" {
				t.Errorf("%s, %s: %+v", row.name, subject, r)
			}
		}
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := map[string]string{}
	for i := range 95 {
		files[fmt.Sprintf("Inbox/%d.eml", i)] = mail(fmt.Sprint("number ", i))
	}
	l.load("a@x.example", files)
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	_, report, err := l.run(s, "b@x.example", restore.Options{})
	must(t, err)
	if n := l.server.Requests("b@x.example"); report.Restored != 95 || n != 2+10+10 {
		t.Errorf("%d requests: %v", n, l.server.RequestsByOperation("b@x.example"))
	}
	_, _, err = l.run(s, "b@x.example", restore.Options{})
	must(t, err)
	if n := l.server.Requests("b@x.example"); n != 22+2+1 {
		t.Errorf("%d requests with the second run", n)
	}
}

func TestEverythingComesBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.server.AddMailbox("a@x.example")
	l.server.AddMailbox("b@x.example")
	l.upload("a@x.example", "inbox", rich(), false)
	results, _, err := l.run(l.backup("a@x.example"), "b@x.example", restore.Options{})
	must(t, err)
	if r := results["rich"]; r.Status != restore.Restored {
		t.Errorf("%+v", r)
	}
}

// rich has something of everything.
func rich() *mapi.Message {
	m := message("rich")
	m.Properties.Set(mapi.NewText(mapi.PidTagBody, strings.Repeat("A long body. ", 5000)))
	m.Properties.Set(mapi.NewNamedTexts(mapi.NameCategories(), []string{"red", "green"}))
	m.Properties.Set(mapi.NewTime(mapi.PidTagClientSubmitTime, time.Date(2001, 5, 14, 0, 0, 0, 0, time.UTC)))
	for _, name := range []string{"Ann", "Bob"} {
		m.Recipients = append(m.Recipients, mapi.Bag{mapi.NewInt32(mapi.PidTagRecipientType, 1), mapi.NewText(mapi.PidTagDisplayName, name)})
	}
	inner := message("inner")
	inner.Attachments = []mapi.Attachment{{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagAttachData, bytes.Repeat([]byte("inner "), 40000))}}}
	m.Attachments = []mapi.Attachment{
		{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue), mapi.NewBinary(mapi.PidTagAttachData, bytes.Repeat([]byte("data "), 50000))}},
		{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachEmbedded)}, Embedded: inner},
	}
	return m
}
