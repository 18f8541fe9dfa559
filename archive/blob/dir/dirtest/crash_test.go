package dirtest_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// write makes a file of which the first part is synced.
func write(t *testing.T, f *dirtest.FS, name, synced, more string) {
	t.Helper()
	file, err := f.Create(name)
	must(t, err)
	_, err = io.WriteString(file, synced)
	must(t, err, file.Sync())
	_, err = io.WriteString(file, more)
	must(t, err, file.Close())
}

// read is the content of a file, "absent" for none.
func read(t *testing.T, f *dirtest.FS, name string) string {
	t.Helper()
	file, err := f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	must(t, err)
	size, err := file.Size()
	must(t, err)
	data, err := io.ReadAll(io.NewSectionReader(file, 0, size))
	must(t, err, file.Close())
	return string(data)
}

func TestSyncedSurvives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		f := dirtest.New()
		must(t, f.Mkdir("a"), f.SyncDir("."))
		write(t, f, "a/file", "synced", "")
		must(t, f.SyncDir("a"))
		after := f.Crash(seed)
		if got := read(t, after, "a/file"); got != "synced" {
			t.Errorf("seed %d: got %q", seed, got)
		}
	}
}

func TestUnsyncedIsLostOrTorn(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(300) {
		f := dirtest.New()
		write(t, f, "file", "synced", "more")
		must(t, f.SyncDir("."))
		write(t, f, "other", "", "x")
		after := f.Crash(seed)
		got := read(t, after, "file")
		switch {
		case !strings.HasPrefix(got, "synced"):
			t.Fatalf("seed %d: synced bytes are %q", seed, got)
		case got == "synced":
			seen["lost"]++
		case got == "syncedmore":
			seen["there"]++
		case strings.HasPrefix("syncedmore", got):
			seen["short"]++
		case strings.HasSuffix(got, "\x00"):
			seen["zeros"]++
		default:
			seen["rubbish"]++
		}
		seen["other "+map[bool]string{true: "absent", false: "there"}[read(t, after, "other") == "absent"]]++
	}
	for _, what := range []string{"lost", "there", "short", "zeros", "rubbish", "other absent", "other there"} {
		if seen[what] < 10 {
			t.Errorf("%s only %d times in 300", what, seen[what])
		}
	}
}

func TestSeedsWithoutChance(t *testing.T) {
	t.Parallel()
	changed := func() *dirtest.FS {
		f := dirtest.New()
		write(t, f, "old", "synced", "more")
		must(t, f.SyncDir("."))
		must(t, f.Link("old", "link"), f.Remove("old"), f.Mkdir("folder"))
		return f
	}
	if got := changed().Crash(dirtest.SyncedOnly); !slices.Equal(got.Names(), []string{"old"}) || read(t, got, "old") != "synced" {
		t.Errorf("synced only: %q", got.Names())
	}
	if got := changed().Crash(dirtest.AllDone); !slices.Equal(got.Names(), []string{"folder/", "link"}) || read(t, got, "link") != "syncedmore" {
		t.Errorf("all done: %q", got.Names())
	}
}

func TestSameSeedSameCrash(t *testing.T) {
	t.Parallel()
	state := func(seed uint64) string {
		f := dirtest.New()
		for name := range strings.SplitSeq("abcdefgh", "") {
			write(t, f, name, "", strings.Repeat(name, 20))
		}
		var all bytes.Buffer
		after := f.Crash(seed)
		for _, name := range after.Names() {
			all.WriteString(name + "=" + read(t, after, name) + "\n")
		}
		return all.String()
	}
	for seed := range uint64(20) {
		if a, b := state(seed), state(seed); a != b {
			t.Errorf("seed %d:\n%s\n%s", seed, a, b)
		}
	}
}

func TestCrashAt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		seed uint64
		want []string
	}{
		{"last call not done", dirtest.SyncedOnly, []string{"a/"}},
		{"last call done", dirtest.AllDone, []string{"a/", "b/"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := dirtest.New()
			must(t, f.Mkdir("a"))
			f.CrashAt(2)
			must(t, f.SyncDir("."))
			if err := f.Mkdir("b"); !errors.Is(err, dirtest.ErrCrash) || f.Last() != "call 3: mkdir b" {
				t.Errorf("the last call: %v, %q", err, f.Last())
			}
			if err := f.Mkdir("c"); !errors.Is(err, dirtest.ErrCrash) {
				t.Errorf("a call after it: %v", err)
			}
			after := f.Crash(tt.seed)
			if !slices.Equal(after.Names(), tt.want) {
				t.Errorf("left %q, want %q", after.Names(), tt.want)
			}
			must(t, after.Mkdir("d"))
		})
	}
}

// TestAnswers holds the errors that dir.FS asks for.
func TestAnswers(t *testing.T) {
	t.Parallel()
	f := dirtest.New()
	must(t, f.Mkdir("folder"))
	write(t, f, "file", "x", "")
	var on dir.FS = f
	_, errOpen := on.Open("folder")
	_, errSize := on.Size("folder")
	_, errList := on.List("file")
	_, errCreate := on.Create("file")
	_, errBelow := on.Create("no/folder")
	for name, got := range map[string]struct{ err, want error }{
		"make the root":      {on.Mkdir("."), fs.ErrExist},
		"make a folder":      {on.Mkdir("folder"), fs.ErrExist},
		"create over":        {errCreate, fs.ErrExist},
		"create nowhere":     {errBelow, fs.ErrNotExist},
		"link over":          {on.Link("file", "folder"), fs.ErrExist},
		"link of nothing":    {on.Link("nothing", "new"), fs.ErrNotExist},
		"rename nothing":     {on.Rename("nothing", "new"), fs.ErrNotExist},
		"rename over folder": {on.Rename("file", "folder"), fs.ErrNotExist},
		"open a folder":      {errOpen, fs.ErrNotExist},
		"size of a folder":   {errSize, fs.ErrNotExist},
		"list a file":        {errList, fs.ErrNotExist},
		"remove nothing":     {on.Remove("nothing"), fs.ErrNotExist},
		"sync of no folder":  {on.SyncDir("nothing"), fs.ErrNotExist},
		"sync of the folder": {on.SyncDir("folder"), nil},
	} {
		if !errors.Is(got.err, got.want) {
			t.Errorf("%s: got %v, want %v", name, got.err, got.want)
		}
	}
}
