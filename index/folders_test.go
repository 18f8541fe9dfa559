package index

import (
	"fmt"
	"slices"
	"testing"

	"mailbrick/archive"
)

// TestRenamedFolder holds that a folder is found by the path it has in the snapshot that is looked at.
func TestRenamedFolder(t *testing.T) {
	t.Parallel()
	log := newLog()
	for i, v := range []*archive.Version{
		log.version(t, "a", 1, 0, "Inbox/Project", 1, &letter{subject: "news"}),
		log.version(t, "b", 1, 0, "Inbox/Project", 1, &letter{subject: "news"}),
		log.version(t, "a", 2, 0, "Inbox/Gone", 1, &letter{subject: "news"}),
	} {
		log.add(uint64(i+1), v)
	}
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	now := map[string]map[string]string{"a": {"id of Inbox/Project": "Done/Projekt Süd"}, "b": {"id of Inbox/Project": "Inbox/Project"}}
	for _, c := range []struct {
		name, text string
		folders    map[string]map[string]string
		want       []string
	}{
		{"stored", "folder:inbox/project", nil, []string{"a/1@0", "b/1@0"}},
		{"stored, new name", "folder:done", nil, []string{}},
		{"old name of the renamed", "folder:inbox/project", now, []string{"b/1@0"}},
		{"new name", `folder:"done/projekt süd"`, now, []string{"a/1@0"}},
		{"above the new name", "folder:done news", now, []string{"a/1@0"}},
		{"not", "NOT folder:done", now, []string{"a/2@0", "b/1@0"}},
		{"not known is as stored", "folder:inbox", now, []string{"a/2@0", "b/1@0"}},
		{"none known", "folder:inbox/project", map[string]map[string]string{}, []string{"a/1@0", "b/1@0"}},
	} {
		q := Query{Text: c.text, View: map[string]uint32{"a": 0, "b": 0}, Folders: c.folders}
		got := found(t, x, q)
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestUsesFolders(t *testing.T) {
	t.Parallel()
	x := openTest(t, folder(t), Options{})
	for text, want := range map[string]bool{"news": false, "folder:inbox": true, "a OR (b NOT folder=inbox)": true, "from:folder size>1": false} {
		parsed, err := x.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := UsesFolders(parsed.Root); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if UsesFolders(nil) {
		t.Error("everything asks for folders")
	}
}

// BenchmarkFolders measures a query by folder over many folders of many mailboxes.
func BenchmarkFolders(b *testing.B) {
	x := openTest(b, folder(b), Options{})
	follow(b, x, benchLog(b, 5000))
	folders := map[string]map[string]string{}
	for m := range 7 {
		paths := map[string]string{"id of Inbox": "Inbox"}
		for n := range 1000 {
			paths[fmt.Sprintf("%0120d", n)] = fmt.Sprint("Inbox/", n)
		}
		folders[fmt.Sprintf("m%d@example.com", m)] = paths
	}
	for name, folders := range map[string]map[string]map[string]string{"stored": nil, "7000 folders": folders} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if n, err := x.Count(b.Context(), Query{Text: "folder=inbox", AllVersions: true, Folders: folders}); err != nil || n != 5000 {
					b.Fatal(n, err)
				}
			}
		})
	}
}
