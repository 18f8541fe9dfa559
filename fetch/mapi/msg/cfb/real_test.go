package cfb

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compoundFiles are the documents of all kinds among the mail.
func compoundFiles(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	var files []string
	filepath.WalkDir(filepath.Join(root, "attachments"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer f.Close()
		var head [8]byte
		if io.ReadFull(f, head[:]); string(head[:]) == signature {
			files = append(files, path)
		}
		return nil
	})
	return files
}

// seen is a file as testdata/show.py shows it.
func seen(e *Entry, path string, all map[string]string) (damaged bool) {
	for _, c := range e.Children {
		if c.Storage {
			damaged = seen(c, path+c.Name+"/", all) || damaged
			continue
		}
		r, err := c.Open()
		damaged = damaged || err != nil
		h := sha256.New()
		n, _ := io.Copy(h, r)
		all[path+c.Name] = fmt.Sprintf("%d %x", n, h.Sum(nil))
	}
	return damaged
}

// TestRealFiles reads documents of many writers, compares with olefile, and writes them again.
func TestRealFiles(t *testing.T) {
	t.Parallel()
	files := compoundFiles(t)
	others := olefile(t, files)
	compared, sectors := 0, map[uint]int{}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, other := filepath.Base(path), others[path]
		f, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if other != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		sectors[f.sectors.shift]++
		ours := map[string]string{}
		damaged := seen(f.Root, "", ours)
		if other != nil {
			compared++
			if !maps.Equal(ours, other) {
				t.Errorf("%s: %d streams, olefile sees %d; warnings %q", name, len(ours), len(other), f.Warnings)
			}
		}
		if damaged {
			t.Logf("%s: damaged; %q", name, f.Warnings)
			continue
		}
		if again := open(t, write(t, f.Root, largestV3)); !slices.Equal(outlineOf(t, again.Root), outlineOf(t, f.Root)) {
			t.Errorf("%s: written again it differs", name)
		}
	}
	t.Logf("%d files, %d compared with olefile, by sector size %v", len(files), compared, sectors)
}

// olefile gives what the other reader sees by file, nil where it sees faults or is not there.
func olefile(t *testing.T, files []string) map[string]map[string]string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(python, append([]string{"testdata/show.py"}, files...)...).Output()
		if err != nil {
			continue
		}
		var all map[string]map[string]string
		if err := json.NewDecoder(strings.NewReader(string(out))).Decode(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	t.Log("no olefile to compare with: Debian's python3-olefile")
	return nil
}

// TestOlefileReadsOurs in both versions.
func TestOlefileReadsOurs(t *testing.T) {
	t.Parallel()
	root := NewStorage("", stream("large", noise(8<<20, 1)), stream("middle", noise(5000, 2)), stream("empty", nil),
		NewStorage("dir", stream("small", noise(100, 3))))
	want := map[string]string{}
	seen(root, "", want)
	for name, largest := range map[string]int64{"version 3": largestV3, "version 4": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, write(t, root, largest), 0o600); err != nil {
				t.Fatal(err)
			}
			all := olefile(t, []string{path})
			if all == nil {
				t.Skip("no olefile: Debian's python3-olefile")
			}
			if !maps.Equal(all[path], want) {
				t.Errorf("olefile sees %v, want %v", all[path], want)
			}
		})
	}
}
