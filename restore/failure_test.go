package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"mailbrick/archive"
	"mailbrick/fetch/exchangetest"
	"mailbrick/restore"
)

// TestFaults has one mailbox of six items, two of them twins, restored in one group while the server fails to order.
func TestFaults(t *testing.T) {
	t.Parallel()
	third := 2
	for _, row := range []struct {
		name   string
		faults []exchangetest.Fault
		mode   restore.Mode
		want   restore.Report // without Items and Bytes
		held   int            // items in the mailbox afterwards
		stop   bool
	}{
		{name: "no fault", want: restore.Report{Restored: 6}, held: 6},
		{name: "the answer to the upload is lost",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionCut}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the answer is lost, always a new item",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionCut}}, mode: restore.New,
			want: restore.Report{Restored: 6}, held: 6},
		{name: "the answer is lost, update",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionCut}}, mode: restore.Update,
			want: restore.Report{Restored: 6}, held: 6},
		{name: "half of the answer is lost",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionCut, AfterBytes: 1700}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "every answer is lost",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionCut, Times: -1}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "one item is refused",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Index: &third, Action: exchangetest.ActionItemError, Code: "ErrorCorruptData"}},
			want:   restore.Report{Restored: 5, Failed: 1}, held: 5},
		{name: "one item meets an internal error, the rest is not tried",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Index: &third, Action: exchangetest.ActionItemError, Code: "ErrorInternalServerError", StopRest: true}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the server is busy for one item",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Index: &third, Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", BackOffMilliseconds: 5000}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the server is busy", faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionFault, Code: "ErrorServerBusy"}},
			want: restore.Report{Restored: 6}, held: 6},
		{name: "the group is too large",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Action: exchangetest.ActionStatus, Status: 413}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the mailbox is full",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Index: &third, Times: -1, Action: exchangetest.ActionItemError, Code: "ErrorQuotaExceeded", StopRest: true}},
			want:   restore.Report{Restored: 2, Failed: 4}, held: 2, stop: true},
		{name: "no right to impersonate",
			faults: []exchangetest.Fault{{Operation: "UploadItems", Times: -1, Action: exchangetest.ActionFault, Code: "ErrorImpersonateUserDenied"}},
			want:   restore.Report{Failed: 6}, stop: true},
		{name: "the answer to the export is cut in an item",
			faults: []exchangetest.Fault{{Operation: "ExportItems", Index: &third, Action: exchangetest.ActionTruncateInside}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the answer to the export is cut after its end",
			faults: []exchangetest.Fault{{Operation: "ExportItems", Action: exchangetest.ActionTruncateAfter}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the answer to the export is always cut",
			faults: []exchangetest.Fault{{Operation: "ExportItems", Times: -1, Action: exchangetest.ActionTruncateInside}},
			want:   restore.Report{Differs: 6}, held: 6},
		{name: "the server gives other bytes back",
			faults: []exchangetest.Fault{{Operation: "ExportItems", Index: &third, Times: -1, Action: exchangetest.ActionGarbage}},
			want:   restore.Report{Restored: 5, Differs: 1}, held: 6},
		{name: "an item cannot be exported",
			faults: []exchangetest.Fault{{Operation: "ExportItems", Index: &third, Times: -1, Action: exchangetest.ActionItemError, Code: "ErrorItemNotFound"}},
			want:   restore.Report{Restored: 5, Differs: 1}, held: 6},
		{name: "a folder cannot be made",
			faults: []exchangetest.Fault{{Operation: "CreateFolder", Times: -1, Action: exchangetest.ActionItemError, Code: "ErrorCreateSubfolderAccessDenied"}},
			want:   restore.Report{Restored: 4, Failed: 2}, held: 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two"), "Inbox/3.eml": mail("twin"),
				"Inbox/4.eml": mail("twin"), "Own/5.eml": mail("five"), "Own/6.eml": mail("six")})
			l.server.AddMailbox("b@x.example")
			s := l.backup("a@x.example")
			for _, f := range row.faults {
				f.Mailbox = "b@x.example"
				l.server.AddFaults(f)
			}
			results, report, err := l.run(s, "b@x.example", restore.Options{Mode: row.mode})
			if (err != nil) != row.stop {
				t.Errorf("error %v", err)
			}
			if row.name == "the mailbox is full" && !errors.Is(err, restore.ErrFull) {
				t.Errorf("not ErrFull: %v", err)
			}
			row.want.Items, report.Bytes = 6, 0
			if report != row.want {
				t.Errorf("have %+v\nwant %+v\n%+v", report, row.want, results)
			}
			if n := l.count("b@x.example"); n != row.held {
				t.Errorf("%d items in the mailbox, want %d", n, row.held)
			}
		})
	}
}

// count is how many items a mailbox has.
func (l *lab) count(address string) (n int) {
	for _, f := range l.folders(address) {
		n += len(l.items(address, f.ID))
	}
	return n
}

