package rtf_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/rtf"
)

const blobs = "../../../../shared/data/fts/synthetic/*.bin"

// found is an RTF body of the data and the plain body beside it.
type found struct {
	name, plain string
	packed      []byte
}

func corpus(t testing.TB) []found {
	t.Helper()
	files, _ := filepath.Glob(blobs)
	if len(files) == 0 {
		t.Skip("no data: shared/data/fts/synthetic")
	}
	var list []found
	for _, file := range files {
		blob, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m mapi.Message
		if _, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &m}); err != nil {
			t.Fatal(err)
		}
		list = append(list, bodies(filepath.Base(file), &m)...)
	}
	return list
}

func bodies(name string, m *mapi.Message) []found {
	var list []found
	if packed := m.Properties.Binary(mapi.PidTagRtfCompressed); len(packed) > 0 {
		list = append(list, found{name, m.Properties.Text(mapi.PidTagBody), packed})
	}
	for i := range m.Attachments {
		if in := m.Attachments[i].Embedded; in != nil {
			list = append(list, bodies(name+"/"+m.Attachments[i].Name(), in)...)
		}
	}
	return list
}

// address is a link as Outlook puts it into plain text.
var address = regexp.MustCompile(`<[a-z]+:[^>]*>|\[[a-z]+:[^\]]*\]`)

// TestCorpus reads bodies that Outlook wrote: their checks agree, and their text
// has the words of the plain body beside it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	kinds := map[rtf.Kind]int{}
	for _, f := range corpus(t) {
		doc, err := rtf.Decompress(f.packed)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		kind := rtf.KindOf(doc)
		kinds[kind]++
		got := rtf.Text(doc)
		if i := strings.IndexRune(got, utf8.RuneError); i >= 0 || !utf8.ValidString(got) {
			t.Errorf("%s: not all characters were read: %.60q", f.name, got[max(0, i-30):])
		}
		plain := words(address.ReplaceAllString(f.plain, " "))
		if strings.Contains(f.name, "chinese") {
			plain = nil // its plain body names no code page
		}
		least := 0.98
		if strings.Contains(f.name, "bug66335") {
			least = 0.85 // its plain body has the texts that stand for pictures
		}
		if share := overlap(plain, words(got)); share < least {
			t.Errorf("%s: %v text has %.2f of the words of the plain body", f.name, kind, share)
		}
		page, err := rtf.HTML(doc)
		if (err == nil) != (kind == rtf.OfHTML) {
			t.Errorf("%s: %v: %v", f.name, kind, err)
		}
		if kind == rtf.OfHTML {
			if lower := strings.ToLower(page); !strings.Contains(lower, "<html") || !strings.Contains(lower, "</html>") || strings.Contains(lower, "htmlrtf") {
				t.Errorf("%s: no page: %.300q", f.name, page)
			}
			if share := overlap(plain, words(mapi.HTMLText(page))); share < least {
				t.Errorf("%s: the page has %.2f of the words of the plain body", f.name, share)
			}
		}
	}
	t.Logf("bodies by kind: %v", kinds)
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// overlap is the share of the words in want that got has too, each as often.
func overlap(want, got []string) float64 {
	if len(want) == 0 {
		return 1
	}
	count, both := map[string]int{}, 0
	for _, w := range got {
		count[w]++
	}
	for _, w := range want {
		if count[w] > 0 {
			count[w]--
			both++
		}
	}
	return float64(both) / float64(len(want))
}
