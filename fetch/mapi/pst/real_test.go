package pst_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/pst"
)

// realFiles are the .pst files among the mail, by their name.
func realFiles(t testing.TB) map[string]string {
	t.Helper()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "outlook"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".pst" {
			files[d.Name()] = path
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Skip("no data: .pst files in MAILBRICK_MAIL: ", err)
	}
	return files
}

func openFile(t testing.TB, path string) *pst.File {
	t.Helper()
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	info, err := r.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := pst.Open(r, info.Size(), pst.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRealFiles(t *testing.T) {
	t.Parallel()
	for name, path := range realFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFile(t, path)
			if w := f.Warnings(); len(w) > 0 {
				t.Errorf("warnings: %q", w)
			}
			if f.IPMSubtree() == nil {
				t.Error("no IPM subtree")
			}
			messages, properties := 0, 0
			for d := range f.Folders() {
				if _, r, err := d.Properties(); err != nil || len(r.Warnings) > 0 {
					t.Errorf("folder %#x: %v %q", d.ID, err, r.Warnings)
				}
				for e := range d.Messages() {
					m, r, err := e.Read()
					if err != nil || len(r.Warnings) > 0 {
						t.Fatalf("message %#x: %v %q", e.ID(), err, r.Warnings)
					}
					messages++
					properties += checkBlob(t, m)
				}
			}
			t.Logf("%v, %d messages, %d properties through an export stream", f.Format(), messages, properties)
		})
	}
}

// checkBlob takes m through an export stream, which must have every property of
// it with the same value, and counts them.
func checkBlob(t *testing.T, m *mapi.Message) int {
	t.Helper()
	var blob bytes.Buffer
	if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	var back mapi.Message
	r, err := fasttransfer.Scan(&blob, fasttransfer.Visitor{Message: &back, Keep: 1 << 30})
	if err != nil || r.State != fasttransfer.Complete {
		t.Fatalf("%v %s: %v", r.State, r.Reason, err)
	}
	want, got := properties(m), properties(&back)
	n := 0
	for key, list := range want {
		n += len(list)
		if !slices.Equal(list, got[key]) {
			t.Errorf("%s: %q became %q", key, list, got[key])
		}
	}
	return n
}

// properties are the values of a message by place, name and type.
func properties(m *mapi.Message) map[string][]string {
	all := map[string][]string{}
	add := func(where string, b mapi.Bag) {
		for i := range b {
			p := &b[i]
			key := where + p.Canonical() + " " + p.Tag.Type().String()
			all[key] = append(all[key], string(p.Bytes()))
		}
	}
	var visit func(string, *mapi.Message)
	visit = func(where string, m *mapi.Message) {
		add(where, m.Properties)
		for i, r := range m.Recipients {
			add(where+"recipient "+string(rune('0'+i))+" ", r)
		}
		for i, a := range m.Attachments {
			below := where + "attachment " + string(rune('0'+i)) + " "
			add(below, a.Properties)
			if a.Embedded != nil {
				visit(below, a.Embedded)
			}
		}
	}
	visit("", m)
	return all
}
