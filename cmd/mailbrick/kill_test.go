package main

import (
	stdbytes "bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// killing is an archive on which programs work that are killed.
type killing struct {
	*testing.T
	*rand.Rand
	dir   string
	items map[string]map[string]string // what the source has, by mailbox and file: the subject
	made  int
	took  map[string]time.Duration // a verb that was not killed, when it last ran
}

var killedMailboxes = []string{"ann", "bob"}

// killedVerbs is what is done again and again while programs are killed, and how.
var killedVerbs = [][]string{
	{"backup"}, {"backup", "--no-index"}, {"prune", "--apply", "--broken-off", "1ns", "--max-garbage", "1"},
	{"backup"}, {"key", "rotate"}, {"backup"}, {"forget", "--mailbox", "ann", "--reason", "kills", "--apply"}, {"prune", "--apply", "--broken-off", "1ns"},
	{"backup", "--no-index"}, {"rebuild", "--catalog"}, {"backup"}, {"rebuild", "--index"}, {"backup"}, {"verify", "--read-all"},
	{"backup"}, {"forget", "--mailbox", "ann", "--reason", "kills", "--apply"}, {"hold", "add", "--mailbox", "bob", "--reason", "kills", "--apply", "--name"}, {"repair"},
}

// TestKilledPrograms kills the program (kill -9) at any moment of what it does, again and again on one archive. Each time it opens and
// is whole, and what a run had committed is there, or what it was to commit, of each mailbox. At the end nothing is missing, and
// nothing is left that prune does not find.
func TestKilledPrograms(t *testing.T) {
	t.Parallel()
	count := 20
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		count = 200
	}
	k := newKilling(t)
	died := map[string]int{}
	for n := 0; count > 0 && !t.Failed(); n++ {
		words := killedVerbs[n%len(killedVerbs)]
		if k.killed(words, n) {
			died[words[0]]++
			count--
		}
	}
	t.Logf("killed: %v", died)
	k.wantWhole()
}

func newKilling(t *testing.T) *killing {
	t.Helper()
	k := &killing{T: t, Rand: rand.New(rand.NewPCG(9, 9)), dir: t.TempDir(), items: map[string]map[string]string{}, took: map[string]time.Duration{}}
	for _, m := range killedMailboxes {
		k.items[m] = map[string]string{}
		if err := os.MkdirAll(filepath.Join(k.dir, "mail", m), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	password := filepath.Join(k.dir, "password")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"init"}, {"key", "add", "--name", "machine", "--host-identity", k.identity()}} {
		if code, _, talk := k.inside(append(words, "--archive", k.archive(), "--password-file", password)...); code != 0 {
			t.Fatal(talk)
		}
	}
	k.change(40)
	k.must("backup")
	return k
}

func (k *killing) archive() string  { return filepath.Join(k.dir, "archive") }
func (k *killing) identity() string { return filepath.Join(k.dir, "identity") }

// line is a verb with what it is to work on.
func (k *killing) line(words []string) []string {
	line := append(slices.Clone(words), "--archive", k.archive(), "--identity", k.identity())
	if words[0] == "backup" {
		line = append(line, "--from", filepath.Join(k.dir, "mail"))
	}
	return line
}

