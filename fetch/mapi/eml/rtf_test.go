package eml_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/rtf"
)

func TestOnlyRTF(t *testing.T) {
	t.Parallel()
	const (
		ofHTML = `{\rtf1\ansi\fromhtml1{\fonttbl{\f0 A;}}{\*\htmltag64 <p>}h\'fc{\*\htmltag84 <img src="cid:1">}{\*\htmltag72 </p>}}`
		ofText = `{\rtf1\ansi\fromtext a\par b\u8364 ?\par}`
		plain  = `{\rtf1\ansi {\b r}\par s}`
	)
	rich := func(doc string) mapi.Property {
		return mapi.NewBinary(mapi.PidTagRtfCompressed, rtf.Compress([]byte(doc)))
	}
	body := mapi.NewText(mapi.PidTagBody, "body")
	for _, c := range []struct {
		name       string
		bag        mapi.Bag
		text, html string
	}{
		{"made of HTML", mapi.Bag{rich(ofHTML)}, "hü", `<p>hü<img src="cid:1"></p>`},
		{"made of HTML, and plain", mapi.Bag{body, rich(ofHTML)}, "body", `<p>hü<img src="cid:1"></p>`},
		{"made of text", mapi.Bag{rich(ofText)}, "a\nb€\n", ""},
		{"native", mapi.Bag{rich(plain)}, "r\ns", ""},
		{"native, and plain", mapi.Bag{body, rich(plain)}, "body", ""},
		{"HTML of its own", mapi.Bag{mapi.NewBinary(mapi.PidTagHTML, []byte("<p>own")), rich(ofHTML)}, "own", "<p>own"},
		{"damaged", mapi.Bag{mapi.NewBinary(mapi.PidTagRtfCompressed, []byte("?"))}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &mapi.Message{Properties: c.bag, Attachments: []mapi.Attachment{{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachContentID, "1"),
				mapi.NewBool(mapi.PidTagAttachmentHidden, true), mapi.NewBinary(mapi.PidTagAttachData, []byte("picture"))}}}}
			raw := write(t, m)
			back := read(t, raw)
			if text, html := back.BodyText(), back.HTML(); text != c.text || html != c.html {
				t.Errorf("text %q, html %q of\n%s", text, html, raw)
			}
			if related := bytes.Contains(raw, []byte("multipart/related")); related != (c.html != "") {
				t.Errorf("related: %v", related)
			}
			if len(back.Attachments) != 1 {
				t.Error("the picture is lost")
			}
		})
	}
	out := mapi.Property{Tag: mapi.MakeTag(mapi.PidTagRtfCompressed, mapi.TypeBinary), Size: 5}
	if err := eml.Write(&bytes.Buffer{}, &mapi.Message{Properties: mapi.Bag{out}}); !errors.Is(err, mapi.ErrLeftOut) {
		t.Error(err)
	}
	if err := eml.Write(&bytes.Buffer{}, &mapi.Message{Properties: mapi.Bag{out, body}}); err != nil {
		t.Error(err)
	}
}

// TestItemsOfOutlook takes items that Outlook wrote: their bodies, most of them RTF, come through MIME.
func TestItemsOfOutlook(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../../shared/data/fts/synthetic/*.bin")
	if len(files) == 0 {
		t.Skip("no data: shared/data/fts/synthetic")
	}
	pages := 0
	for _, file := range files {
		blob, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m mapi.Message
		if _, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &m, Keep: 1 << 30}); err != nil {
			t.Fatal(err)
		}
		back := read(t, write(t, &m))
		if got, want := squeeze(back.BodyText()), squeeze(m.BodyText()); got != want {
			t.Errorf("%s: text %.200q, want %.200q", file, got, want)
		}
		if got, want := squeeze(back.HTML()), squeeze(m.HTML()); got != want {
			t.Errorf("%s: html %.200q, want %.200q", file, got, want)
		}
		if m.HTML() != "" {
			pages++
		}
	}
	t.Logf("%d items, %d with HTML", len(files), pages)
}

// squeeze leaves out what mail does not keep: NULs, and white space as it was.
func squeeze(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\x00", " ")), " ")
}
