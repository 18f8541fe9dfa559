package eml_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

// lines joins a message with CRLF line ends.
func lines(l ...string) []byte { return []byte(strings.Join(l, "\r\n")) }

func TestReadProperties(t *testing.T) {
	t.Parallel()
	raw := lines(
		"Received: from b by c; Tue, 2 Jan 2024 10:00:05 +0100",
		"Received: from a by b; Tue, 2 Jan 2024 10:00:03 +0100",
		"Date: Tue, 02 Jan 2024 10:00:00 +0100 (CET)",
		"From: =?utf-8?Q?Anna_M=C3=BCller?= <anna@example.com>",
		"Sender: desk@example.com",
		"To: \"Doe, John\" <john@example.com>, team: a@example.com, b@example.com;",
		"Cc: =?iso-8859-1?B?SvxyZ2Vu?= <juergen@example.com>",
		"Bcc: secret@example.com",
		"Reply-To: Desk <desk@example.com>, other@example.com",
		"Subject: RE: =?utf-8?Q?Gr=C3=BC?=",
		" =?utf-8?B?w59l?= to all",
		"Message-ID: <1@example.com>",
		"In-Reply-To: <0@example.com>",
		"References: <00@example.com> <0@example.com>",
		"X-Priority: 1 (Highest)",
		"Sensitivity: Private",
		"Thread-Index: Ac0gAGS5a5Ld1Y+0TSuWZk8gk4lnMA==",
		"Keywords: red, green",
		"X-Mailer: Pencil 2",
		"",
		"Hello\nthere\r\n")
	m := read(t, raw)
	if got, want := facts(m), strings.Join([]string{
		`class IPM.Note`, `subject "RE: Grüße to all"`, `from Anna Müller <anna@example.com>`,
		`to [Doe, John <john@example.com> a@example.com b@example.com]`, `cc [Jürgen <juergen@example.com>]`,
		`bcc [secret@example.com]`, `id "<1@example.com>"`, `sent 2024-01-02 09:00:00 +0000 UTC`,
		`received 2024-01-02 09:00:05 +0000 UTC`, `body "Hello\nthere\n"`, `html ""`, `categories ["red" "green"]`, ""}, "\n"); got != want {
		t.Errorf("%s", diff(want, got))
	}
	b := m.Properties
	for _, c := range []struct {
		id   uint16
		want string
	}{
		{mapi.PidTagMessageClass, "IPM.Note"}, {mapi.PidTagSubjectPrefix, "RE: "}, {mapi.PidTagNormalizedSubject, "Grüße to all"},
		{mapi.PidTagConversationTopic, "Grüße to all"}, {mapi.PidTagBody, "Hello\r\nthere\r\n"},
		{mapi.PidTagInReplyToID, "<0@example.com>"}, {mapi.PidTagInternetReferences, "<00@example.com> <0@example.com>"},
		{mapi.PidTagSenderEmailAddress, "desk@example.com"}, {mapi.PidTagSentRepresentingAddressType, "SMTP"},
		{mapi.PidTagReplyRecipientNames, "Desk;other@example.com"},
		{mapi.PidTagTransportMessageHeaders, strings.TrimSuffix(string(raw), "Hello\nthere\r\n")},
	} {
		if got := b.Text(c.id); got != c.want {
			t.Errorf("%04X is %q, want %q", c.id, got, c.want)
		}
	}
	for id, want := range map[uint16]int32{mapi.PidTagImportance: 2, mapi.PidTagPriority: 1, mapi.PidTagSensitivity: 2,
		mapi.PidTagMessageFlags: mapi.FlagRead, mapi.PidTagNativeBody: mapi.NativePlain, mapi.PidTagInternetCodepage: 65001} {
		if got, ok := b.Int32(id); got != want || !ok {
			t.Errorf("%04X is %d, want %d", id, got, want)
		}
	}
	r := m.Recipients[0]
	if got := string(r.Binary(mapi.PidTagSearchKey)); got != "SMTP:JOHN@EXAMPLE.COM\x00" {
		t.Errorf("search key %q", got)
	}
	entry := hex.EncodeToString(r.Binary(mapi.PidTagEntryID))
	if !strings.HasPrefix(entry, "00000000812b1fa4bea310199d6e00dd010f5402000000904400") {
		t.Errorf("entry id %s", entry)
	}
	if got := r.Text(mapi.PidTagDisplayName) + r.Text(mapi.PidTagAddressType) + r.Text(mapi.PidTagSMTPAddress); got != "Doe, JohnSMTPjohn@example.com" {
		t.Errorf("recipient %q", got)
	}
	if p := b.FindNamed(mapi.Name{Set: mapi.SetInternetHeaders(), Text: "x-mailer"}); p == nil || p.Text(0) != "Pencil 2" {
		t.Error("no x-mailer")
	}
	if len(b.Binary(mapi.PidTagSearchKey)) != 16 || len(b.Binary(mapi.PidTagConversationIndex)) != 22 {
		t.Error("search key or conversation index")
	}
	if !reflect.DeepEqual(m, read(t, raw)) {
		t.Error("read differently a second time")
	}
}

