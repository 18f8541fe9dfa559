package eml_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

func stored() []byte {
	return lines(
		"Received: from b by c; Tue, 2 Jan 2024 10:00:05 +0100",
		"X-Odd-CASE:   kept   as it is",
		"From: Anna <anna@example.com>",
		"MIME-Version: 1.0",
		"Content-Type: text/plain;",
		"\tcharset=us-ascii",
		"To: John <john@example.com>,",
		"\tMary <mary@example.com>",
		"Subject: plan",
		"Date: Tue, 02 Jan 2024 10:00:00 +0100",
		"Message-ID: <1@example.com>",
		"Importance: high",
		"this line is no field",
		"X-Last: 1",
		"", "words\r\n")
}

func TestStoredHeaderIsKept(t *testing.T) {
	t.Parallel()
	want := strings.ReplaceAll(string(stored()), "this line is no field\r\n", "")
	if got := string(write(t, read(t, stored()))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPropertyWins(t *testing.T) {
	t.Parallel()
	const to = "To: John <john@example.com>,\r\n\tMary <mary@example.com>\r\n"
	row := func(kind int32, name, addressType, email string) mapi.Bag {
		return mapi.Bag{mapi.NewInt32(mapi.PidTagRecipientType, kind), mapi.NewText(mapi.PidTagDisplayName, name),
			mapi.NewText(mapi.PidTagAddressType, addressType), mapi.NewText(mapi.PidTagEmailAddress, email)}
	}
	for _, c := range []struct {
		name        string
		edit        func(*mapi.Message)
		gone, comes string
	}{
		{"nothing", func(*mapi.Message) {}, "", ""},
		{"subject", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagSubject, "grüner Plan")) },
			"Subject: plan\r\n", "Subject: =?utf-8?q?gr=C3=BCner_Plan?=\r\n"},
		{"empty subject", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagSubject, "")) }, "Subject: plan\r\n", "Subject:\r\n"},
		{"injection", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagSubject, "a\r\nBcc: x@y")) },
			"Subject: plan\r\n", "Subject: a  Bcc: x@y\r\n"},
		{"message id", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagInternetMessageID, "<2@example.com>")) },
			"Message-ID: <1@example.com>\r\n", "Message-ID: <2@example.com>\r\n"},
		{"message id taken away", func(m *mapi.Message) { m.Properties.Remove(mapi.PidTagInternetMessageID) }, "", ""},
		{"date", func(m *mapi.Message) {
			m.Properties.Set(mapi.NewTime(mapi.PidTagClientSubmitTime, time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)))
		}, "Date: Tue, 02 Jan 2024 10:00:00 +0100\r\n", "Date: Thu, 01 Feb 2024 00:00:00 +0000\r\n"},
		{"importance", func(m *mapi.Message) { m.Properties.Set(mapi.NewInt32(mapi.PidTagImportance, 0)) },
			"Importance: high\r\n", "Importance: low\r\n"},
		{"sender", func(m *mapi.Message) {
			m.Properties.Set(mapi.NewText(mapi.PidTagSentRepresentingSMTPAddress, "eve@example.com"))
		}, "From: Anna <anna@example.com>\r\n", "From: Anna <eve@example.com>\r\n"},
		{"recipient added", func(m *mapi.Message) {
			m.Recipients = append(m.Recipients, row(mapi.RecipientCc, "Zoë", "SMTP", "zoe@example.com"))
		}, "", "Cc: =?utf-8?b?Wm/Dqw==?= <zoe@example.com>\r\n"},
		{"recipient removed", func(m *mapi.Message) { m.Recipients = m.Recipients[:1] }, to, "To: John <john@example.com>\r\n"},
		{"recipient resolved", func(m *mapi.Message) {
			m.Recipients[0] = row(mapi.RecipientTo, "Johnny", "EX", "/o=x/cn=john")
			m.Recipients[1] = row(mapi.RecipientTo, "Mary Poppins", "SMTP", "MARY@example.com")
		}, "", ""},
		{"no recipients known", func(m *mapi.Message) { m.Recipients = nil }, "", ""},
		{"category", func(m *mapi.Message) {
			m.Properties = append(m.Properties, mapi.NewNamedTexts(mapi.NameCategories(), []string{"red", "blue"}))
		}, "", "Keywords: red, blue\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := read(t, stored())
			before := string(write(t, m))
			c.edit(m)
			got := string(write(t, m))
			want := before
			switch {
			case c.gone != "":
				want = strings.Replace(before, c.gone, c.comes, 1)
			case c.comes != "":
				want = strings.Replace(before, "X-Last: 1\r\n", "X-Last: 1\r\n"+c.comes, 1)
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// draft has no stored header, all kinds of parts, and a Bcc.
func draft(t testing.TB, inner *mapi.Message) *mapi.Message {
	m := read(t, lines("From: Anna <anna@example.com>", "To: \"Doe, John\" <john@example.com>", "Bcc: Ü <secret@example.com>",
		"Reply-To: Desk <desk@example.com>, other@example.com", "Subject: "+strings.Repeat("long ", 30)+"subject",
		"Date: Tue, 02 Jan 2024 10:00:00 +0100", "Message-ID: <1@example.com>", "Keywords: red", "", ""))
	m.Properties.Remove(mapi.PidTagTransportMessageHeaders)
	m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, mapi.FlagUnsent))
	m.Properties.Set(mapi.NewText(mapi.PidTagBody, "Gruß\r\n"+strings.Repeat("x", 2000)))
	m.Properties.Set(mapi.NewBinary(mapi.PidTagHTML, []byte("<p>Gruß<img src=\"cid:i@x\">")))
	file := func(name, kind string, data []byte, more ...mapi.Property) mapi.Attachment {
		return mapi.Attachment{Properties: append(mapi.Bag{mapi.NewText(mapi.PidTagAttachLongFilename, name),
			mapi.NewText(mapi.PidTagAttachMimeTag, kind), mapi.NewBinary(mapi.PidTagAttachData, data)}, more...)}
	}
	m.Attachments = []mapi.Attachment{
		file("bild.png", "image/png", []byte("\x89PNG"), mapi.NewText(mapi.PidTagAttachContentID, "i@x"), mapi.NewBool(mapi.PidTagAttachmentHidden, true)),
		file("a \"quoted\" \\ name.txt", "text/plain", []byte("a\nb")),
		file(strings.Repeat("sehr länglich ", 20)+".bin", "", bytes.Repeat([]byte{0, 1, 2}, 100_000)),
		file("empty", "not a type", nil),
		{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachEmbedded), mapi.NewText(mapi.PidTagDisplayName, inner.Subject())}, Embedded: inner},
	}
	return m
}

