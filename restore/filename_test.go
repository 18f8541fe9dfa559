package restore

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
)

func TestPortableName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"plain", "Gas prices", "Gas prices"},
		{"letters of others", "Grüße 日本", "Grüße 日本"},
		{"separators", `a/b\c`, "a_b_c"},
		{"a way out", "../../etc/passwd", "_.._etc_passwd"},
		{"dots alone", "..", ""},
		{"what Windows refuses", `Re: <a> "b" | c? *d*`, "Re_ _a_ _b_ _ c_ _d_"},
		{"control characters", "a\x00b\x1fc\u0085d", "a_b_c d"},
		{"what turns text around", "a\u202etxt.exe", "a_txt.exe"},
		{"blanks and lines", "  a \t\r\n b  ", "a b"},
		{"dots and blanks at the end", "name. . .", "name"},
		{"not UTF-8", "a\xff\xfeb", "a__b"},
		{"empty", "", ""},
		{"a device", "con", "_con"},
		{"a device with an extension", "NUL.tar.gz", "_NUL.tar.gz"},
		{"a device with blanks", "AUX  .txt", "_AUX .txt"},
		{"a numbered device", "com1", "_com1"},
		{"with a superscript", "LPT².x", "_LPT².x"},
		{"the console", "CONIN$", "_CONIN$"},
		{"none", "com10 and console", "com10 and console"},
		{"too long", strings.Repeat("ä", 40), strings.Repeat("ä", 32)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := portableName(row.text, 64); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestFolderPath(t *testing.T) {
	t.Parallel()
	a, b := folderPath([]string{"m@x", "A:B"}), folderPath([]string{"m@x", "A?B"})
	if a == b || !strings.HasPrefix(a, "m@x/A_B ~") {
		t.Errorf("%q and %q", a, b)
	}
	deep := make([]string, 50)
	for i := range deep {
		deep[i] = "a rather long name of a folder"
	}
	long, other := folderPath(deep), folderPath(append([]string{"x"}, deep...))
	if len(long) > maxFolderPath || strings.Count(long, "/") != 2 || long == other {
		t.Errorf("%q and %q", long, other)
	}
	if got := folderPath([]string{"m@x", "..", "."}); strings.Contains(got, "..") || path.Clean(got) != got {
		t.Errorf("%q", got)
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	when := time.Date(2001, 5, 14, 18, 23, 7, 0, time.FixedZone("", 7200))
	for _, row := range []struct {
		name string
		item Item
		want string
	}{
		{"received", Item{Version: &archive.Version{}, Summary: mapi.Summary{Subject: "Re: Gas", Received: when}}, "2001-05-14 162307 Re_ Gas id"},
		{"sent", Item{Version: &archive.Version{}, Summary: mapi.Summary{Sent: when}}, "2001-05-14 162307 id"},
		{"seen", Item{Version: &archive.Version{FirstSeen: when}}, "2001-05-14 162307 id"},
		{"undated", Item{Version: &archive.Version{}, Summary: mapi.Summary{Subject: "x"}}, "undated x id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := fileName(&row.item, "id"); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestSplitPath(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"Inbox"}, {"a/b", "c"}, {"/", "//"}, {`a\b`, "c"}} {
		if got := splitPath(joinPath(names)); strings.Join(got, "\x00") != strings.Join(names, "\x00") {
			t.Errorf("%q became %q", names, got)
		}
	}
	if got := splitPath("/a//b/"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// FuzzNames: no text leads out of a folder, and none makes a name that a system refuses.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "..", "../x", "con", "a\x00b", `\\server\share`, "C:", "lpt1 .x", "~", "x. ", "\u202e"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, folder, subject string) {
		dir := folderPath([]string{"m", folder, folder})
		name := fileName(&Item{Version: &archive.Version{}, Summary: mapi.Summary{Subject: subject}}, "id")
		for _, part := range append(strings.Split(dir, "/"), name) {
			if part == "" || part == "." || part == ".." || len(part) > 200 || !utf8.ValidString(part) || strings.ContainsAny(part, "\x00/\\:*?\"<>|\n\r") ||
				strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || strings.HasPrefix(part, " ") || reservedName(part) {
				t.Errorf("part %q", part)
			}
		}
	})
}

func BenchmarkPlace(b *testing.B) {
	f := NewFiles("", Blob)
	home := []archive.Folder{{Name: "Inbox"}, {Name: "Projects: North"}}
	items := make([]*Item, 1<<16)
	for i := range items {
		v := &archive.Version{Mailbox: fmt.Sprint("mbx", i/300)}
		v.ID[0], v.ID[1], v.ID[2] = byte(i>>16), byte(i>>8), byte(i)
		items[i] = &Item{Version: v, Home: home, Summary: mapi.Summary{Subject: "Re: Gas prices of the third quarter", Received: time.Unix(1e9, 0)}}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(items) == 0 {
			f = NewFiles("", Blob)
		}
		if _, err := f.Place(b.Context(), items[i%len(items)]); err != nil {
			b.Fatal(err)
		}
	}
}
