package vcard_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/vcard"
)

func card(version string, lines ...string) []byte {
	return []byte("BEGIN:VCARD\r\nVERSION:" + version + "\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n")
}

func apply(t testing.TB, vcf []byte) *mapi.Message {
	t.Helper()
	m := &mapi.Message{}
	if err := vcard.Apply(m, vcf); err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t testing.TB, m *mapi.Message) string {
	t.Helper()
	var b bytes.Buffer
	if err := vcard.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// at is the text at a tag or, from FirstNamed on, at an id of PSETID_Address.
func at(m *mapi.Message, id uint32) string {
	b := m.Properties
	p := b.Find(uint16(id))
	if id >= mapi.FirstNamed {
		p = b.FindNamed(mapi.Name{Set: mapi.SetAddress(), LID: id})
	}
	if p == nil {
		return ""
	}
	if day, ok := p.Time(); ok {
		return day.Format(time.RFC3339)
	}
	if p.Tag.Type().IsString() {
		return p.Text(b.CodePage())
	}
	return p.Display(0, 0)
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		vcf  []byte
		want map[uint32]string
		lost []string
	}{
		{"names", card("3.0", "N:Doe;John;Q,R;Dr.;III", "FN:Dr. John Doe"), map[uint32]string{
			0x3A11: "Doe", 0x3A06: "John", 0x3A44: "Q R", 0x3A45: "Dr.", 0x3A05: "III", 0x3001: "Dr. John Doe",
			0x001A: "IPM.Contact", 0x0037: "Dr. John Doe", 0x8005: "Doe, John Q R", 0x8006: "32791 (0x8017)"}, nil},
		{"name made of its parts", card("3.0", "N:Doe;John;;;"), map[uint32]string{0x3001: "John Doe"}, nil},
		{"only a company", card("3.0", "FN:", "ORG:Brick Ltd;Ovens;North"), map[uint32]string{
			0x3001: "Brick Ltd", 0x3A16: "Brick Ltd", 0x3A18: "Ovens; North", 0x8005: "Brick Ltd", 0x8006: "12289 (0x3001)"}, nil},
		{"filed under a text of its own", card("3.0", "FN:A", "X-EVOLUTION-FILE-AS:Z"), map[uint32]string{0x8005: "Z", 0x8006: "-1 (0xFFFFFFFF)"}, nil},
		{"e-mail, the preferred one first", card("4.0", "FN:J", "EMAIL:a@x", "EMAIL;TYPE=X400:c=de", "EMAIL;PREF=1:mailto:b@x", "EMAIL:d@x", "EMAIL:a@x"), map[uint32]string{
			0x8083: "b@x", 0x8082: "SMTP", 0x8080: "J (b@x)", 0x8084: "b@x", 0x8093: "a@x", 0x80A3: "c=de", 0x80A2: "X400",
			0x8028: "[0, 1, 2]", 0x8029: "7"}, []string{"EMAIL"}},
		{"telephones by kind", card("2.1", "TEL;WORK;VOICE:1", "TEL;HOME:2", "TEL;CELL:3", "TEL;WORK;FAX:4", "TEL;HOME;FAX:5", "TEL;FAX:6",
			"TEL;PAGER:7", "TEL;CAR:8", "TEL;ISDN:9", "TEL;WORK:10", "TEL;HOME:11", "TEL;PREF:12", "TEL:13", "X-MS-TEL;VOICE;CALLBACK:14",
			"X-MS-TEL;ASSISTANT:15", "X-MS-TEL;COMPANY:16", "X-MS-TEL;RADIO:17", "X-MS-TEL;TTYTDD:18", "EMAIL;TLX:19"), map[uint32]string{
			0x3A08: "1", 0x3A09: "2", 0x3A1C: "3", 0x3A24: "4", 0x3A25: "5", 0x3A23: "6", 0x3A21: "7", 0x3A1E: "8", 0x3A2D: "9",
			0x3A1B: "10", 0x3A2F: "11", 0x3A1A: "12", 0x3A1F: "13", 0x3A02: "14", 0x3A2E: "15", 0x3A57: "16", 0x3A1D: "17", 0x3A4B: "18", 0x3A2C: "19"}, nil},
		{"telephones without a place of their kind", card("4.0", "TEL;TYPE=cell:1", `TEL;VALUE=uri;TYPE="cell,voice":tel:+2;ext=3`, "TEL;TYPE=text,mobile:3", "TEL;TYPE=cell:4"), map[uint32]string{
			0x3A1C: "1", 0x3A1F: "+2;ext=3", 0x3A1A: "3"}, []string{"TEL"}},
		{"addresses", card("3.0", `ADR;TYPE=WORK,PREF:Box 1;Room 2;Main St\, 3;Town;State;123;Land`, "LABEL;TYPE=HOME:At home", "ADR;TYPE=HOME:;Yard;Lane;;;;", "ADR;TYPE=HOME:;;Other;;;;", "ADR:;;Lost;;;;"), map[uint32]string{
			0x804A: "Box 1", 0x3A19: "Room 2", 0x8045: "Main St, 3", 0x8046: "Town", 0x8047: "State", 0x8048: "123", 0x8049: "Land",
			0x801B: "Main St, 3\r\nBox 1\r\nTown, State 123\r\nLand", 0x801A: "At home", 0x3A5D: "Yard\r\nLane", 0x3A63: "Lost", 0x8022: "2", 0x3A29: "Main St, 3", 0x3A27: "Town"}, []string{"ADR"}},
		{"a label in a parameter", card("4.0", `ADR;TYPE=home;LABEL="1 Road^nTown":;;1 Road;Town;;;`), map[uint32]string{0x801A: "1 Road\r\nTown"}, nil},
		{"days", card("4.0", "BDAY:19800321", "ANNIVERSARY:2009-08-08T14:30:00-05:00"), map[uint32]string{
			0x3A42: "1980-03-21T11:59:00Z", 0x80DE: "1980-03-21T00:00:00Z", 0x3A41: "2009-08-08T11:59:00Z", 0x80DF: "2009-08-08T00:00:00Z"}, nil},
		{"a day without its year", card("4.0", "BDAY:--0229"), map[uint32]string{0x80DE: "1604-02-29T00:00:00Z"}, nil},
		{"a day that is none", card("4.0", "BDAY;VALUE=text:about 1800", "REV:never"), map[uint32]string{0x3A42: ""}, []string{"BDAY", "REV"}},
		{"texts", card("3.0", "NICKNAME:Jo", "TITLE:T", "TITLE:U", "ROLE:R", "X-MS-MANAGER:M", "X-SPOUSE:S", "X-MS-TEXT;CUSTOM=2:C", "X-MS-TEXT;CUSTOM=7:D",
			"X-ICQ:1", "X-AIM:1", "CLASS:PRIVATE", "X-MS-CHILD:Ann", "RELATED;TYPE=child;VALUE=text:Bob", "RELATED;TYPE=friend:urn:uuid:1", "GENDER:F;girl", "REV:20200102T030405Z"), map[uint32]string{
			0x3A4F: "Jo", 0x3A17: "T", 0x3A46: "R", 0x3A4E: "M", 0x3A48: "S", 0x8050: "C", 0x8062: "1", 0x0036: "2", 0x3A58: `["Ann", "Bob"]`, 0x3A4D: "1", 0x3008: "2020-01-02T03:04:05Z"},
			[]string{"TITLE", "X-MS-TEXT", "RELATED"}},
		{"notes", card("3.0", `NOTE:a\, b\nc\\d`, "NOTE:e"), map[uint32]string{0x1000: "a, b\r\nc\\d\r\n\r\ne"}, nil},
		{"pages", card("3.0", `URL;TYPE=HOME:http\://h`, "URL:http://w"), map[uint32]string{0x3A50: "http://h", 0x3A51: "http://w", 0x802B: "http://w"}, nil},
		{"labels of groups", card("3.0", "item1.TEL:1", "item1.X-ABLabel:_$!<AssistantPhone>!$_", "item2.X-ABDATE:1999-01-02", "item2.X-ABLabel:_$!<Anniversary>!$_", "item3.URL:u", "item3.X-ABLabel:Mine"),
			map[uint32]string{0x3A2E: "1", 0x80DF: "1999-01-02T00:00:00Z", 0x3A51: "u"}, []string{"X-ABLABEL"}},
		{"quoted-printable", card("2.1", "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:a=0D=0A=", "=C3=BC =3D x=ZZ", "TITLE:t"), map[uint32]string{0x1000: "a\r\nü = x=ZZ", 0x3A17: "t"}, nil},
		{"Windows-1252", card("2.1", "FN:J\xFCrgen \x80", "TITLE;CHARSET=koi8-r:\xC1"), map[uint32]string{0x3001: "Jürgen €", 0x3A17: "а"}, nil},
		{"paths of 2.1", card("2.1", `TITLE:\\srv\share`), map[uint32]string{0x3A17: `\srv\share`}, nil},
		{"lines that are none", card("3.0", "NOTE:one", "two", "", "TITLE:t"), map[uint32]string{0x1000: "one\r\ntwo", 0x3A17: "t"}, nil},
		{"folded", card("3.0", "TITLE:long", " er;TYPE=\"x", "FN;X=\"open:n"), map[uint32]string{0x3A17: `longer;TYPE="x`, 0x3001: "n"}, nil},
		{"a card inside", card("2.1", "FN:outer", "AGENT:", "BEGIN:VCARD", "FN:inner", "END:VCARD", "TITLE:t"), map[uint32]string{0x3001: "outer", 0x3A17: "t"}, nil},
		{"no end", []byte("BEGIN:VCARD\nFN:a"), map[uint32]string{0x3001: "a"}, nil},
		{"UTF-16", []byte("\xFF\xFEB\x00E\x00G\x00I\x00N\x00:\x00V\x00C\x00A\x00R\x00D\x00\n\x00F\x00N\x00:\x00\xFC\x00\n\x00"), map[uint32]string{0x3001: "ü"}, nil},
		{"UTF-16 without a mark", []byte("\x00B\x00E\x00G\x00I\x00N\x00:\x00V\x00C\x00A\x00R\x00D\x00\n\x00F\x00N\x00:\x00\xFC\x00\n"), map[uint32]string{0x3001: "ü"}, nil},
		{"no places", card("4.0", "FN:a", "KEY:x", "GEO:1,2", "UID:3", "x-odd:4", "TZ:", "KIND:group"), nil, []string{"KEY", "GEO", "UID", "X-ODD", "KIND"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := apply(t, c.vcf)
			for id, want := range c.want {
				if got := at(m, id); got != want {
					t.Errorf("%04X is %q, want %q", id, got, want)
				}
			}
			if lost := vcard.Lost(c.vcf); !slices.Equal(lost, c.lost) {
				t.Errorf("lost %q, want %q", lost, c.lost)
			}
			again(t, m)
		})
	}
}