func TestUnknownOutcomeBesideTheOriginal(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two")})
	s := l.backup("a@x.example")
	l.server.AddFaults(exchangetest.Fault{Operation: "UploadItems", Action: exchangetest.ActionCut})
	_, report, err := l.run(s, "a@x.example", restore.Options{Mode: restore.New})
	must(t, err)
	if report.Restored != 2 {
		t.Errorf("%+v", report)
	}
	wantList(t, "a", l.holds("a@x.example"), []string{"Inbox: one", "Inbox: one", "Inbox: two", "Inbox: two"})
}

// vault lets a test interfere with an archive.
type vault struct {
	restore.Vault
	open func(v *archive.Version) (io.ReadCloser, error)
}

func (v vault) OpenBlob(ctx context.Context, version *archive.Version) (io.ReadCloser, error) {
	if r, err := v.open(version); r != nil || err != nil {
		return r, err
	}
	return v.Vault.OpenBlob(ctx, version)
}

func TestDamagedBlob(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		open func() (io.ReadCloser, error)
	}{
		{"not to be opened", func() (io.ReadCloser, error) { return nil, archive.ErrDamaged }},
		{"breaks off", func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 100)), failing{archive.ErrDamaged})), nil
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two"), "Inbox/3.eml": mail("three")})
			l.server.AddMailbox("b@x.example")
			s := l.backup("a@x.example")
			bad := l.find("a@x.example", "inbox", "two")
			v := vault{l.archive, func(v *archive.Version) (io.ReadCloser, error) {
				if v.ItemID != bad.ID {
					return nil, nil
				}
				return row.open()
			}}
			for _, target := range []restore.Target{restore.NewMailbox(l.client("b@x.example"), "b@x.example"),
				restore.NewFiles(t.TempDir(), restore.EML), restore.NewFiles(t.TempDir(), restore.Blob)} {
				report, err := restore.Run(t.Context(), v, target, l.archive.Versions(t.Context(), s), restore.Options{})
				must(t, err)
				if report.Restored != 2 || report.Failed != 1 {
					t.Errorf("%T: %+v", target, report)
				}
			}
			wantList(t, "b", l.holds("b@x.example"), []string{"Inbox: one", "Inbox: three"})
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestCancelled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := map[string]string{}
	for i := range 25 {
		files[fmt.Sprintf("Inbox/%d.eml", i)] = mail(fmt.Sprint(i))
	}
	l.load("a@x.example", files)
	s := l.backup("a@x.example")
	for _, target := range []restore.Target{restore.NewMailbox(l.client("b@x.example"), "b@x.example"), restore.NewFiles(t.TempDir(), restore.EML)} {
		l.server.AddMailbox("b@x.example")
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		report, err := restore.Run(ctx, l.archive, target, l.archive.Versions(t.Context(), s), restore.Options{Each: func(restore.Result) {
			if n++; n == 10 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || report.Restored != 10 || report.Items > 20 {
			t.Errorf("%T: %v %+v", target, err, report)
		}
	}
}

func TestListBreaksOff(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two")})
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	broken := errors.New("broken")
	_, report, err := l.restore(restore.NewMailbox(l.client("b@x.example"), "b@x.example"), func(yield func(*archive.Version, error) bool) {
		for v := range l.archive.Versions(t.Context(), s) {
			if !yield(v, nil) {
				return
			}
			break
		}
		yield(nil, broken)
	}, restore.Options{})
	if !errors.Is(err, broken) || report.Restored != 1 || l.count("b@x.example") != 1 {
		t.Errorf("%v %+v", err, report)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	target := &fake{}
	sizes := []int64{1, 1, 20 << 20, 9 << 20, 7 << 20, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	items := func(yield func(*archive.Version, error) bool) {
		for i, n := range sizes {
			if !yield(&archive.Version{ID: archive.ID{byte(i)}, Size: n, To: archive.Forever}, nil) {
				return
			}
		}
	}
	_, err := restore.Run(t.Context(), nowhere{}, target, items, restore.Options{})
	must(t, err)
	if want := []int{2, 1, 2, 10, 1}; !slices.Equal(target.groups, want) {
		t.Errorf("groups of %v, want %v", target.groups, want)
	}
	if !target.finished {
		t.Error("not finished")
	}
}

// nowhere is an archive without folders.
type nowhere struct{ restore.Vault }

func (nowhere) Folders(context.Context, archive.Snapshot) (map[string]archive.Folder, error) {
	return nil, nil
}

// fake counts what it is given.
type fake struct {
	groups   []int
	finished bool
}

func (f *fake) Begin(context.Context, restore.Options) error { return nil }
func (f *fake) Finish() error                                { f.finished = true; return nil }

func (f *fake) Place(context.Context, *restore.Item) (*restore.Result, error) { return nil, nil }

func (f *fake) Put(_ context.Context, items []*restore.Item, settle func(*restore.Item, restore.Result)) error {
	f.groups = append(f.groups, len(items))
	for _, item := range items {
		settle(item, restore.Result{Status: restore.Restored})
	}
	return nil
}
