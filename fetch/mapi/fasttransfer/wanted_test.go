package fasttransfer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// TestWantedIsEnough: a summary made of nothing but what it is made of is the same, and nothing else is kept. Of the
// converter's blobs as many as there are, and of a message of our own.
func TestWantedIsEnough(t *testing.T) {
	t.Parallel()
	blobs := map[string][]byte{"own": encode(t, item(2000, 20<<10))}
	files, _ := filepath.Glob(data + "synthetic/*.bin")
	for _, name := range files {
		blob, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blobs[filepath.Base(name)] = blob
	}
	scanner := fasttransfer.Scanner{ReadAhead: 100_000}
	for name, blob := range blobs {
		all, some := &mapi.Message{}, &mapi.Message{}
		full, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: all})
		if err != nil {
			t.Fatal(err)
		}
		part, err := scanner.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: some, Wanted: mapi.InSummary})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(full, part) {
			t.Errorf("%s: report %+v, want %+v", name, part, full)
		}
		if got, want := mapi.Summarize(some), mapi.Summarize(all); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: summary %+v, want %+v", name, got, want)
		}
		for _, p := range some.Properties {
			if !mapi.InSummary(p.Tag.ID()) {
				t.Errorf("%s: %v was kept", name, p.Tag)
			}
		}
	}
}