// again writes m and reads it: nothing changes and nothing is lost.
func again(t *testing.T, m *mapi.Message) {
	t.Helper()
	first := write(t, m)
	for line := range strings.SplitSeq(first, "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n\x00") || !utf8.ValidString(line) {
			t.Errorf("line %q", line)
		}
	}
	if lost := vcard.Lost([]byte(first)); lost != nil {
		t.Errorf("lost %q of %q", lost, first)
	}
	back := apply(t, []byte(first))
	if second := write(t, back); second != first {
		t.Errorf("wrote\n%s\nand then\n%s", first, second)
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		q := back.Properties.Find(p.Tag.ID())
		if p.Name != nil {
			q = back.Properties.FindNamed(*p.Name)
		}
		if q == nil || !bytes.Equal(p.Data, q.Data) {
			t.Errorf("%s is not the same after writing and reading", p.Canonical())
		}
	}
}

const jpeg = "\xFF\xD8\xFF\xE0 a picture, nearly"

func TestPhoto(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte(jpeg))
	for _, c := range []struct {
		name string
		vcf  []byte
		lost []string
	}{
		{"2.1", card("2.1", "PHOTO;JPEG;BASE64:", "  "+encoded[:10], " "+encoded[10:], "", "FN:a"), nil},
		{"2.1, not folded", card("2.1", "PHOTO;JPEG;BASE64:", encoded[:10], encoded[10:], "", "FN:a"), nil},
		{"3.0", card("3.0", "PHOTO;TYPE=JPEG;ENCODING=b:"+encoded, "FN:a"), nil},
		{"4.0", card("4.0", "PHOTO:data:image/jpeg;base64,"+encoded, "FN:a"), nil},
		{"two", card("3.0", "PHOTO:http://x/y.jpg", "PHOTO;ENCODING=b:"+encoded, "PHOTO;ENCODING=b:"+encoded, "PHOTO;ENCODING=b:/9j/AA==", "FN:a"), []string{"PHOTO"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := apply(t, c.vcf)
			if lost := vcard.Lost(c.vcf); !slices.Equal(lost, c.lost) {
				t.Errorf("lost %q, want %q", lost, c.lost)
			}
			if len(m.Attachments) != 1 || string(m.Attachments[0].Data().Bytes()) != jpeg || m.Attachments[0].Name() != "ContactPicture.jpg" || at(m, 0x8015) != "true" {
				t.Fatalf("attachments %v", m.Attachments)
			}
			again(t, m)
			if back := apply(t, []byte(write(t, m))); string(back.Attachments[0].Data().Bytes()) != jpeg {
				t.Error("the photo is not the same after writing and reading")
			}
		})
	}
}

