package fasttransfer_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

const data = "../../../../shared/data/fts/"

// TestSyntheticBlobs: each blob counts as its index says, and what was read of it is written as the same bytes.
func TestSyntheticBlobs(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(data + "synthetic/index.json")
	if err != nil {
		t.Skip("no data: shared/data/fts/synthetic")
	}
	type counts struct{ Atts, Bytes, Emb, Named, Props, Recips int }
	var want map[string]counts
	if err := json.Unmarshal(index, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != 41 {
		t.Errorf("%d blobs", len(want))
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blob, err := os.ReadFile(filepath.Join(data, "synthetic", name))
			if err != nil {
				t.Fatal(err)
			}
			var m mapi.Message
			r, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &m, Keep: 1 << 30})
			if err != nil || r.State != fasttransfer.Complete {
				t.Fatalf("%v %v at %d: %v", r.State, r.Reason, r.Offset, err)
			}
			got := counts{r.Attachments, int(r.Size), r.Embedded, r.Named, r.Properties - added(&m), r.Recipients}
			if got != w {
				t.Errorf("counts %+v, want %+v", got, w)
			}
			var again bytes.Buffer
			o := fasttransfer.EncodeOptions{Version: [6]byte(blob[56:62]), AsTheyLie: true}
			if err := fasttransfer.Encode(&again, &m, o); err != nil || !bytes.Equal(again.Bytes(), blob) {
				t.Errorf("what was read is written as %d other bytes: %v", again.Len(), err)
			}
		})
	}
}

// added counts what the converter put in beyond the properties of its source,
// which alone it counts: the PidTagMid of embedded messages and the number of an
// attachment that had no property at all.
func added(m *mapi.Message) int {
	n := 0
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if len(a.Properties) == 1 {
			n++
		}
		if a.Embedded != nil {
			n += 1 + added(a.Embedded)
		}
	}
	return n
}

func TestPublishedFragments(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(data + "published/*.bin")
	if len(files) == 0 {
		t.Skip("no data: shared/data/fts/published")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			blob, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var m mapi.Message
			r, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &m})
			if err != nil || r.State == fasttransfer.Complete || r.Reason == "" {
				t.Fatalf("%v %q: %v", r.State, r.Reason, err)
			}
			t.Logf("%v at %d of %d: %s; %d properties, subject %q", r.State, r.Offset, r.Size, r.Reason, r.Properties, m.Subject())
			framed := bytes.HasPrefix(blob, []byte{1, 0, 0, 0, 8, 0, 0, 0})
			if !framed && r.State != fasttransfer.Unparsed {
				t.Errorf("%v without framing", r.State)
			}
			if framed && strings.Contains(file, "prefix") && r.State != fasttransfer.Truncated {
				t.Errorf("a prefix is %v: %s at %d", r.State, r.Reason, r.Offset)
			}
		})
	}
}
