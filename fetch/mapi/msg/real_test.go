package msg_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/mapi/tnef"
)

const synthetic = "../../../../shared/data/fts/synthetic/"

// realFiles are the .msg files among the mail, by their path in it.
func realFiles(t testing.TB) map[string][]byte {
	t.Helper()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	files := map[string][]byte{}
	for _, folder := range []string{"outlook", "attachments/poi/hsmf", "attachments/poi/poifs"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".msg" {
				return err
			}
			data, err := os.ReadFile(path)
			name, _ := filepath.Rel(root, path)
			files[filepath.ToSlash(name)] = data
			return err
		})
		if err != nil {
			t.Skip("no data: ", err)
		}
	}
	return files
}

// counts is what index.json says of a blob.
type counts struct {
	Atts, Emb, Named, Props, Recips int
	Skipped                         int
	Src                             string
}

func count(m *mapi.Message) (c counts) {
	bag := func(b mapi.Bag) {
		for i := range b {
			c.Props++
			if b[i].Name != nil {
				c.Named++
			}
		}
	}
	bag(m.Properties)
	for _, r := range m.Recipients {
		bag(r)
		c.Recips++
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		bag(a.Properties)
		c.Atts++
		if a.Embedded != nil {
			inside := count(a.Embedded)
			c.Emb += 1 + inside.Emb
			c.Props, c.Named = c.Props+inside.Props, c.Named+inside.Named
			c.Recips, c.Atts = c.Recips+inside.Recips, c.Atts+inside.Atts
		}
	}
	return c
}

// indexed is the counts by source.
func indexed(t *testing.T) map[string]counts {
	index, err := os.ReadFile(synthetic + "index.json")
	if err != nil {
		t.Log("no data: shared/data/fts/synthetic")
		return nil
	}
	var byBlob map[string]counts
	if err := json.Unmarshal(index, &byBlob); err != nil {
		t.Fatal(err)
	}
	bySource := map[string]counts{}
	for _, c := range byBlob {
		bySource["attachments/"+strings.TrimPrefix(c.Src, "att-")] = c
	}
	return bySource
}

func TestRealFiles(t *testing.T) {
	t.Parallel()
	index := indexed(t)
	for name, data := range realFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, report, err := msg.ReadReport(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range report.Warnings {
				t.Logf("warning: %s", w)
			}
			got := count(m)
			same(t, m)
			checkBlob(t, m)
			if want, ok := index[name]; ok {
				checkCounts(t, got, want)
			}
		})
	}
}

// base64TNEF is winmail.dat in a mail: its signature begins a line.
var base64TNEF = regexp.MustCompile(`(?m)^eJ8\+I[g-j][A-Za-z0-9+/=\r\n]+`)

// tnefFiles are the TNEF files among the mail, and those in mail, by path.
func tnefFiles(t testing.TB) map[string][]byte {
	t.Helper()
	root := os.Getenv("MAILBRICK_MAIL")
	files := map[string][]byte{}
	for _, folder := range []string{"outlook", "mime/roundcube", "spamassassin/easy-ham-1", "spamassassin/easy-ham-2"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".tnef" && filepath.Ext(path) != ".eml" {
				return err
			}
			data, err := os.ReadFile(path)
			name, _ := filepath.Rel(root, path)
			if name = filepath.ToSlash(name); filepath.Ext(path) == ".tnef" {
				files[name] = data
				return err
			}
			for _, part := range base64TNEF.FindAll(data, -1) {
				if files[name], err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(part)), "")); err != nil {
					return err
				}
			}
			return err
		})
		if err != nil {
			t.Skip("no data: ", err)
		}
	}
	return files
}

// TestTNEF takes each TNEF file through an export stream and a .msg file: nothing may differ. What independent readers see
// of the files is in readers_test.go.
func TestTNEF(t *testing.T) {
	t.Parallel()
	if os.Getenv("MAILBRICK_MAIL") == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	files := tnefFiles(t)
	if len(files) < 20 {
		t.Errorf("%d files", len(files))
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := tnef.Read(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			checkBlob(t, m)
		})
	}
}

// checkBlob takes m through an export stream and a file.
func checkBlob(t *testing.T, m *mapi.Message) {
	t.Helper()
	back := throughBlob(t, m)
	if d := differences(viewOf(m), viewOf(read(t, write(t, back)))); len(d) > 0 {
		t.Errorf("after an export stream %d differences:\n%s", len(d), strings.Join(d[:min(len(d), 20)], "\n"))
	}
}

// throughBlob is m as an export stream of it has it.
func throughBlob(t *testing.T, m *mapi.Message) *mapi.Message {
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
	return &back
}

// checkCounts compares with the counts of an independent converter, which leaves
// some properties out and counts the entry of an embedded message among them.
func checkCounts(t *testing.T, got, want counts) {
	t.Helper()
	want.Props += want.Skipped - want.Emb
	want.Skipped, want.Src = 0, ""
	if got != want {
		t.Errorf("%+v, the index has %+v", got, want)
	}
}
