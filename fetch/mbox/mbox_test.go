package mbox_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/fetch/mbox"
)

// split gives the messages of a file.
func split(text string) (messages []string, offsets []int64, err error) {
	r := mbox.NewReader(strings.NewReader(text), int64(len(text)))
	for {
		e, err := r.Next()
		if err == io.EOF {
			return messages, offsets, nil
		}
		if err != nil {
			return messages, offsets, err
		}
		m, err := io.ReadAll(r)
		if err != nil {
			return messages, offsets, err
		}
		messages, offsets = append(messages, string(m)), append(offsets, e.Offset)
	}
}

const line = "From bob@contoso.example Mon Mar  2 09:00:00 2026\n"

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want []string
	}{
		"empty file":            {"", nil},
		"empty lines only":      {"\n\r\n", nil},
		"one":                   {line + "A: b\n\nx\n\n", []string{"A: b\n\nx\n"}},
		"no empty line after":   {line + "A: b\n\nx\n", []string{"A: b\n\nx\n"}},
		"no end of line":        {line + "A: b\n\nx", []string{"A: b\n\nx"}},
		"From line only":        {line, []string{""}},
		"header only":           {line + "A: b\n", []string{"A: b\n"}},
		"no body":               {line + "A: b\n\n" + line + "C: d\n\n", []string{"A: b\n", "C: d\n"}},
		"two":                   {line + "A: b\n\nx\n\n" + line + "C: d\n\ny\n\n", []string{"A: b\n\nx\n", "C: d\n\ny\n"}},
		"CRLF":                  {strings.ReplaceAll(line+"A: b\n\nx\n\n\n"+line+"C: d\n\ny\n\n", "\n", "\r\n"), []string{"A: b\r\n\r\nx\r\n\r\n", "C: d\r\n\r\ny\r\n"}},
		"empty lines in front":  {"\n\n" + line + "A: b\n\nx\n", []string{"A: b\n\nx\n"}},
		"sender alone":          {"From a@b\nA: b\n\nx\n\nFrom MAILER-DAEMON\nC: d\n\ny\n", []string{"A: b\n\nx\n", "C: d\n\ny\n"}},
		"From of the text":      {line + "A: b\n\nx\n\nFrom there, we\nsaid: at 9:00\n\nFrom 10:00 on\nwe\n", []string{"A: b\n\nx\n\nFrom there, we\nsaid: at 9:00\n\nFrom 10:00 on\nwe\n"}},
		"no empty line between": {line + "A: b\n\nx\n" + line + "C: d\n", []string{"A: b\n\nx\n", "C: d\n"}},
		"From amid the text":    {line + "A: b\n\nx\nFrom a@b\nC: d\nFrom 9:00 on\nwe: x\nFrom a 9:00 2026\nwe do\n", []string{"A: b\n\nx\nFrom a@b\nC: d\nFrom 9:00 on\nwe: x\nFrom a 9:00 2026\nwe do\n"}},
		"mboxrd":                {line + "A: b\n>From x\n\n>From a\n>>From b\n> From c\n>Frome\n", []string{"A: b\n>From x\n\nFrom a\n>From b\n> From c\n>Frome\n"}},
		"mboxcl2": {line + "Content-Length: " + "12" + "\n\n\n" + "From a@b\n>\n\n" + line + "C: d\n\ny\n",
			[]string{"Content-Length: 12\n\n\nFrom a@b\n>\n", "C: d\n\ny\n"}},
		"mboxcl2 with another inside": {line + "content-LENGTH: 56\n\n" + line + "C: d\n" + "\n\n" + line + "E: f\n\n", []string{"content-LENGTH: 56\n\n" + line + "C: d\n\n", "E: f\n"}},
		"Content-Length to the end":   {line + "Content-Length: 8\n\n>From a\n", []string{"Content-Length: 8\n\n>From a\n"}},
		"Content-Length of nothing":   {line + "Content-Length: 0\n\n\n" + line + "C: d\n", []string{"Content-Length: 0\n", "C: d\n"}},
		"Content-Length too long":     {line + "Content-Length: 9999999999999999999\n\n>From a\n", []string{"Content-Length: 9999999999999999999\n\nFrom a\n"}},
		"Content-Length wrong":        {line + "Content-Length: 3\n\n>From a\n\n" + line + "C: d\n", []string{"Content-Length: 3\n\nFrom a\n", "C: d\n"}},
		"Content-Length negative":     {line + "Content-Length: -3\n\nx\n", []string{"Content-Length: -3\n\nx\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, offsets, err := split(row.text)
			if err != nil || !slices.Equal(got, row.want) {
				t.Fatalf("got %q, want %q, %v", got, row.want, err)
			}
			for _, o := range offsets {
				if !strings.HasPrefix(row.text[o:], "From ") {
					t.Errorf("offset %d points at %q", o, row.text[o:])
				}
			}
		})
	}
}