func TestReadStructure(t *testing.T) {
	t.Parallel()
	part := func(boundary, header, body string) string {
		return "--" + boundary + "\r\n" + header + "\r\n\r\n" + body + "\r\n"
	}
	multi := func(kind, boundary string, parts ...string) string {
		return "Content-Type: multipart/" + kind + "; boundary=\"" + boundary + "\"\r\n\r\n" + strings.Join(parts, "") + "--" + boundary + "--\r\n"
	}
	inner := multi("alternative", "i", part("i", "Content-Type: text/plain", "words"), part("i", "Content-Type: text/html", "<p>words<img src='cid:x@y'>"))
	for _, c := range []struct {
		name, mail string
		body, html string
		names      []string // of all attachments; (hidden), {embedded}
	}{
		{"plain", "Content-Type: text/plain\r\n\r\nwords", "words", "", nil},
		{"no type", "\r\nwords", "words", "", nil},
		{"html", "Content-Type: text/html\r\n\r\n<p>words", "", "<p>words", nil},
		{"alternative", inner, "words", "<p>words<img src='cid:x@y'>", nil},
		{"related in mixed", multi("mixed", "o",
			"--o\r\n"+multi("related", "r", "--r\r\n"+inner, part("r", "Content-Type: image/png; name=a.png\r\nContent-ID: <x@y>", "png")),
			part("o", "Content-Type: image/png\r\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.png\r\nContent-ID: <z@y>", "png")),
			"words", "<p>words<img src='cid:x@y'>", []string{"(a.png)", "ü.png"}},
		{"text attachment", multi("mixed", "o", part("o", "Content-Type: text/plain", "words"),
			part("o", "Content-Type: text/plain; name=\"=?utf-8?Q?n=C3=A4me.txt?=\"", "file")), "words", "", []string{"näme.txt"}},
		{"footer of a list", multi("mixed", "o", part("o", "Content-Type: text/html", "<p>words"),
			part("o", "Content-Type: text/plain", "footer")), "", "<p>words", []string{"ATT00001.txt"}},
		{"embedded", multi("mixed", "o", part("o", "Content-Type: text/plain", "words"),
			part("o", "Content-Type: message/rfc822", "Subject: inside\r\n\r\ninner words")), "words", "", []string{"{inside}"}},
		{"digest", multi("digest", "o", part("o", "", "Subject: one\r\n\r\nx"), part("o", "", "Subject: two\r\n\r\nx")), "", "", []string{"{one}", "{two}"}},
		{"not a message", multi("mixed", "o", part("o", "Content-Type: message/rfc822", "\x00\x01")), "", "", []string{"ATT00001.eml"}},
		{"only an attachment", "Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj", "", "", []string{"a.pdf"}},
		{"no boundary", "Content-Type: multipart/mixed\r\n\r\nwords", "words", "", nil},
		{"boundary never comes", "Content-Type: multipart/mixed; boundary=x\r\n\r\nwords", "words", "", nil},
		{"no closing boundary", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nwords", "words", "", nil},
		{"boundary within a longer one", multi("mixed", "b", "--b\r\n"+multi("alternative", "b1", part("b1", "Content-Type: text/plain", "words"))), "words", "", nil},
		{"quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n=FCber=\r\n=3D =zz  \r\n", "über= =zz\n", "", nil},
		{"base64", "Content-Transfer-Encoding: base64\r\n\r\nd29y\r\nZHM=\r\n", "words", "", nil},
		{"base64 with a footer", "Content-Transfer-Encoding: base64\r\n\r\nd29y\r\nZHM=\r\n\r\nSome footer.\r\n", "words", "", nil},
		{"not base64", "Content-Transfer-Encoding: base64\r\n\r\nThese are words, not base64.", "These are words, not base64.", "", nil},
		{"unknown encoding", "Content-Transfer-Encoding: x-uue\r\n\r\nwords", "words", "", nil},
		{"unknown charset", "Content-Type: text/plain; charset=x-nothing\r\n\r\n\xFCber", "über", "", nil},
		{"no charset, UTF-8", "\r\n\xC3\xBCber", "über", "", nil},
		{"lying charset", "Content-Type: text/plain; charset=us-ascii\r\n\r\n\xFCber", "über", "", nil},
		{"charset of cyrillic", "Content-Type: text/plain; charset=koi8-r\r\n\r\n\xD0\xD2\xC9\xD7\xC5\xD4", "привет", "", nil},
		{"japanese", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3$s\x1b(B", "こん", "", nil},
		{"html names its charset", "Content-Type: text/html\r\n\r\n<meta charset=windows-1251>\xEF\xF0", "", "<meta charset=windows-1251>пр", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := []byte("Subject: s\r\n" + c.mail)
			m := read(t, raw)
			var names []string
			for i := range m.Attachments {
				a := &m.Attachments[i]
				switch name := a.Name(); {
				case a.Embedded != nil:
					names = append(names, "{"+a.Embedded.Subject()+"}")
				case a.Hidden():
					names = append(names, "("+name+")")
				default:
					names = append(names, name)
				}
			}
			body := strings.ReplaceAll(m.Properties.Text(mapi.PidTagBody), "\r\n", "\n")
			if body != c.body || m.HTML() != c.html || !reflect.DeepEqual(names, c.names) {
				t.Errorf("body %q html %q names %q", body, m.HTML(), names)
			}
			roundTrip(t, raw)
		})
	}
}

func TestReadHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, want string }{
		{"LF line ends", "Subject: a\n b\nTo: x@y\n\n", "a b|x@y"},
		{"CR line ends", "Subject: a\rTo: x@y\r\r", "a|x@y"},
		{"mbox line", "From x@y Tue Jan 2\nSubject: a\n\n", "a|"},
		{"byte order mark", "\xEF\xBB\xBFSubject: a\n\n", "a|"},
		{"junk among the fields", "Subject: a\nthis is junk\nTo: x@y\n\n", "a|x@y"},
		{"space before the colon", "Subject : a\nTo: x@y\n\n", "a|x@y"},
		{"8-bit UTF-8", "Subject: \xC3\xBC\n\n", "ü|"},
		{"8-bit Windows", "Subject: \xFC\n\n", "ü|"},
		{"word cut within a character", "Subject: =?utf-8?B?w5?= =?utf-8?B?w7w=?=\n\n", "\uFFFDü|"},
		{"character over two words", "Subject: =?utf-8?Q?=C3?= =?utf-8?Q?=BC?=\n\n", "ü|"},
		{"not quite an encoded word", "Subject: =?utf-8?X?abc?= =?\n\n", "=?utf-8?X?abc?= =?|"},
		{"unknown charset in a word", "Subject: =?x-what?Q?abc?=\n\n", "abc|"},
		{"language in a word", "Subject: =?iso-8859-1*de?Q?=FC?=\n\n", "ü|"},
		{"no address", "Subject: a\nTo: undisclosed-recipients:;\n\n", "a|"},
		{"two fields", "Subject: a\nTo: x@y\nTo: z@y\n\n", "a|x@y z@y"},
		{"semicolons and quotes", "Subject: a\nTo: 'x@y'; Z <mailto:z@y>, \"unclosed <q@y>\n\n", "a|x@y Z <z@y> unclosed <q@y>"},
		{"comment as a name", "Subject: a\nTo: x@y (Some (odd) One)\n\n", "a|Some (odd) One <x@y>"},
		{"comma missing", "Subject: a\nTo: A <a@y> B <b@y>\n\n", "a|A <a@y> B <b@y>"},
		{"comma in an encoded word", "Subject: a\nTo: =?utf-8?Q?B,_A?= <x@y>\n\n", "a|B, A <x@y>"},
		{"source route", "Subject: a\nTo: <@p,@q:x@y>\n\n", "a|x@y"},
		{"name only", "Subject: a\nTo: The whole team\n\n", "a|The whole team"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := read(t, []byte(c.header+"body"))
			var to []string
			for _, a := range m.To() {
				to = append(to, a.String())
			}
			if got := m.Subject() + "|" + strings.Join(to, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			roundTrip(t, []byte(c.header+"body"))
		})
	}
}

func TestReadNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, params, want string }{
		{"pieces", "name*0=\"long \"; name*1=\"name.txt\"", "long name.txt"},
		{"pieces out of order", "name*1=b.txt; name*0=a", "ab.txt"},
		{"extended pieces", "name*0*=utf-8'de'%C3; name*1*=%BC; name*2=.txt", "\u00FC.txt"},
		{"another charset", "name*=iso-8859-2''%B1.txt", "\u0105.txt"},
		{"broken percent", "name*=utf-8''%C3%B.txt", "%C3%B.txt"},
		{"no charset", "name*=''a%20b.txt", "a b.txt"},
		{"encoded word in quotes", "name=\"=?utf-8?B?w7w=?=.txt\"", "\u00FC.txt"},
		{"encoded words, cut within a character", "name=\"=?utf-8?B?w?= =?utf-8?B?w7w=?=.txt\"", "\u00FC.txt"},
		{"8-bit", "name=\"\xFC.txt\"", "\u00FC.txt"},
		{"the extended one counts", "name=u.txt; name*=utf-8''%C3%BC.txt", "\u00FC.txt"},
		{"no quotes", "name=a b c.txt", "a b c.txt"},
		{"no end", "name=\"a.txt", "a.txt"},
		{"a path of Windows", `name="C:\dir\a.txt"`, `C:\dir\a.txt`},
		{"twice", "name=a.txt; name=b.txt", "a.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := []byte("Subject: s\nContent-Type: a/b; " + c.params + "\n\ndata")
			m := read(t, raw)
			if len(m.Attachments) != 1 || m.Attachments[0].Name() != c.want {
				t.Errorf("%s", facts(m))
			}
			roundTrip(t, raw)
		})
	}
}

