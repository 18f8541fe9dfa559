package restore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"mailbrick/archive"
	"mailbrick/restore"
)

// TestSyntheticBlobs brings blobs with most of what Outlook makes into a mailbox, and makes mail of them.
func TestSyntheticBlobs(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("../../shared/data/fts/synthetic/*.bin")
	if len(names) == 0 {
		t.Skip("no data: shared/data/fts/synthetic")
	}
	l := newLab(t)
	l.server.AddMailbox("b@x.example")
	s, err := l.archive.Begin("a@x.example")
	must(t, err)
	must(t, s.PutFolder(archive.Folder{ID: "in", Name: "Inbox", Kind: "inbox", Class: "IPF.Note"}))
	for _, name := range names {
		blob, err := os.ReadFile(name)
		must(t, err)
		must(t, put(t.Context(), s, archive.Item{ItemID: filepath.Base(name), FolderID: "in"}, bytes.NewReader(blob)))
	}
	snapshot, err := s.Commit(t.Context())
	must(t, err)
	must(t, s.Close(t.Context()))
	for _, target := range []restore.Target{restore.NewMailbox(l.client("b@x.example"), "b@x.example"), restore.NewFiles(t.TempDir(), restore.EML)} {
		results, report, err := l.restore(target, l.archive.Versions(t.Context(), snapshot), restore.Options{})
		must(t, err)
		if report.Restored == len(names) {
			continue
		}
		t.Errorf("%T: %+v", target, report)
		for _, r := range results {
			if r.Status != restore.Restored {
				t.Logf("%+v", r)
			}
		}
	}
}
