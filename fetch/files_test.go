package fetch_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/msg"
)

// tree is a tree of mail files that is backed up into an archive in memory.
type tree struct {
	*testing.T
	dir, temp string
	mailbox   fetch.FileMailbox
	a         *archive.Archive
	passed    []string
	odd       []string
}

func newTree(t *testing.T, files map[string]string) *tree {
	t.Helper()
	x := &tree{T: t, dir: t.TempDir(), temp: t.TempDir(), a: openArchive(t)}
	for name, text := range files {
		x.write(name, text)
	}
	return x
}

// write writes a file whose time is another at each call.
func (x *tree) write(name, text string) {
	x.Helper()
	at := filepath.Join(x.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		x.Fatal(err)
	}
	before, _ := os.Stat(at)
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
	if before != nil {
		when := before.ModTime().Add(time.Second)
		if err := os.Chtimes(at, when, when); err != nil {
			x.Fatal(err)
		}
	}
}

func (x *tree) move(from, to string) {
	x.Helper()
	if err := os.Rename(filepath.Join(x.dir, from), filepath.Join(x.dir, to)); err != nil {
		x.Fatal(err)
	}
}

func (x *tree) remove(name string) {
	x.Helper()
	if err := os.RemoveAll(filepath.Join(x.dir, name)); err != nil {
		x.Fatal(err)
	}
}

// source opens the tree as a mailbox.
func (x *tree) source() *fetch.FileSource {
	x.Helper()
	root, err := os.OpenRoot(x.dir)
	if err != nil {
		x.Fatal(err)
	}
	x.passed, x.odd = nil, nil
	s, err := fetch.Files(root, x.mailbox, fetch.FilesOptions{TempDir: x.temp,
		PassedOver: func(name string, special bool) { x.passed = append(x.passed, fmt.Sprint(name, " ", special)) },
		Odd:        func(name string, _ []string) { x.odd = append(x.odd, name) }})
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() {
		if err := s.Close(); err != nil {
			x.Error(err)
		}
		root.Close()
	})
	return s
}

func (x *tree) run() fetch.Result {
	x.Helper()
	session, err := x.a.Begin(testAddress)
	if err != nil {
		x.Fatal(err)
	}
	r, err := fetch.Run(x.Context(), x.source(), session, fetch.Options{})
	if cerr := session.Close(x.Context()); err != nil || cerr != nil {
		x.Fatal(err, cerr)
	}
	return r
}

// holds lists the latest snapshot: item id = folder, subject, read.
func (x *tree) holds() map[string]string {
	x.Helper()
	out := map[string]string{}
	for v := range x.versions() {
		s, err := mapi.DecodeSummary(v.Summary)
		if err != nil {
			x.Fatal(err)
		}
		out[v.ItemID] = fmt.Sprintf("%s %q %v", v.Folder, s.Subject, s.Read)
	}
	return out
}

// versions gives the latest snapshot with the bytes of its blobs.
func (x *tree) versions() map[*archive.Version][]byte {
	x.Helper()
	snap, err := x.a.Latest(testAddress)
	if err != nil {
		x.Fatal(err)
	}
	out := map[*archive.Version][]byte{}
	for v, err := range x.a.Versions(x.Context(), snap) {
		if err != nil {
			x.Fatal(err)
		}
		r, err := x.a.OpenBlob(x.Context(), v)
		if err != nil {
			x.Fatal(err)
		}
		if out[v], err = io.ReadAll(r); err != nil {
			x.Fatal(err)
		}
	}
	return out
}

func (x *tree) wants(r fetch.Result, added, changed, removed int, want map[string]string) {
	x.Helper()
	if s := r.Snapshot; !r.Complete || s.Added != added || s.Changed != changed || s.Removed != removed {
		x.Errorf("added %d, changed %d, removed %d, want %d %d %d; %+v", s.Added, s.Changed, s.Removed, added, changed, removed, r.Failures)
	}
	if got := x.holds(); !maps.Equal(got, want) {
		x.Errorf("archive holds %v\nwant          %v", got, want)
	}
	if again := x.run(); again.Exported != 0 || again.Snapshot.Ordinal != r.Snapshot.Ordinal {
		x.Errorf("unchanged: %+v", again)
	}
}

