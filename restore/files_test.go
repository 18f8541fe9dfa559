package restore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/restore"
)

// tree reads all files of a folder.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		relative, _ := filepath.Rel(root, name)
		out[filepath.ToSlash(relative)] = string(data)
		return err
	}))
	return out
}

// checkManifest does what sha256sum -c does, and wants every file but the manifest to be in it.
func checkManifest(t *testing.T, files map[string]string) {
	t.Helper()
	listed := map[string]bool{}
	for line := range strings.Lines(files["manifest.sha256"]) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		got := sha256.Sum256([]byte(files[name]))
		if _, there := files[name]; !ok || !there || listed[name] || hex.EncodeToString(got[:]) != sum {
			t.Errorf("manifest line %q", line)
		}
		listed[name] = true
	}
	if len(listed) != len(files)-1 {
		t.Errorf("%d of %d files listed", len(listed), len(files)-1)
	}
}

func TestFilesMail(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("one"), "Own/con/3.eml": mail("three"), "4.eml": mail("four")})
	s := l.backup("a@x.example")
	out := filepath.Join(t.TempDir(), "deep", "out")
	results, report, err := l.restore(restore.NewFiles(out, restore.EML), l.archive.Versions(t.Context(), s), restore.Options{})
	must(t, err)
	if report.Restored != 4 {
		t.Errorf("%+v", results)
	}
	files := tree(t, out)
	checkManifest(t, files)
	name := results["three"].Target
	if !strings.HasPrefix(name, "a@x.example/Own/_con ~") || !strings.HasSuffix(name, ".eml") || !strings.Contains(name, "/2001-05-14 162300 three ") || len(filepath.Base(name)) != len("2001-05-14 162300 three 0123456789.eml") {
		t.Errorf("name %q", name)
	}
	m, err := eml.Read(strings.NewReader(files[name]))
	must(t, err)
	if m.Subject() != "three" || !strings.Contains(m.BodyText(), "The text of three") {
		t.Errorf("%q: %q", m.Subject(), m.BodyText())
	}
	if len(files) != 6 || files["exceptions.jsonl"] != "" {
		t.Errorf("%q", slices.Sorted(maps.Keys(files)))
	}

	again := t.TempDir()
	_, _, err = l.restore(restore.NewFiles(again, restore.EML), l.archive.Versions(t.Context(), s), restore.Options{})
	must(t, err)
	if !maps.Equal(files, tree(t, again)) {
		t.Error("another run, other files")
	}
}

func TestFilesBlobAndDryRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	s := l.backup("a@x.example")
	out := filepath.Join(t.TempDir(), "out")
	results, _, err := l.restore(restore.NewFiles(out, restore.Blob), l.archive.Versions(t.Context(), s), restore.Options{DryRun: true, ToFolder: "x/y"})
	must(t, err)
	if r := results["one"]; r.Status != restore.Restored || !strings.HasPrefix(r.Target, "x/y/a@x.example/Inbox/") {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a dry run made the folder")
	}
	results, _, err = l.restore(restore.NewFiles(out, restore.Blob), l.archive.Versions(t.Context(), s), restore.Options{})
	must(t, err)
	files := tree(t, out)
	checkManifest(t, files)
	for v := range l.archive.Versions(t.Context(), s) {
		if got := sha256.Sum256([]byte(files[results["one"].Target])); got != v.SHA256 {
			t.Errorf("other bytes in %q", results["one"].Target)
		}
	}
}

func TestFilesOfEarlierRunsStayListed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	l.load("b@x.example", map[string]string{"Inbox/1.eml": mail("two")})
	out := t.TempDir()
	must(t, os.WriteFile(filepath.Join(out, ".mailbrick-killed"), []byte("half a mail"), 0o600))
	want := map[string]bool{}
	for _, address := range []string{"a@x.example", "b@x.example", "b@x.example"} {
		results, _, err := l.restore(restore.NewFiles(out, restore.EML), l.archive.Versions(t.Context(), l.backup(address)), restore.Options{})
		must(t, err)
		for _, r := range results {
			want[r.Target] = true
		}
	}
	files := tree(t, out)
	checkManifest(t, files)
	if len(files) != 4 || len(want) != 2 {
		t.Errorf("%q", slices.Sorted(maps.Keys(files)))
	}
}

func TestFilesVersionsOfOneItem(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	s := l.backup("a@x.example")
	items := func(yield func(*archive.Version, error) bool) {
		for v := range l.archive.Versions(t.Context(), s) {
			for range 3 {
				yield(v, nil)
			}
		}
	}
	out := t.TempDir()
	_, report, err := l.restore(restore.NewFiles(out, restore.EML), items, restore.Options{})
	must(t, err)
	files := tree(t, out)
	checkManifest(t, files)
	names := slices.Sorted(maps.Keys(files))
	if report.Restored != 3 || len(files) != 5 {
		t.Errorf("%q", names)
	}
	for i, end := range []string{".eml", "-1-2.eml", "-1.eml"} {
		if !strings.HasSuffix(names[i], end) || i == 0 && strings.HasSuffix(names[i], "-1.eml") {
			t.Errorf("%q", names[i])
		}
	}
}

