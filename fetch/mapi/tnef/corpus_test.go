package tnef_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/tnef"
)

const signature = "\x78\x9F\x3E\x22"

// base64Part is a stream in a mail: its signature begins a line.
var base64Part = regexp.MustCompile(`(?m)^eJ8\+I[g-j][A-Za-z0-9+/=\r\n]+`)

// corpus is the streams of the data by name.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL is not set")
	}
	found := map[string]string{}
	for _, dir := range []string{"outlook", "mime/roundcube", "spamassassin/easy-ham-1", "spamassassin/easy-ham-2"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if name, _ := filepath.Rel(root, path); strings.HasSuffix(path, ".eml") {
				inMail(t, found, name, path)
			} else {
				asFile(t, found, name, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 20 {
		t.Errorf("%d streams in the data", len(found))
	}
	return found
}

func asFile(t testing.TB, found map[string]string, name, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, len(signature))
	if n, _ := f.Read(head); string(head[:n]) != signature {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found[name] = string(data)
}

func inMail(t testing.TB, found map[string]string, name, path string) {
	mail, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(mail, []byte("\neJ8+I")) {
		return
	}
	for _, part := range base64Part.FindAll(mail, -1) {
		packed := strings.Join(strings.Fields(string(part)), "")
		data, err := base64.StdEncoding.DecodeString(packed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		found[name] = string(data)
	}
}

// TestCorpus reads streams that Outlook and Exchange wrote, and others made to
// be odd: a blob of each has the same properties.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for name, data := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, warnings := read(t, data)
			for _, w := range warnings {
				t.Log(w)
				if !strings.Contains(w, "local time") && !strings.Contains(name, "garbage") {
					t.Errorf("warning: %s", w)
				}
			}
			if m.Class() == "" || len(m.Properties) < 10 {
				t.Errorf("class %q, %d properties", m.Class(), len(m.Properties))
			}
			same(t, "message", m, throughBlob(t, m))
		})
	}
}

// TestIndependent compares attachments with what the program tnef extracts.
func TestIndependent(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("tnef")
	if err != nil {
		t.Skip("no program: tnef")
	}
	for name, data := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.Command(program, "-C", dir, "--number-backups")
			cmd.Stdin = strings.NewReader(data)
			if out, err := cmd.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("garbage at end")) {
				t.Skipf("tnef cannot read it: %v: %s", err, out)
			}
			want := extracted(t, dir)
			m, err := tnef.Read(strings.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got := contents(m); !slices.Equal(got, want) {
				t.Errorf("attachments\n%s\nwant\n%s", short(got), short(want))
			}
		})
	}
}

// number is what the program adds to a name that is there already.
var number = regexp.MustCompile(`(\.[a-z]+)\.\d+$`)

// extracted is the names and contents of files, sorted.
func extracted(t *testing.T, dir string) []string {
	var list []string
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, number.ReplaceAllString(f.Name(), "$1")+"\x00"+string(data))
	}
	slices.Sort(list)
	return list
}

// contents is the names and contents of attachments, sorted.
func contents(m *mapi.Message) []string {
	var list []string
	for i := range m.Attachments {
		a := &m.Attachments[i]
		p := a.Data()
		if p == nil {
			continue
		}
		data := string(p.Data)
		if p.Tag.Type() == mapi.TypeObject { // the program leaves the IID on
			data = "\x0B\x00\x00\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46" + data
		}
		list = append(list, a.Name()+"\x00"+data)
	}
	slices.Sort(list)
	return list
}

func short(list []string) string {
	var b strings.Builder
	for _, s := range list {
		name, data, _ := strings.Cut(s, "\x00")
		b.WriteString(name + " " + data[:min(len(data), 20)] + "\n")
	}
	return b.String()
}
