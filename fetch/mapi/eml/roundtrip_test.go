package eml_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
)

// facts are what must survive any way through the encodings.
func facts(m *mapi.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "subject %q\nfrom %v\nto %v\ncc %v\nbcc %v\nid %q\nsent %v\nreceived %v\n", m.Subject(), m.From(),
		m.To(), m.Cc(), m.Bcc(), m.MessageID(), m.Sent(), m.Received())
	fmt.Fprintf(&b, "body %q\nhtml %q\ncategories %q\n", m.BodyText(), m.HTML(), m.Categories())
	var attachments []string
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if a.Embedded != nil {
			attachments = append(attachments, fmt.Sprintf("embedded %q {\n%s}\n", a.Name(), facts(a.Embedded)))
			continue
		}
		h := sha256.New()
		io.Copy(h, a.Data().Open())
		attachments = append(attachments, fmt.Sprintf("attachment %q %s hidden %v %x\n", a.Name(),
			a.Properties.Text(mapi.PidTagAttachMimeTag), a.Hidden(), h.Sum(nil)))
	}
	sort.Strings(attachments) // the parts of the HTML come first when written
	return b.String() + strings.Join(attachments, "")
}

func read(t testing.TB, raw []byte) *mapi.Message {
	t.Helper()
	m, err := eml.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := eml.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// throughBlob encodes m and reads it back; every segment's bytes must add up to the blob.
func throughBlob(t testing.TB, m *mapi.Message) *mapi.Message {
	t.Helper()
	var blob, sum bytes.Buffer
	if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	var back mapi.Message
	r, err := fasttransfer.Scan(bytes.NewReader(blob.Bytes()), fasttransfer.Visitor{Message: &back, Keep: 1 << 30,
		Segment: func(s fasttransfer.Segment) error { sum.Write(s.Data); return nil }})
	if err != nil || r.State != fasttransfer.Complete {
		t.Fatalf("%v %s at %d: %v", r.State, r.Reason, r.Offset, err)
	}
	if !bytes.Equal(sum.Bytes(), blob.Bytes()) {
		t.Fatal("segments do not add up to the blob")
	}
	return &back
}

// roundTrip is eml -> Encode -> Scan -> Write -> Read; nothing that matters may change.
func roundTrip(t testing.TB, raw []byte) {
	t.Helper()
	m := read(t, raw)
	want := facts(m)
	back := throughBlob(t, m)
	if got := facts(back); got != want {
		t.Errorf("changed in the blob:\n%s", diff(want, got))
	}
	out := write(t, back)
	if !bytes.Equal(out, write(t, m)) {
		t.Error("written differently before and after the blob")
	}
	if got := facts(read(t, out)); got != want {
		t.Errorf("changed in the file:\n%s", diff(want, got))
	}
}

func diff(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range la {
		if i >= len(lb) || la[i] != lb[i] {
			other := ""
			if i < len(lb) {
				other = lb[i]
			}
			return fmt.Sprintf("- %.600s\n+ %.600s", la[i], other)
		}
	}
	return "more lines"
}

// TestRealMail runs over a tree of mail files: a sample of it, or all with MAILBRICK_MAIL_ALL set.
func TestRealMail(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	every := 37
	if os.Getenv("MAILBRICK_MAIL_ALL") != "" {
		every = 1
	}
	seen, mails, notMail := 0, 0, 0
	var size int64
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if seen++; seen%every != 0 {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := eml.Read(bytes.NewReader(raw)); err != nil {
			notMail++
			return nil
		}
		mails++
		size += int64(len(raw))
		ok := t.Run(filepath.Base(path), func(t *testing.T) { roundTrip(t, raw) })
		if !ok {
			t.Log(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %d bytes; %d files are no mail", mails, size, notMail)
}