// TestFilesExceptions exports what cannot be read.
func TestFilesExceptions(t *testing.T) {
	t.Parallel()
	a := openArchive(t)
	s, err := a.Begin("a@x.example")
	must(t, err)
	must(t, s.PutFolder(archive.Folder{ID: "in", Name: "../../Inbox"}))
	good := encode(t, rich())
	for id, blob := range map[string][]byte{"good": good, "cut": good[:len(good)-100], "garbage": []byte("garbage"), "empty": {}} {
		must(t, put(t.Context(), s, archive.Item{ItemID: id, FolderID: "in"}, strings.NewReader(string(blob))))
	}
	snapshot, err := s.Commit(t.Context())
	must(t, err)
	must(t, s.Close(t.Context()))

	parent := t.TempDir()
	for _, row := range []struct {
		format           restore.Format
		restored, failed int
	}{{restore.EML, 1, 3}, {restore.Blob, 4, 0}} {
		out := filepath.Join(parent, string(row.format))
		report, err := restore.Run(t.Context(), a, restore.NewFiles(out, row.format), a.Versions(t.Context(), snapshot), restore.Options{})
		must(t, err)
		files := tree(t, out)
		checkManifest(t, files)
		if report.Restored != row.restored || report.Failed != row.failed || len(files) != row.restored+2 {
			t.Errorf("%s: %+v, %q", row.format, report, slices.Sorted(maps.Keys(files)))
		}
		lines := 0
		for line := range strings.Lines(files["exceptions.jsonl"]) {
			var e struct{ ID, Mailbox, Folder, Reason, Item_ID string }
			must(t, json.Unmarshal([]byte(line), &e))
			if lines++; e.ID == "" || e.Mailbox != "a@x.example" || e.Reason == "" || e.Folder == "" {
				t.Errorf("exception %s", line)
			}
		}
		if lines != row.failed {
			t.Errorf("%s: %d exceptions", row.format, lines)
		}
	}
	entries, err := os.ReadDir(parent)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("files outside: %v", entries)
	}
}

// TestFilesLinkOut: a link within the output folder does not lead out of it.
func TestFilesLinkOut(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need a right there")
	}
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one")})
	s := l.backup("a@x.example")
	out, outside := t.TempDir(), t.TempDir()
	must(t, os.Mkdir(filepath.Join(out, "a@x.example"), 0o777))
	must(t, os.Symlink(outside, filepath.Join(out, "a@x.example", "Inbox")))
	_, report, err := l.restore(restore.NewFiles(out, restore.EML), l.archive.Versions(t.Context(), s), restore.Options{})
	if err == nil || report.Restored != 0 || len(tree(t, outside)) != 0 {
		t.Errorf("%v %+v %v", err, report, tree(t, outside))
	}
	for name := range tree(t, out) {
		if strings.HasPrefix(name, ".mailbrick-") {
			t.Errorf("left behind: %s", name)
		}
	}
}

func TestFilesNoFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, target := range []restore.Target{restore.NewFiles(file, restore.EML), restore.NewFiles(t.TempDir(), "pst")} {
		_, err := restore.Run(t.Context(), nowhere{}, target, func(func(*archive.Version, error) bool) {}, restore.Options{})
		if err == nil {
			t.Error("no error")
		}
	}
}

// TestNeverOutside writes items with the worst folder names and subjects.
func TestNeverOutside(t *testing.T) {
	t.Parallel()
	a := openArchive(t)
	s, err := a.Begin("a@x.example")
	must(t, err)
	names := []string{"..", "../..", "/etc", `C:\Windows`, "NUL", "a\x00b", strings.Repeat("deep ", 100), " ", "x.", "~"}
	for i, name := range names {
		must(t, s.PutFolder(archive.Folder{ID: fmt.Sprint(i), Name: name}))
		must(t, put(t.Context(), s, archive.Item{ItemID: fmt.Sprint(i), FolderID: fmt.Sprint(i)}, strings.NewReader(string(encode(t, message(name))))))
	}
	snapshot, err := s.Commit(t.Context())
	must(t, err)
	must(t, s.Close(t.Context()))
	parent := t.TempDir()
	out := filepath.Join(parent, "a", "b")
	report, err := restore.Run(t.Context(), a, restore.NewFiles(out, restore.Blob), a.Versions(t.Context(), snapshot), restore.Options{})
	must(t, err)
	checkManifest(t, tree(t, out))
	if report.Restored != len(names) || len(tree(t, parent)) != len(names)+2 || len(tree(t, out)) != len(names)+2 {
		t.Errorf("%+v %q", report, slices.Sorted(maps.Keys(tree(t, parent))))
	}
}

// TestFilesAsMsg writes items as Outlook's files and reads them back.
func TestFilesAsMsg(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("first"), "Own/2.eml": mail("second")})
	out := t.TempDir()
	results, report, err := l.restore(restore.NewFiles(out, restore.MSG), l.archive.Versions(t.Context(), l.backup("a@x.example")), restore.Options{})
	must(t, err)
	if report.Restored != 2 {
		t.Fatalf("%+v", report)
	}
	files := tree(t, out)
	checkManifest(t, files)
	for subject, r := range results {
		data := files[r.Target]
		m, err := msg.Read(strings.NewReader(data), int64(len(data)))
		must(t, err)
		if m.Subject() != subject || path.Ext(r.Target) != ".msg" || len(m.Recipients) == 0 {
			t.Errorf("%q reads back as %q", r.Target, m.Subject())
		}
	}
}
