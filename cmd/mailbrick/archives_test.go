package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFrozenArchives opens, verifies and gives back archives as earlier versions wrote them, and goes on writing into them.
func TestFrozenArchives(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob(filepath.Join(root, "testdata", "archives", "v*"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, from := range archives {
		for _, with := range []string{"password-file", "identity"} {
			t.Run(filepath.Base(from)+" by "+with, func(t *testing.T) {
				t.Parallel()
				f := frozen{t: t, from: from, key: "--" + with, secret: filepath.Join(from, with)}
				f.archive = filepath.Join(t.TempDir(), "archive")
				if err := os.CopyFS(f.archive, os.DirFS(filepath.Join(from, "archive"))); err != nil {
					t.Fatal(err)
				}
				f.check()
			})
		}
	}
}

// frozen is a copy of such an archive.
type frozen struct {
	t                          *testing.T
	from, archive, key, secret string
}

func (f *frozen) check() {
	f.run("verify", "--read-all")
	if got, want := f.run("snapshots", "--json"), f.file("snapshots.jsonl"); got != want {
		f.t.Errorf("snapshots: %s\nwant %s", got, want)
	}
	out := filepath.Join(f.t.TempDir(), "out")
	f.run("export", "--all", "--format", "blob", "-o", out)
	manifest, err := os.ReadFile(filepath.Join(out, "manifest.sha256"))
	if err != nil {
		f.t.Fatal(err)
	}
	if got, want := sortedLines(string(manifest)), sortedLines(f.file("manifest.sha256")); !slices.Equal(got, want) {
		f.t.Errorf("exported:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	f.run("backup", "--from", filepath.Join(root, "testdata", "mail"))
	f.run("verify", "--read-all")
}

// run runs a verb on the archive and gives what it printed.
func (f *frozen) run(verb string, args ...string) string {
	f.t.Helper()
	var out, talk strings.Builder
	args = append([]string{"mailbrick", verb, "--archive", f.archive, f.key, f.secret}, args...)
	if code := run(f.t.Context(), args, strings.NewReader(""), &out, &talk); code != 0 {
		f.t.Fatalf("%s: exit %d\n%s%s", verb, code, out.String(), talk.String())
	}
	return out.String()
}

func (f *frozen) file(name string) string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.from, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

func sortedLines(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}