func TestNotMbox(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", "Subject: x\n\ny\n", "from a@b\n"} {
		if _, _, err := split(text); !errors.Is(err, mbox.ErrNotMbox) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAppend: what is there stays as it is when something is appended.
func TestAppend(t *testing.T) {
	t.Parallel()
	text := ""
	var before []string
	for _, body := range []string{"x\n", "\n\n", "From here\n", "", ">From x\n\n", strings.Repeat("long ", 50_000) + "\n"} {
		text += line + "A: b\n\n" + body + "\n"
		got, _, err := split(text)
		if err != nil || len(got) != len(before)+1 || !slices.Equal(got[:len(before)], before) {
			t.Fatalf("%d messages, had %d, %v", len(got), len(before), err)
		}
		before = got
	}
}

// TestLeave goes to the next message without reading this one.
func TestLeave(t *testing.T) {
	t.Parallel()
	text := line + "A: b\n\nx\n\n" + line + "Content-Length: 100000\n\n" + strings.Repeat("y", 99_999) + "\n\n" + line + "C: d\n"
	r := mbox.NewReader(strings.NewReader(text), int64(len(text)))
	var offsets []int64
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, e.Offset)
		if len(offsets) == 2 {
			if _, err := r.Read(make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(offsets) != 3 {
		t.Fatalf("messages at %d", offsets)
	}
	again := mbox.NewReader(io.NewSectionReader(strings.NewReader(text), offsets[2], int64(len(text))-offsets[2]), int64(len(text))-offsets[2])
	if _, err := again.Next(); err != nil {
		t.Fatal(err)
	}
	if m, err := io.ReadAll(iotest.OneByteReader(again)); err != nil || string(m) != "C: d\n" {
		t.Fatalf("%q, %v", m, err)
	}
}

// failing is a file that cannot be read from an offset on.
type failing struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("disk")

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, at)
}

func TestReadError(t *testing.T) {
	t.Parallel()
	text := line + "A: b\n\n" + strings.Repeat("x\n", 100_000)
	r := mbox.NewReader(failing{strings.NewReader(text), 100_000}, int64(len(text)))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
}

// fromLine is how the writer of the lists' archives wrote all of them; two lines of text were not quoted.
var fromLine = regexp.MustCompile(`(?m)^From .*[0-9]:[0-9]{2}.*[0-9]{4}\r?$`)

// TestRealLists holds the cut of real archives against the count of their From lines.
func TestRealLists(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("MAILBRICK_MAIL is not set")
	}
	files, err := filepath.Glob(filepath.Join(root, "lists", "r", "*", "*.mbox"))
	if err != nil || len(files) == 0 {
		t.Fatal("no lists", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		want := len(fromLine.FindAllString(text, -1))
		if got, _, err := split(text); err != nil || len(got) != want {
			t.Errorf("%s: %d messages, %d From lines, %v", filepath.Base(f), len(got), want, err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	text := strings.Repeat(line+"A: b\nSubject: c\n\n"+strings.Repeat("A line of a text of the usual length, as people write them.\n", 100)+"\n", 200)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r := mbox.NewReader(strings.NewReader(text), int64(len(text)))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(line + "A: b\n\nx\n\n" + line + "C: d\n\n>From y\n")
	f.Add(line + "Content-Length: 3\r\n\r\nab\n\r\n" + line + "C: d\n")
	f.Add("\nFrom a\n>From b\n\n\nFrom 1:23\n>From c")
	f.Fuzz(func(t *testing.T, text string) {
		got, offsets, err := split(text)
		if err != nil && !errors.Is(err, mbox.ErrNotMbox) {
			t.Fatal(err) // nothing else can go wrong with a file that can be read
		}
		total := 0
		for i, o := range offsets {
			total += len(got[i])
			rest, _, err := split(text[o:])
			if err != nil || !slices.Equal(rest, got[i:]) {
				t.Fatalf("from offset %d on: %q, want %q, %v", o, rest, got[i:], err)
			}
		}
		if total > len(text) {
			t.Fatalf("%d bytes out of %d", total, len(text))
		}
	})
}