func TestApplyKeepsWhatTheCardDoesNotSay(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "old"), mapi.NewText(0x3A17, "chief"), mapi.NewBinary(mapi.PidTagHTML, []byte("h"))}}
	if err := vcard.Apply(m, card("3.0", "FN:new")); err != nil {
		t.Fatal(err)
	}
	if m.Subject() != "new" || at(m, 0x3A17) != "chief" || m.HTML() != "h" {
		t.Error(m.Properties)
	}
	if err := vcard.Apply(m, card("3.0", "NOTE:n")); err != nil || m.HTML() != "" || m.BodyText() != "n" {
		t.Error(err, m.Properties)
	}
}

func TestWriteOfOthers(t *testing.T) {
	t.Parallel()
	lid := func(id uint32) mapi.Name { return mapi.Name{Set: mapi.SetAddress(), LID: id} }
	m := &mapi.Message{Properties: mapi.Bag{
		mapi.NewText(0x3A16, "A,B;C\\D"), mapi.NewText(0x3A17, "x\r\nEND:VCARD\rBEGIN:VCARD\x07"),
		mapi.NewNamedText(lid(0x8082), "EX"), mapi.NewNamedText(lid(0x8083), "/o=x/cn=y"), mapi.NewNamedText(lid(0x8084), "y@x.org"),
		mapi.NewNamedText(lid(0x8093), "z"),
		mapi.NewTime(0x3A42, time.Date(1980, 3, 20, 23, 0, 0, 0, time.UTC)), // midnight in Berlin
		mapi.NewTime(0x3A41, time.Date(1980, 3, 21, 8, 0, 0, 0, time.UTC)),  // midnight in Los Angeles
	}}
	want := "BEGIN:VCARD\nVERSION:3.0\nN:;;;;\nFN:A\\,B\\;C\\\\D\nORG:A\\,B\\;C\\\\D\nEMAIL;TYPE=INTERNET,PREF:y@x.org\nEMAIL;TYPE=INTERNET:z\n" +
		"TITLE:x\\nEND:VCARD\\nBEGIN:VCARD\nBDAY:1980-03-21\nX-MS-ANNIVERSARY:1980-03-21\nEND:VCARD\n"
	if got := strings.ReplaceAll(write(t, m), "\r\n", "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteError(t *testing.T) {
	t.Parallel()
	m := apply(t, card("3.0", "FN:a", "NOTE:"+strings.Repeat("n", 10000)))
	if err := vcard.Write(broken{}, m); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Error(err)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	one, two := string(card("3.0", "FN:1")), string(card("2.1", "AGENT:", "", "BEGIN:VCARD", "FN:in", "END:VCARD", "FN:2"))
	for _, c := range []struct {
		name, vcf string
		want      []string
	}{
		{"one", one, []string{one}},
		{"many", "\xEF\xBB\xBFjunk\r\n" + one + "\r\n" + two + one, []string{one, two, one}},
		{"without ends", "BEGIN:VCARD\nFN:1\nBEGIN:vcard\nFN:2", []string{"BEGIN:VCARD\nFN:1\n", "BEGIN:vcard\nFN:2"}},
		{"old Macintosh", "BEGIN:VCARD\rFN:1\rEND:VCARD\r", []string{"BEGIN:VCARD\nFN:1\nEND:VCARD\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cards, err := vcard.Split([]byte(c.vcf))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range cards {
				got = append(got, string(b))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestNotCard(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "END:VCARD\n", "\xFF\xFE"} {
		if _, err := vcard.Split([]byte(s)); !errors.Is(err, vcard.ErrNotCard) {
			t.Errorf("%q: %v", s, err)
		}
		if err := vcard.Apply(&mapi.Message{}, []byte(s)); !errors.Is(err, vcard.ErrNotCard) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestHostile: whatever a card has many of, memory stays in bounds. It counts what is allocated, so nothing runs beside it.
func TestHostile(t *testing.T) {
	for name, one := range map[string]string{
		"lines": "TEL:1\n", "names": "X-A:1\n", "folds": " x\n", "soft breaks": "=\n", "categories": "CATEGORIES:a,b,c\n", "begins": "BEGIN:VCARD\n",
		"agents": "AGENT:\nBEGIN:VCARD\n", "notes": "NOTE:n\n", "quotes": "A;\"\n", "parameters": "A;B=c;D=e;F:g\n", "blank": "\n", "commas": ",", "semicolons": ";",
	} {
		vcf := []byte("BEGIN:VCARD\nN;ENCODING=QUOTED-PRINTABLE:=\nCATEGORIES:\n" + strings.Repeat(one, 256<<10/len(one)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		apply(t, vcf)
		runtime.ReadMemStats(&after)
		n := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d KiB", name, n>>10)
		if n > 64<<20 {
			t.Errorf("%s: %d bytes allocated for %d", name, n, len(vcf))
		}
	}
}

// TestRealCards: cards of a dozen address books are read; most of what they say has a place, and comes back.
func TestRealCards(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("MAILBRICK_MAIL is not set")
	}
	count := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".vcf" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		cards, err := vcard.Split(data)
		if errors.Is(err, vcard.ErrNotCard) {
			t.Logf("%s: %v", d.Name(), err)
			return nil
		}
		for _, c := range cards {
			count++
			again(t, apply(t, c))
		}
		t.Logf("%s: %d, lost of the first %q", d.Name(), len(cards), vcard.Lost(data))
		return err
	})
	if err != nil || count < 20 {
		t.Fatal(err, count)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(card("2.1", "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=91;b", "TEL;HOME;FAX:1", "PHOTO;ENCODING=BASE64:", " /9j/AA==", "", "ADR;WORK;PREF:;a;b;c;d;e;f"))
	f.Add(card("3.0", "item1.EMAIL;TYPE=INTERNET,pref:a@b", "item1.X-ABLabel:_$!<Work>!$_", `NOTE:a\, b\n`, "BDAY:1980-01-02", "CATEGORIES:a,b", "URL:x"))
	f.Add(card("4.0", `TEL;VALUE=uri;TYPE="work,voice":tel:+1`, "PHOTO:data:image/png;base64,iVBORw0KGgo=", "BDAY:--0203", "RELATED;TYPE=child:x", "AGENT:", "BEGIN:VCARD"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &mapi.Message{}
		if err := vcard.Apply(m, data); err != nil {
			return
		}
		if lost := vcard.Lost(data); len(lost) > 64 {
			t.Fatalf("%d lost", len(lost))
		}
		again(t, m)
	})
}

func BenchmarkApply(b *testing.B) {
	vcf := card("3.0", "N:Doe;John;;;", "FN:John Doe", "EMAIL:a@b", "TEL;TYPE=WORK:1", "TEL;TYPE=HOME:2", "ADR;TYPE=WORK:;;a;b;c;d;e", "ORG:x;y",
		"PHOTO;ENCODING=b:"+base64.StdEncoding.EncodeToString([]byte(jpeg+strings.Repeat("p", 20000))))
	b.SetBytes(int64(len(vcf)))
	b.ReportAllocs()
	for b.Loop() {
		apply(b, vcf)
	}
}

func BenchmarkWrite(b *testing.B) {
	m := apply(b, card("3.0", "FN:John Doe", "EMAIL:a@b", "PHOTO;ENCODING=b:"+base64.StdEncoding.EncodeToString([]byte(jpeg+strings.Repeat("p", 20000)))))
	b.SetBytes(int64(len(write(b, m))))
	b.ReportAllocs()
	for b.Loop() {
		write(b, m)
	}
}
