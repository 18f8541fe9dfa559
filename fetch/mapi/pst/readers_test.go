package pst_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

// TestAnotherReader compares with readpst of libpst: what it finds in each folder.
func TestAnotherReader(t *testing.T) {
	t.Parallel()
	files := realFiles(t)
	if _, err := exec.LookPath("readpst"); err != nil {
		t.Skip("no readpst")
	}
	for name, path := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			if text, err := exec.Command("readpst", "-q", "-D", "-e", "-j", "0", "-o", out, path).CombinedOutput(); err != nil {
				t.Skipf("readpst: %v %s", err, text)
			}
			want := theirs(t, out)
			if got := ours(t, path); !slices.Equal(got, want) {
				t.Errorf("we find\n%s\nreadpst finds\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			t.Logf("%d items agree", len(want))
		})
	}
}

// ours are the items that readpst writes, one a line: appointments and contacts
// by their number alone, mail with subject and attachments.
func ours(t *testing.T, path string) []string {
	var lines []string
	f := openFile(t, path)
	for d := range f.Folders() {
		for e := range d.Messages() {
			m, _, err := e.Read()
			if err != nil {
				t.Fatal(err)
			}
			switch class := m.Class(); {
			case e.Associated():
			case class == "IPM.Appointment":
				lines = append(lines, d.Name+" ics")
			case class == "IPM.Contact":
				lines = append(lines, d.Name+" vcf")
			case class == "IPM.Note":
				lines = append(lines, d.Name+" "+mail(m))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func theirs(t *testing.T, root string) []string {
	var lines []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		folder := filepath.Base(filepath.Dir(path))
		if ext := filepath.Ext(path); ext != ".eml" {
			lines = append(lines, folder+" "+ext[1:])
			return nil
		}
		r, err := os.Open(path)
		if err != nil {
			return err
		}
		defer r.Close()
		m, err := eml.Read(r)
		if err == nil {
			lines = append(lines, folder+" "+mail(m))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// mail is the subject, and the attachments by their names and bytes.
func mail(m *mapi.Message) string {
	var parts []string
	for i := range m.Attachments {
		p := m.Attachments[i].Data()
		if p == nil {
			continue
		}
		h := sha256.New()
		if _, err := io.Copy(h, p.Open()); err != nil {
			return err.Error()
		}
		parts = append(parts, fmt.Sprintf("%q %x", m.Attachments[i].Name(), h.Sum(nil)[:8]))
	}
	slices.Sort(parts) // readpst turns their order round
	return fmt.Sprintf("%q %s", m.Subject(), strings.Join(parts, " "))
}