func TestDraft(t *testing.T) {
	t.Parallel()
	m := draft(t, read(t, lines("Subject: inside \xC3\xBC", "From: x@y", "", "inner")))
	out := write(t, m)
	back := read(t, out)
	want := strings.NewReplacer(" not a type ", " application/octet-stream ", " hidden false", " hidden false",
		".bin\"  hidden", ".bin\" application/octet-stream hidden").Replace(facts(m))
	if got := facts(back); got != want {
		t.Errorf("%s", diff(want, got))
	}
	for _, id := range []uint16{mapi.PidTagReplyRecipientNames} {
		if got := back.Properties.Text(id); got != m.Properties.Text(id) {
			t.Errorf("%04X is %q", id, got)
		}
	}
	if !bytes.Equal(out, write(t, m)) {
		t.Error("written differently a second time")
	}
	for _, line := range bytes.Split(out, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("line of %d bytes: %.60q", len(line), line)
		}
	}
	if !bytes.Contains(out, []byte("X-Unsent: 1\r\n")) {
		t.Error("no longer a draft")
	}
}

// TestAnotherReader asks an independent MIME reader what it sees.
func TestAnotherReader(t *testing.T) {
	t.Parallel()
	out := write(t, draft(t, read(t, lines("Subject: inside", "", "inner"))))
	e, err := message.Read(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := e.Header.Text("Subject"); err != nil || s != strings.Repeat("long ", 30)+"subject" {
		t.Errorf("subject %q, %v", s, err)
	}
	var got []string
	err = e.Walk(func(path []int, e *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, _ := e.Header.ContentType()
		_, params, _ := e.Header.ContentDisposition()
		size := int64(0)
		if !strings.HasPrefix(kind, "multipart/") {
			size, _ = io.Copy(io.Discard, e.Body)
		}
		got = append(got, kind+" "+strings.TrimSpace(params["filename"]))
		if strings.HasSuffix(params["filename"], ".bin") && size != 300_000 {
			t.Errorf("attachment of %d bytes", size)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"multipart/mixed ", "multipart/alternative ", "text/plain ", "multipart/related ", "text/html ", "image/png bild.png",
		"text/plain a \"quoted\" \\ name.txt", "application/octet-stream " + strings.Repeat("sehr länglich ", 20) + ".bin",
		"application/octet-stream empty", "message/rfc822 "}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// pattern is a large value that nobody holds.
type pattern struct{}

func (pattern) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte((off + int64(i)) * 7)
	}
	return len(p), nil
}

func TestLargeAttachmentIsStreamed(t *testing.T) {
	t.Parallel()
	const size = 3<<20 + 1
	m := &mapi.Message{Attachments: []mapi.Attachment{{Properties: mapi.Bag{
		mapi.NewText(mapi.PidTagAttachLongFilename, "big"),
		{Tag: mapi.MakeTag(mapi.PidTagAttachData, mapi.TypeBinary), Size: size, Large: io.NewSectionReader(pattern{}, 0, size)},
	}}}}
	back := read(t, write(t, m))
	want, _ := io.ReadAll(m.Attachments[0].Data().Open())
	if got := back.Attachments[0].Data().Bytes(); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back", len(got))
	}
}

func TestWriteRefusesWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	out := mapi.Property{Tag: mapi.MakeTag(mapi.PidTagAttachData, mapi.TypeBinary), Size: 5}
	html, body := out, out
	html.Tag, body.Tag = mapi.MakeTag(mapi.PidTagHTML, mapi.TypeBinary), mapi.MakeTag(mapi.PidTagBody, mapi.TypeText)
	for name, m := range map[string]*mapi.Message{
		"attachment": {Attachments: []mapi.Attachment{{Properties: mapi.Bag{out}}}},
		"html":       {Properties: mapi.Bag{html}},
		"body":       {Properties: mapi.Bag{body}},
	} {
		if err := eml.Write(io.Discard, m); !errors.Is(err, mapi.ErrLeftOut) {
			t.Errorf("%s: %v", name, err)
		}
	}
	boom := errors.New("boom")
	if err := eml.Write(failing{boom}, read(t, stored())); !errors.Is(err, boom) {
		t.Errorf("writer fails: %v", err)
	}
	if got := string(write(t, &mapi.Message{})); !strings.Contains(got, "MIME-Version: 1.0\r\n") {
		t.Errorf("an empty message: %q", got)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