// inside runs the program in this process.
func (k *killing) inside(line ...string) (code int, out, talk string) {
	k.Helper()
	var o, e stdbytes.Buffer
	code = run(k.Context(), append([]string{"mailbrick"}, line...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func (k *killing) must(words ...string) string {
	k.Helper()
	code, out, talk := k.inside(k.line(words)...)
	if code != 0 {
		k.Fatalf("%q: exit code %d: %s%s", words, code, out, talk)
	}
	return out
}

// change lets mail come, change and go.
func (k *killing) change(come int) {
	k.Helper()
	for _, m := range killedMailboxes {
		for _, file := range slices.Sorted(maps.Keys(k.items[m])) {
			switch k.IntN(30) {
			case 0, 1, 2:
				delete(k.items[m], file)
				if err := os.Remove(filepath.Join(k.dir, "mail", m, file)); err != nil {
					k.Fatal(err)
				}
			case 3, 4:
				k.write(m, file)
			}
		}
		for range come {
			k.made++
			k.write(m, fmt.Sprintf("%d.eml", k.made))
		}
	}
}

// write writes a message; some have an attachment that makes more than lies in a record of the journal.
func (k *killing) write(mailbox, file string) {
	k.Helper()
	k.made++
	subject := fmt.Sprintf("message %d", k.made)
	size := 300 + k.IntN(3000)
	if k.IntN(40) == 0 {
		size = 1_500_000
	}
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(k.Uint32())
	}
	text := fmt.Sprintf("From: a@contoso.example\r\nTo: %s@contoso.example\r\nSubject: %s\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\nMessage-ID: <%d@contoso.example>\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
		mailbox, subject, k.made, base64.StdEncoding.EncodeToString(data))
	if err := os.WriteFile(filepath.Join(k.dir, "mail", mailbox, file), []byte(text), 0o600); err != nil {
		k.Fatal(err)
	}
	k.items[mailbox][file] = subject
}

// killed runs a verb and kills it at a moment of the time that it took before, and looks what is there then. It tells whether the
// verb was killed indeed.
func (k *killing) killed(words []string, n int) bool {
	k.Helper()
	before := map[string][]string{}
	for _, m := range killedMailboxes {
		before[m] = k.shown(m)
	}
	if words[0] == "backup" {
		k.change(3)
	}
	if words[0] == "hold" {
		words = append(slices.Clone(words), fmt.Sprint("hold", n))
	}
	line := k.line(words)
	what := strings.Join(words[:min(2, len(words))], " ")
	within, known := k.took[what]
	if !known {
		within = time.Second / 2
	}
	after := time.Duration(k.Float64() * float64(within))
	start := time.Now()
	c := exec.Command("mailbrick", line...)
	c.Env = []string{"HOME=" + k.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + k.dir}
	var talk strings.Builder
	c.Stdout, c.Stderr = &talk, &talk
	if err := c.Start(); err != nil {
		k.Fatal(err)
	}
	defer time.AfterFunc(after, func() { _ = c.Process.Kill() }).Stop() // one that has ended is not there any more
	err := c.Wait()
	died := c.ProcessState.ExitCode() == -1
	if err == nil {
		k.took[what] = time.Since(start)
	} else if !died {
		k.Errorf("%q: %v: %s", words, err, talk.String())
	}
	said := fmt.Sprintf("round %d: %q, killed %v after %s of %s", n, words, died, after, within)
	if code, out, talk := k.inside(k.line([]string{"verify"})...); code != 0 {
		k.Fatalf("%s: verify: exit code %d: %s%s", said, code, out, talk)
	}
	for _, m := range killedMailboxes {
		if got := k.shown(m); !slices.Equal(got, before[m]) && (words[0] != "backup" || !slices.Equal(got, k.source(m))) {
			k.Fatalf("%s: %s has %d items, neither those of before nor those of now: %v", said, m, len(got), got)
		}
	}
	return died
}

// shown are the subjects in a mailbox as the archive has it, source those that it should have after a backup.
func (k *killing) shown(mailbox string) (list []string) {
	k.Helper()
	for line := range strings.Lines(k.must("ls", "--json", "--mailbox", mailbox)) {
		var item struct{ Subject string }
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			k.Fatal(err)
		}
		list = append(list, item.Subject)
	}
	slices.Sort(list)
	return list
}

func (k *killing) source(mailbox string) []string {
	return slices.Sorted(maps.Values(k.items[mailbox]))
}

// wantWhole goes on to the end and compares with an archive that was made by one run.
func (k *killing) wantWhole() {
	k.Helper()
	k.must("backup")
	k.must("prune", "--apply", "--broken-off", "1ns")
	k.must("verify", "--read-all", "--again")
	for _, m := range killedMailboxes {
		if got := k.shown(m); !slices.Equal(got, k.source(m)) {
			k.Errorf("%s has %d items at the end, want %d", m, len(got), len(k.source(m)))
		}
	}
	var plan struct {
		Orphans int `json:"orphan_packs"`
	}
	if err := json.Unmarshal([]byte(k.must("prune", "--json", "--broken-off", "1ns")), &plan); err != nil || plan.Orphans != 0 {
		k.Errorf("left for another prune: %+v, %v", plan, err)
	}
	got := k.exported()
	if err := os.Rename(k.archive(), filepath.Join(k.dir, "killed")); err != nil {
		k.Fatal(err)
	}
	k.must("init", "--insecure-no-encryption")
	k.must("backup")
	if want := k.exported(); !maps.Equal(got, want) || len(want) == 0 {
		k.Errorf("%d items are given back, %d by an archive that was made at once, and not the same", len(got), len(want))
	}
}

// exported are all items as files, by mailbox and content.
func (k *killing) exported() map[string]int {
	k.Helper()
	out := map[string]int{}
	for _, m := range killedMailboxes {
		into := k.TempDir()
		k.must("export", "--format", "blob", "-o", into, "--mailbox", m)
		err := filepath.WalkDir(into, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".fts" {
				return err
			}
			data, err := os.ReadFile(path)
			out[m+string(data)]++
			return err
		})
		if err != nil {
			k.Fatal(err)
		}
	}
	return out
}