func message(subject string) string {
	return "From: Bob <bob@contoso.example>\r\nTo: ann@x.example\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\nSubject: " + subject + "\r\n\r\nText of " + subject + ".\r\n"
}

func properties(subject string, more ...mapi.Property) *mapi.Message {
	return &mapi.Message{Properties: append(mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"), mapi.NewText(mapi.PidTagSubject, subject)}, more...)}
}

func exportStream(t *testing.T, subject string) string {
	t.Helper()
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, properties(subject), fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func outlookFile(t *testing.T, subject string, more ...mapi.Property) string {
	t.Helper()
	var b bytes.Buffer
	if err := msg.Write(&b, properties(subject, more...)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFilesOfAllForms(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{
		"Inbox/a.fts":             exportStream(t, "blob"),
		"Inbox/Deep/Deeper/b.EML": message("mail"),
		"c.msg":                   outlookFile(t, "outlook"),
		"Inbox/old.msg":           message("mail that is called msg"),
		"Inbox/12.":               message("a number"),
		"Inbox/0001.0a1b2c3d4e":   message("a digest"),
		"README":                  "Read: me\nfirst\n",
		"notes":                   "Only notes.\n",
		"list.txt":                message("an extension of something else"),
		".hidden/x.eml":           message("hidden"),
		"._a.eml":                 "\x00\x05",
	})
	if runtime.GOOS != "windows" {
		for _, link := range []string{"Inbox/link.eml", "away"} {
			if err := os.Symlink(os.TempDir(), filepath.Join(x.dir, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[string]string{
		"Inbox/a.fts":             `Inbox "blob" false`,
		"Inbox/Deep/Deeper/b.EML": `Inbox/Deep/Deeper "mail" true`,
		"c.msg":                   ` "outlook" true`,
		"Inbox/old.msg":           `Inbox "mail that is called msg" true`,
		"Inbox/12.":               `Inbox "a number" true`,
		"Inbox/0001.0a1b2c3d4e":   `Inbox "a digest" true`,
	}
	r := x.run()
	passed := slices.Sorted(slices.Values(x.passed))
	x.wants(r, 6, 0, 0, want)
	wantPassed := []string{"._a.eml false", ".hidden false", "README false", "list.txt false", "notes false"}
	if runtime.GOOS != "windows" {
		wantPassed = []string{"._a.eml false", ".hidden false", "Inbox/link.eml true", "README false", "away true", "list.txt false", "notes false"}
	}
	if !slices.Equal(passed, wantPassed) {
		t.Errorf("passed over %q", passed)
	}
	for v, data := range x.versions() {
		if v.ItemID == "Inbox/a.fts" && string(data) != exportStream(t, "blob") {
			t.Error("the exported blob is not the bytes of the file")
		}
		if v.ItemID == "Inbox/a.fts" && v.FolderID != "Inbox" {
			t.Errorf("folder id %q", v.FolderID)
		}
	}
}

func TestFilesChange(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{"Inbox/1.eml": message("one"), "Inbox/2.eml": message("two"), "Inbox/3.eml": message("three"), "Old/4.eml": message("four")})
	x.run()
	x.write("Inbox/1.eml", message("ONE")) // as long as it was
	x.remove("Inbox/2.eml")
	x.move("Inbox/3.eml", "Old/3.eml")
	x.wants(x.run(), 1, 1, 2, map[string]string{"Inbox/1.eml": `Inbox "ONE" true`, "Old/3.eml": `Old "three" true`, "Old/4.eml": `Old "four" true`})
	x.remove("Old")
	x.wants(x.run(), 0, 0, 2, map[string]string{"Inbox/1.eml": `Inbox "ONE" true`})
}

// TestFilesChangeMeanwhile: what becomes of files between the walk, the list and the reading is not lost.
func TestFilesChangeMeanwhile(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{"1.eml": message("one"), "2.eml": message("two"), "3.eml": message("three")})
	s := x.source()
	if _, err := s.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.write("1.eml", message("longer than one"))
	x.remove("2.eml")
	x.write("4.eml", message("four"))
	page, err := s.Changes(t.Context(), ".", "")
	if err != nil {
		t.Fatal(err)
	}
	var items []fetch.Ref
	for _, c := range page.Changes {
		items = append(items, c.Ref)
	}
	exported := map[string]fetch.Ref{}
	err = s.Export(t.Context(), items, func(n int, got fetch.Ref, _ io.Reader, err error) error {
		if items[n].ItemID == "2.eml" && errors.Is(err, fetch.ErrGone) {
			return nil
		}
		exported[items[n].ItemID] = got
		return err
	})
	if err != nil || exported["1.eml"].ItemID == "" || exported["3.eml"] != items[len(items)-1] {
		t.Errorf("%+v, %v", exported, err)
	}
	again, err := s.Changes(t.Context(), ".", "")
	if err != nil || len(again.Changes) != 3 || again.Changes[0].Ref != exported["1.eml"] || again.Changes[2].ItemID != "4.eml" {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestFilesAreDeterministic: the same file gives the same bytes in every archive.
func TestFilesAreDeterministic(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a.eml": message("a"), "b.msg": outlookFile(t, "b"), "c.mbox": "From a@b\n" + message("c"), "In/cur/d:2,F": message("d"), "In/new/e": message("e"), "f.fts": exportStream(t, "f")}
	if runtime.GOOS == "windows" {
		files["In/cur/d;2,F"] = files["In/cur/d:2,F"]
		delete(files, "In/cur/d:2,F")
	}
	blobs := func() map[string]string {
		x := newTree(t, files)
		x.run()
		out := map[string]string{}
		for v, data := range x.versions() {
			out[v.ItemID] = string(data)
		}
		return out
	}
	first, second := blobs(), blobs()
	if len(first) != 6 || !maps.Equal(first, second) {
		t.Errorf("%d and %d items differ", len(first), len(second))
	}
}

func TestFilesBroken(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{"Inbox/good.eml": message("good"), "Inbox/bad.eml": "\x00\x01\x02 no mail", "Inbox/bad.msg": "no compound file", "Inbox/cut.msg": outlookFile(t, "cut")[:700],
		"Inbox/cut.fts": exportStream(t, "cut")[:100], "bad.mbox": "no mbox", "bad.pst": "no pst", "list.mbox": "From a@b\n" + message("listed") + "\nFrom a 9:00 2026\n:\n\nno mail\n"})
	r := x.run()
	var failed []string
	for _, f := range r.Failures {
		what, _, _ := strings.Cut(f.ItemID, "//")
		failed = append(failed, f.Folder+" "+what)
	}
	if want := []string{"Inbox Inbox/bad.eml", "Inbox Inbox/bad.msg", "Inbox Inbox/cut.fts", "Inbox Inbox/cut.msg", "bad ", "bad "}; !slices.Equal(slices.Sorted(slices.Values(failed)), want) {
		t.Errorf("failed %q, want %q", failed, want)
	}
	if r.Complete || r.Snapshot.Added != 2 {
		t.Errorf("%+v", r)
	}
	if again := x.run(); again.Complete || len(again.Failures) != len(r.Failures) || again.Snapshot.Ordinal != r.Snapshot.Ordinal {
		t.Errorf("again: %+v", again)
	}
	// What is repaired comes in, what is gone is forgotten.
	x.write("Inbox/bad.eml", message("repaired"))
	for _, name := range []string{"Inbox/bad.msg", "Inbox/cut.msg", "Inbox/cut.fts", "bad.mbox", "bad.pst"} {
		x.remove(name)
	}
	if r := x.run(); !r.Complete || r.Snapshot.Added != 1 || r.Snapshot.Removed != 0 {
		t.Errorf("repaired: %+v", r)
	}
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("this user may open everything")
	}
	x := newTree(t, map[string]string{"Inbox/1.eml": message("one"), "Inbox/Below/2.eml": message("two"), "Other/3.eml": message("three")})
	x.run()
	for name, mode := range map[string]os.FileMode{"Inbox": 0, "Other/3.eml": 0} {
		if err := os.Chmod(filepath.Join(x.dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(x.dir, "Inbox"), 0o700) })
	r := x.run()
	if r.Complete || len(r.Failures) != 1 || r.Failures[0].Folder != "Inbox" || r.Snapshot.Items != 3 || r.Snapshot.Removed != 0 {
		t.Errorf("%+v", r)
	}
}

// TestOtherSource: a mailbox of a server is not taken for one of files, nor the other way round.
func TestOtherSource(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{"Inbox/1.eml": message("one")})
	b := &bench{T: t, a: x.a, source: newFakeSource()}
	b.source.put("in", "a", "k", "s")
	files := func(mailbox string) error {
		s, err := x.a.Begin(mailbox)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fetch.Run(t.Context(), x.source(), s, fetch.Options{})
		return errors.Join(err, s.Close(t.Context()))
	}
	b.run()
	if err := files("m@x.example"); !errors.Is(err, fetch.ErrOtherSource) {
		t.Errorf("files after a server: %v", err)
	}
	b.wants(map[string]string{"a": `k Inbox "s" false`})
	if err := files("files@x.example"); err != nil {
		t.Fatal(err)
	}
	s, err := x.a.Begin("files@x.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fetch.Run(t.Context(), b.source, s, fetch.Options{}); !errors.Is(err, fetch.ErrOtherSource) {
		t.Errorf("a server after files: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestClosedFolder: what lies below a folder that cannot be listed is not gone.
func TestClosedFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.put("sub", "a", "k", "s")
	b.run()
	all := b.source.folders
	b.source.folders = slices.Clone(all[:2])
	b.source.folders[1].Closed = true
	b.run()
	b.wants(map[string]string{"a": `k Inbox/Sub "s" false`})
	b.source.folders[1].Closed = false
	if r := b.run(); r.Snapshot.Removed != 1 {
		t.Errorf("%+v", r)
	}
}

func TestFilesMaildir(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("names have colons")
	}
	x := newTree(t, map[string]string{
		"cur/1.a.host:2,S":                      message("seen"),
		"cur/2.a.host:2,":                       message("unseen"),
		"new/3.a.host":                          message("new"),
		"tmp/4.a.host":                          message("half written"),
		"cur/.hidden":                           "x",
		".Sent/cur/5:2,RS":                      message("sent"),
		".Entw&APw-rfe.Alte &- neue/cur/6:2,DS": message("draft"),
		".Entw&APw-rfe.Alte &- neue/new/.keep":  "",
		"dovecot-uidlist":                       "3 V1",
	})
	want := map[string]string{
		"cur//1.a.host":                 `Inbox "seen" true`,
		"cur//2.a.host":                 `Inbox "unseen" false`,
		"cur//3.a.host":                 `Inbox "new" false`,
		".Sent//5":                      `Sent "sent" true`,
		".Entw&APw-rfe.Alte &- neue//6": `Entwürfe/Alte & neue "draft" true`,
	}
	x.wants(x.run(), 5, 0, 0, want)
	// A flag is a change of the message, and so is the way from new to cur with one; without one it is none.
	x.move("cur/2.a.host:2,", "cur/2.a.host:2,S")
	x.move("cur/1.a.host:2,S", "cur/1.a.host:2,RS")
	want["cur//2.a.host"] = `Inbox "unseen" true`
	x.wants(x.run(), 0, 1, 0, want)
	x.move("new/3.a.host", "cur/3.a.host:2,FS")
	want["cur//3.a.host"] = `Inbox "new" true`
	x.wants(x.run(), 0, 1, 0, want)
	kinds := map[string]string{}
	folders, err := x.source().Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		kinds[f.ID] = f.Kind + " " + f.ParentID
	}
	if want := map[string]string{".": "msgfolderroot ", "cur": "inbox .", ".Sent": "sentitems .", ".Entw&APw-rfe": " .", ".Entw&APw-rfe.Alte &- neue": " .Entw&APw-rfe"}; !maps.Equal(kinds, want) {
		t.Errorf("kinds and parents %v", kinds)
	}
}

func TestFilesMbox(t *testing.T) {
	t.Parallel()
	line := "From bob@contoso.example Mon Mar  2 09:00:00 2026\r\n"
	one, two, three := line+message("one")+"\r\n", line+message("two")+"\r\n", line+message("three")+"\r\n"
	subjects := func(x *tree) []string {
		var out []string
		for _, v := range x.holds() {
			out = append(out, v)
		}
		return slices.Sorted(slices.Values(out))
	}
	x := newTree(t, map[string]string{"Lists/a.mbox": one + two + one, "INBOX": three, "empty.mbox": ""})
	r := x.run()
	if want := []string{`INBOX "three" true`, `Lists/a "one" true`, `Lists/a "one" true`, `Lists/a "two" true`}; !slices.Equal(subjects(x), want) || !r.Complete {
		t.Fatalf("%q, %+v", subjects(x), r)
	}
	for _, step := range []struct {
		name, text              string
		added, changed, removed int
	}{
		{"appended", one + two + one + three, 1, 0, 0},
		{"cut out", two + one + three, 0, 0, 1},
		{"read", strings.Replace(two, "Date:", "Status: O\r\nDate:", 1) + one + three, 0, 1, 0},
		{"text changed", two + strings.Replace(one, "Text", "TEXT", 1) + three, 1, 1, 1},
	} {
		x.write("Lists/a.mbox", step.text)
		if r := x.run(); r.Snapshot.Added != step.added || r.Snapshot.Changed != step.changed || r.Snapshot.Removed != step.removed {
			t.Errorf("%s: %+v", step.name, r.Snapshot)
		}
		if r := x.run(); r.Exported != 0 {
			t.Errorf("%s, unchanged: %+v", step.name, r)
		}
	}
	x.mailbox = fetch.FileMailbox{File: "INBOX"}
	folders, err := x.source().Folders(t.Context())
	if err != nil || len(folders) != 2 || folders[1].Name != "INBOX" || folders[1].Kind != "inbox" {
		t.Errorf("a file as a mailbox: %+v, %v", folders, err)
	}
}

// TestFilesLarge: a long attachment goes through a temporary file, which is gone afterwards.
func TestFilesLarge(t *testing.T) {
	t.Parallel()
	long := mapi.NewBinary(mapi.PidTagRtfCompressed, bytes.Repeat([]byte("0123456789abcdef"), 512<<10))
	x := newTree(t, map[string]string{"a.msg": outlookFile(t, "long", long)})
	x.wants(x.run(), 1, 0, 0, map[string]string{"a.msg": ` "long" true`})
	for _, data := range x.versions() {
		if len(data) < 8<<20 {
			t.Errorf("%d bytes", len(data))
		}
	}
	if left, err := os.ReadDir(x.temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFilesNames(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("names are text")
	}
	x := newTree(t, map[string]string{"B\xfccher/\xe4.eml": message("old"), `B\xfccher/1.eml`: message("written out")})
	x.wants(x.run(), 2, 0, 0, map[string]string{`B\xfccher/\xe4.eml`: `B` + "\ufffd" + `cher "old" true`, `B\\xfccher/1.eml`: `B\xfccher "written out" true`})
}

func TestFileMailboxes(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{"Ann/Inbox/1.eml": message("a"), "bob@contoso.example.mbox": "", ".git/x.eml": "", "loose.eml": message("b"), "README.md": ""})
	root, err := os.OpenRoot(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got, loose, err := fetch.FileMailboxes(root, func(string, bool) {})
	if want := []fetch.FileMailbox{{Name: "Ann", Dir: "Ann"}, {Name: "bob@contoso.example", File: "bob@contoso.example.mbox"}}; err != nil || loose != 1 || !slices.Equal(got, want) {
		t.Errorf("%+v, %d loose, %v", got, loose, err)
	}
}

// TestFilesDamagedProperty: what no export stream can carry costs itself, not the message, and is told.
func TestFilesDamagedProperty(t *testing.T) {
	t.Parallel()
	x := newTree(t, map[string]string{"a.msg": outlookFile(t, "steers", mapi.NewInt32(0x4001, 1))})
	r := x.run()
	if !slices.Equal(x.odd, []string{"a.msg"}) {
		t.Errorf("told of %q", x.odd)
	}
	x.wants(r, 1, 0, 0, map[string]string{"a.msg": ` "steers" true`})
}
