package eml_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-message"

	"mailbrick/fetch/mapi/eml"
)

// share is how many messages of the corpus the short suite takes.
const share = 2000

// unavoidable is how many messages of the whole corpus may lose what, at most.
// Everything else comes back byte for byte.
func unavoidable() map[string]int {
	return map[string]int{
		"the line of an mbox before the header":             14573,
		"empty lines before the header":                     9,
		"a line that continues no field":                    1,
		"white space before the colon of a field":           2,
		"8-bit text of a header: UTF-8 now":                 61,
		"a line among the fields of a header that is none":  6,
		"line ends of a header, which are mixed or missing": 7,
	}
}

// TestTorture sends a corpus of mail through a blob and back: a seeded share of
// it, or all with MAILBRICK_TORTURE=1.
func TestTorture(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL")
	}
	names := corpus(t, root)
	if os.Getenv("MAILBRICK_TORTURE") != "1" {
		rand.New(rand.NewPCG(3, 1)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:min(share, len(names))]
	}
	var all tally
	var wait sync.WaitGroup
	work := make(chan string)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for name := range work {
				all.file(t, name)
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	wait.Wait()
	all.judge(t)
}

func corpus(t *testing.T, root string) []string {
	var names []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// tally counts what became of the messages.
type tally struct {
	mu                         sync.Mutex // guards all below
	files, mails, others, same int
	bytes, skeletons           int64
	kinds                      map[string]int
	examples                   map[string]string
}

// file takes a file, or the messages of an mbox.
func (c *tally) file(t *testing.T, name string) {
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
		return
	}
	c.mu.Lock()
	c.files++
	c.mu.Unlock()
	c.mail(t, name, raw)
	if members := mbox(raw); len(members) > 1 {
		for i, member := range members {
			c.mail(t, fmt.Sprintf("%s message %d", name, i+1), member)
		}
	}
}

// mbox cuts a file at its From lines.
func mbox(raw []byte) [][]byte {
	if !bytes.HasPrefix(raw, []byte("From ")) {
		return nil
	}
	var list [][]byte
	for {
		i := bytes.Index(raw, []byte("\n\nFrom "))
		if i < 0 {
			return append(list, raw)
		}
		list, raw = append(list, raw[:i+1]), raw[i+2:]
	}
}

func (c *tally) mail(t *testing.T, name string, raw []byte) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: panic: %v", name, r)
		}
	}()
	m, err := eml.Read(bytes.NewReader(raw))
	if err != nil {
		c.mu.Lock()
		c.others++
		c.mu.Unlock()
		return
	}
	out, anew, err := both(raw)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	seen := leaves(raw)
	for key := range leaves(anew) {
		delete(seen, key)
	}
	if len(seen) > 0 {
		t.Errorf("%s: another reader misses %v when it is laid out anew", name, seen)
	}
	kinds := differences(raw, out)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mails++
	c.bytes += int64(len(raw))
	if p := skeleton(m); p != nil {
		c.skeletons += p.Len()
	}
	if len(kinds) == 0 {
		c.same++
	}
	for kind, example := range kinds {
		if c.kinds == nil {
			c.kinds, c.examples = map[string]int{}, map[string]string{}
		}
		c.kinds[kind]++
		if c.kinds[kind] < 4 {
			c.examples[kind] += fmt.Sprintf("\n        %s: %.100q", name, example)
		}
	}
}

func (c *tally) judge(t *testing.T) {
	t.Logf("%d files; %d messages of %d bytes, skeletons of %d; %d are no mail", c.files, c.mails, c.bytes, c.skeletons, c.others)
	t.Logf("%7d come back byte for byte", c.same)
	limits := unavoidable()
	for _, kind := range slices.Sorted(maps.Keys(c.kinds)) {
		t.Logf("%7d %s%s", c.kinds[kind], kind, c.examples[kind])
		if c.kinds[kind] > limits[kind] {
			t.Errorf("%d messages lose: %s; at most %d may", c.kinds[kind], kind, limits[kind])
		}
	}
}

// leaves are the files that an independent MIME reader sees, by the SHA-256 of
// their bytes, as far as it can read.
func leaves(raw []byte) map[[32]byte]string {
	list := map[[32]byte]string{}
	for bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil || err != nil {
		return list
	}
	_ = e.Walk(func(_ []int, e *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, _ := e.Header.ContentType()
		top, _, _ := strings.Cut(kind, "/")
		if top != "application" && top != "image" && top != "audio" && top != "video" || strings.HasSuffix(kind, "ms-tnef") {
			return nil // texts and messages are written anew
		}
		if data, err := io.ReadAll(e.Body); err == nil {
			list[sha256.Sum256(data)] = kind
		}
		return nil
	})
	return list
}

var spaced = regexp.MustCompile(`^[!-9;-~]+[ \t]+:`)
var fieldLine = regexp.MustCompile(`^([!-9;-~]+:|[ \t])`)

// differences names what is not the same in two files, each kind with an example.
func differences(raw, out []byte) map[string]string {
	if bytes.Equal(raw, out) {
		return nil
	}
	kinds := map[string]string{}
	count := map[string]int{}
	for line := range bytes.Lines(out) {
		count[strings.TrimRight(string(line), "\r\n")]++
	}
	begun := false // the header
	for line := range bytes.Lines(raw) {
		text := strings.TrimRight(string(line), "\r\n")
		begun = begun || fieldLine.MatchString(text) && strings.TrimSpace(text[:1]) != ""
		if count[text] > 0 {
			count[text]--
			continue
		}
		kinds[lost(text, begun)] = text
	}
	if len(kinds) == 0 {
		kinds["line ends of a header, which are mixed or missing"] = ""
	}
	return kinds
}

// lost is the kind of a line that did not come back.
func lost(text string, begun bool) string {
	switch {
	case strings.HasPrefix(text, "From ") || strings.HasPrefix(text, ">From "):
		return "the line of an mbox before the header"
	case strings.TrimSpace(text) == "":
		return "empty lines before the header"
	case !begun && text[0] <= ' ':
		return "a line that continues no field"
	case strings.HasPrefix(text, "\xEF\xBB\xBF"):
		return "a byte order mark"
	case spaced.MatchString(text):
		return "white space before the colon of a field"
	case strings.ContainsFunc(text, func(r rune) bool { return r == 0xFFFD || r < ' ' && r != '\t' }):
		return "8-bit text of a header: UTF-8 now"
	case !fieldLine.MatchString(text):
		return "a line among the fields of a header that is none"
	}
	return "other"
}
