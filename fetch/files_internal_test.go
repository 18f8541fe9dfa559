package fetch

import (
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestFormOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]form{
		"a.fts": formExported, "A.EML": formMail, "a.msg": formOutlook, "a.mbox": formMbox, "a.mbx": formMbox, "a.PST": formPST, "a.ost": formPST, "a.ics": formCalendar, "a.VCF": formCards,
		"a": formUnknown, "12": formUnknown, "12.": formUnknown, "00001.7c53336b37003a9286aba55d2945844c": formUnknown, "mail.20240101": formUnknown,
		"README.md": formForeign, "a.txt": formForeign, "a.mp3": formForeign, ".eml": formForeign, "._a.eml": formForeign,
	} {
		if got := formOf(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]form{
		"From: a@b\nSubject: c\n\nd": formMail, "Received: by x": formMail, "From a@b Mon Mar  2 09:00:00 2026\nA: b\n": formMbox,
		"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\x00": formOutlook, "!BDN\x00": formPST,
		"": formForeign, "Read me first: it helps\n": formForeign, "Note: this\n\nis no mail": formForeign, "\x7fELF": formForeign, "#!/bin/sh\nFrom: x\n": formForeign, ": a\n": formForeign,
	} {
		if got := sniff(strings.NewReader(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestMaildirName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"1.a.host:2,FRS": {"1.a.host", "FS"}, "1.a.host:2,": {"1.a.host", ""}, "1.a.host": {"1.a.host", ""}, "1.a.host;2,S": {"1.a.host", "S"}, "1.a.host!2,SD": {"1.a.host", "DS"},
		"1:1,x": {"1:1,x", ""}, ":2,S": {":2,S", ""}, "1,S=5:2,Sab": {"1,S=5", "S"},
	} {
		if unique, flags := maildirName(name); unique != want[0] || flags != want[1] {
			t.Errorf("%s: %q %q, want %q", name, unique, flags, want)
		}
	}
}

func TestDecodeUTF7(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{ // the long ones are those of RFC 3501 5.1.3
		"plain": "plain", "a&-b": "a&b", "Entw&APw-rfe": "Entwürfe", "~peter/mail/&U,BTFw-/&ZeVnLIqe-": "~peter/mail/台北/日本語", "&2D3eCQ-": "😉",
		"&": "&", "&AP": "&AP", "&A-": "&A-", "R&D": "R&D", "&!-": "&!-",
	} {
		if got := decodeUTF7(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestDigest: what mail programs write into a message is its state and not the message.
func TestDigest(t *testing.T) {
	t.Parallel()
	of := func(text string) (string, string) {
		d := newDigest()
		if _, err := io.Copy(d, iotest.OneByteReader(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		whole := newDigest()
		if _, err := whole.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		m, s := d.sum()
		if m2, s2 := whole.sum(); m != m2 || s != s2 {
			t.Errorf("%q depends on how it is written", text)
		}
		return m, s
	}
	message, state := of("A: b\nC: d\n\nStatus: text\n")
	of("Status: " + strings.Repeat("x", 3*longLine) + "\nA: b\n\n")
	of("A: " + strings.Repeat("\r", 3*longLine) + "\n\nStatus: x\n")
	for name, row := range map[string]struct {
		text        string
		sameMessage bool
	}{
		"status":          {"A: b\nStatus: RO\nC: d\n\nStatus: text\n", true},
		"folded":          {"A: b\nX-Keywords: x\n y\n\tz\nC: d\n\nStatus: text\n", true},
		"Mozilla":         {"x-mozilla-STATUS: 0001\nA: b\nC: d\n\nStatus: text\n", true},
		"another text":    {"A: b\nC: d\n\nStatus: TEXT\n", false},
		"another field":   {"A: b\nC: D\n\nStatus: text\n", false},
		"a similar field": {"A: b\nStatus-X: RO\nC: d\n\nStatus: text\n", false},
	} {
		m, s := of(row.text)
		if m == message != row.sameMessage || row.sameMessage && s == state {
			t.Errorf("%s: message the same: %v, state the same: %v", name, m == message, s == state)
		}
	}
}

// TestWalkKeeps: the walk hands on what it listed, up to a number of messages.
func TestWalkKeeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a/1.eml", "b/1.eml", "b/2.eml", "b/3.eml", "c/1.eml"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, path.Dir(name)), 0o700), os.WriteFile(filepath.Join(dir, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := walk{root: root, seen: map[string]bool{}, kept: mostKept - 3, o: FilesOptions{PassedOver: func(string, bool) {}}}
	if err := w.mailbox(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	kept := map[string]int{}
	for _, p := range w.places {
		kept[p.ID] = len(p.mails)
	}
	if want := map[string]int{".": 0, "a": 1, "b": 0, "c": 1}; !maps.Equal(kept, want) || w.kept != mostKept-1 {
		t.Errorf("kept %v, %d in all", kept, w.kept)
	}
}

// TestListing: messages are found in whatever order they are asked for.
func TestListing(t *testing.T) {
	t.Parallel()
	l := listing{}
	for _, id := range []string{"d", "b", "a", "c"} {
		l.mails = append(l.mails, entry{Ref: Ref{ItemID: id}})
	}
	for _, id := range []string{"d", "b", "a", "c", "c", "?", "d", "b", "b", "", "c"} {
		known := id != "?" && id != ""
		if e, ok := l.find(id); ok != known || known && e.ItemID != id {
			t.Errorf("%q: %q, %v", id, e.ItemID, ok)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("Entw&APw-rfe", "a")
	f.Add("a\xff\\b", `a\xff\b`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if decodeUTF7(a); !utf8.ValidString(display(decodeUTF7(a))) {
			t.Error("a name for people is no text")
		}
		if (escape(a) == escape(b)) != (a == b) || !utf8.ValidString(escape(a)) {
			t.Errorf("%q and %q become %q and %q", a, b, escape(a), escape(b))
		}
		if a != "" {
			formOf(a)
			maildirName(a)
		}
	})
}

func FuzzDigest(f *testing.F) {
	f.Add("A: b\nStatus: RO\n c\n\nText", 3)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		if cut < 0 || cut > len(text) {
			return
		}
		whole, parts := newDigest(), newDigest()
		whole.Write([]byte(text))
		parts.Write([]byte(text[:cut]))
		parts.Write([]byte(text[cut:]))
		m, s := whole.sum()
		if m2, s2 := parts.sum(); m != m2 || s != s2 {
			t.Error("the digest depends on how the message is written")
		}
	})
}
