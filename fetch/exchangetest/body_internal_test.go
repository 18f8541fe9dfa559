package exchangetest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestBase64Sink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"plain", "QUJD", "ABC"},
		{"padded", "QUI=", "AB"},
		{"blanks", " Q\r\nU\tJ D\n", "ABC"},
		{"references", "QU&#13;&#xA;JD&#x0d;", "error"},
		{"known references", "QU&#13;&#xA;JD&#xd;", "ABC"},
		{"entity", "QU&amp;JD", "error"},
		{"cut reference", "QUJD&#1", "error"},
		{"length", "QUJ", "error"},
		{"after the end", "QUI=QUJD", "error"},
		{"other letters", "Q*JD", "error"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for step := 1; step <= len(test.in)+1; step++ {
				var got bytes.Buffer
				d := &base64Sink{w: &got}
				var err error
				for i := 0; i < len(test.in) && err == nil; i += step {
					_, err = d.Write([]byte(test.in[i:min(i+step, len(test.in))]))
				}
				if err == nil {
					err = d.Close()
				}
				if failed := errors.Is(err, errBase64); failed != (test.want == "error") || !failed && got.String() != test.want {
					t.Errorf("in steps of %d: %q, %v", step, got.String(), err)
				}
			}
		})
	}
}

// TestBodyReader: the content goes, all else stays, however the bytes arrive.
func TestBodyReader(t *testing.T) {
	t.Parallel()
	large := make([]byte, 3*spoolAt/2)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range large {
		large[i] = byte(random.Uint32())
	}
	files := &spools{parent: t.TempDir()}
	defer files.close()
	in := `<?xml version="1.0"?><a><!-- <Data>AAAA</Data> --><t:Data x=">">` + base64.StdEncoding.EncodeToString(large) +
		`</t:Data><Data/><Datum>AAAA</Datum><![CDATA[<Data>]]><x:Data>QUJD</x:Data><Data>?</Data></a>`
	want := `<?xml version="1.0"?><a><!-- <Data>AAAA</Data> --><t:Data x=">">#0;</t:Data><Data/><Datum>AAAA</Datum><![CDATA[<Data>]]><x:Data>#1;</x:Data><Data>#2;</Data></a>`
	doc, data, err := readBody(&dribble{in, random}, files)
	if err != nil || string(doc) != want {
		t.Fatalf("%v: %.300s", err, doc)
	}
	for i, content := range [][]byte{large, []byte("ABC"), nil} {
		r, err := data[i].blob.open()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(r)
		r.Close()
		if !bytes.Equal(got, content) || (data[i].err != nil) != (i == 2) {
			t.Errorf("%d: %d bytes, %v", i, len(got), data[i].err)
		}
	}
	if _, ok := data[0].blob.(fileBlob); !ok {
		t.Error("large content stays in memory")
	}
}

// dribble hands text out in pieces of any size.
type dribble struct {
	rest   string
	random *rand.Rand
}

func (d *dribble) Read(p []byte) (int, error) {
	if d.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+d.random.IntN(3000))], d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func BenchmarkReadBody(b *testing.B) {
	in := `<a><Data>` + strings.Repeat("QUJD", 4<<20) + `</Data></a>`
	files := &spools{parent: b.TempDir()}
	defer files.close()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		_, data, err := readBody(strings.NewReader(in), files)
		if err != nil {
			b.Fatal(err)
		}
		discard(data[0].blob)
	}
}