func TestReadDates(t *testing.T) {
	t.Parallel()
	want := time.Date(2003, 6, 5, 12, 4, 5, 0, time.UTC)
	for _, date := range []string{
		"Thu, 5 Jun 2003 14:04:05 +0200", "Thu, 05 Jun 2003 12:04:05 GMT", "5 Jun 2003 08:04:05 -0400 (EDT)", "5 Jun 03 12:04:05 +0000",
		"Thu Jun  5 12:04:05 2003", "2003-06-05T12:04:05Z", "Thu, 5 Jun 2003 12:04:05", "Thu,  5 Jun   2003 12:04:05 +0000",
		"Thu, 5 June 2003 12:04:05 +0000", "Thu, 5-Jun-2003 12:04:05 +0000",
	} {
		if got := read(t, []byte("Date: "+date+"\n\n")).Sent(); !got.Equal(want) {
			t.Errorf("%q is %v", date, got)
		}
	}
	for _, date := range []string{"", "yesterday", "Sun, 18 Dec 0001 22:21:55 -0800", "Thu, 5 Jun 20030 12:04:05 +0000", "Thu, 35 Jun 2003 12:04:05 +0000"} {
		if got := read(t, []byte("Date: "+date+"\n\n")).Sent(); !got.IsZero() {
			t.Errorf("%q is %v", date, got)
		}
	}
}

func TestNotMail(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing": "", "text": "just words\nand more\n", "png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary": "\x00\x01\x02:\n",
		"vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:A\nEND:VCARD\n", "page": "<html>\n<body>x: y</body>\n", "a url": "http://example.com\n\nhello\n",
	} {
		if _, err := eml.Read(strings.NewReader(raw)); !errors.Is(err, eml.ErrNotMail) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := eml.Read(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// TestReadHostile gives input that costs a careless parser square time or endless depth.
func TestReadHostile(t *testing.T) {
	t.Parallel()
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	var nested bytes.Buffer
	for i := range 200 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, raw := range map[string]string{
		"parentheses":    "To: " + many("(", 1<<16) + "\n\n",
		"quotes":         "To: " + many("\"\\", 1<<16) + "\n\n",
		"angles":         "To: " + many("<", 1<<16) + "\n\n",
		"words":          "Subject: " + many("=?", 1<<16) + "\n\n",
		"continuations":  "Subject: a\n" + many(" a\n", 1<<15) + "\n",
		"multiparts":     nested.String(),
		"messages":       many("Content-Type: message/rfc822\n\n", 500),
		"padding":        "Content-Transfer-Encoding: base64\nTo: x@y\n\n" + many("= ", 1<<16) + "A",
		"parameters":     "Content-Type: text/plain" + many(";a*0=b", 1<<14) + "\n\n",
		"empty parts":    "Content-Type: multipart/mixed; boundary=b\n\n" + many("--b\n", 1<<14),
		"thread index":   "To: x@y\nThread-Index: " + many("====", 1<<16) + "\n\n",
		"colons":         "To: " + many(":", 1<<16) + "\n\n",
		"html meta":      "Content-Type: text/html\n\n" + many("<meta ", 1<<16),
		"dates":          "Date: " + many("1 ", 1<<16) + "\n\n",
		"uuencoded":      "To: x@y\n\n" + many("begin 644 a\n#86)C\n", 1<<13),
		"odd lines":      "To: x@y\n\n" + many("\xFC a line that is long enough to be looked for\n\xFC\n", 1<<14),
		"messages below": "Content-Type: multipart/mixed; boundary=b\n\n" + many("--b\nContent-Type: message/rfc822\n\nTo: x@y\n\n", 1<<12),
		"elements":       "Content-Type: application/pkcs7-mime\n\n\x30\x80\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02" + many("\xA0\x80", 1<<16),
		"recipients":     "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n" + many("Final-Recipient: x;y@z\n\n", 1<<14),
		"received lines": many("Received: x; y\n", 1<<14) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			write(t, throughBlob(t, read(t, []byte(raw))))
			if d := time.Since(begin); d > 30*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}
