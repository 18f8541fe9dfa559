package eml_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestAllMail(t *testing.T) {
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("MAILBRICK_MAIL is not set")
	}
	files, not := 0, 0
	var in, out int64
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		raw, _ := os.ReadFile(path)
		m, err := eml.Read(bytes.NewReader(raw))
		if err != nil {
			not++
			t.Log(path, err)
			return nil
		}
		files++
		var blob bytes.Buffer
		if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
			t.Fatal(path, err)
		}
		in += int64(len(raw))
		out += int64(blob.Len())
		var back mapi.Message
		r, err := fasttransfer.Scan(&blob, fasttransfer.Visitor{Message: &back})
		if err != nil || r.State != fasttransfer.Complete {
			t.Fatal(path, r, err)
		}
		if back.Subject() != m.Subject() || back.BodyText() != m.BodyText() {
			t.Error(path)
		}
		return nil
	})
	t.Log(files, not, in, out)
}
