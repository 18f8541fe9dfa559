package pst

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

// TestWrittenFilesAreFiles: what the tests write is what readpst reads, in all
// encodings, so that both sides of the other tests are not wrong together.
func TestWrittenFilesAreFiles(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("readpst"); err != nil {
		t.Skip("no readpst")
	}
	long := bytes.Repeat([]byte("0123456789"), 3000)
	for _, k := range kinds() {
		if k.format == Unicode4K || k.tight {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := k.builder()
			m := &mapi.Message{
				Properties: mapi.Bag{b.text(mapi.PidTagMessageClass, "IPM.Note"), b.text(mapi.PidTagSubject, "\x01\x05RE: a subject"),
					b.text(mapi.PidTagSenderEmailAddress, "a@example.com"), b.text(mapi.PidTagSenderAddressType, "SMTP"),
					mapi.NewTime(mapi.PidTagClientSubmitTime, time.Unix(1e9, 0)), b.text(mapi.PidTagBody, "hello")},
				Recipients: []mapi.Bag{{mapi.NewInt32(mapi.PidTagRecipientType, 1), b.text(mapi.PidTagDisplayName, "B")}},
				Attachments: []mapi.Attachment{{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue),
					b.text(mapi.PidTagAttachFilename, "a.bin"), mapi.NewBinary(mapi.PidTagAttachData, long)}}},
			}
			b.add(b.message(b.fresh(typeMessage), m), b.folder(b.root(), "Inbox", "IPF.Note"))
			dir := t.TempDir()
			path := filepath.Join(dir, "test.pst")
			if err := os.WriteFile(path, b.file(), 0o600); err != nil {
				t.Fatal(err)
			}
			if text, err := exec.Command("readpst", "-q", "-D", "-e", "-j", "0", "-o", dir, path).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, text)
			}
			found, _ := filepath.Glob(filepath.Join(dir, "*", "Inbox", "*.eml"))
			if len(found) == 0 {
				found, _ = filepath.Glob(filepath.Join(dir, "*", "*.eml"))
			}
			if len(found) != 1 {
				t.Fatalf("files %q", found)
			}
			data, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := eml.Read(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject() != "RE: a subject" || got.BodyText() != "hello" || len(got.Attachments) != 1 || !bytes.Equal(got.Attachments[0].Data().Bytes(), long) {
				t.Errorf("%q %q %s", got.Subject(), got.BodyText(), fmt.Sprint(got.AttachmentNames()))
			}
		})
	}
}
