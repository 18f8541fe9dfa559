package main

import (
	stdbytes "bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// damaged is an archive of which one object after another is damaged, and what the program says of it while it is whole.
type damaged struct {
	*testing.T
	dir, identity, item string
	objects             []string
	said                map[string]string // by verb
	names               *regexp.Regexp    // of what may be damaged, as errors name it
}

// readers are the verbs that read, each with what it needs.
func (d *damaged) readers() [][]string {
	return [][]string{
		{"mailboxes", "--json"}, {"snapshots", "--json"}, {"ls", "--json", "--mailbox", "ann"}, {"versions", "--json", d.item}, {"show", d.item}, {"cat", d.item},
		{"search", "--json", "message"}, {"log", "--json"}, {"hold", "list", "--json"}, {"key", "list", "--json"}, {"prune", "--json"},
		{"export", "--all", "--format", "blob"}, {"verify"}, {"verify", "--read-all"}, {"repair"},
	}
}

func newDamaged(t *testing.T, initFlags ...string) *damaged {
	t.Helper()
	d := &damaged{T: t, dir: t.TempDir(), said: map[string]string{}}
	d.identity = filepath.Join(d.dir, "identity")
	password := filepath.Join(d.dir, "password")
	d.write("password", "correct horse\n")
	whole := d.whole()
	for _, words := range [][]string{slices.Concat([]string{"init"}, initFlags), {"key", "add", "--name", "machine", "--host-identity", d.identity}} {
		d.must(append(words, "--archive", whole, "--password-file", password)...)
	}
	r := rand.New(rand.NewPCG(4, 6))
	long := make([]byte, 1200<<10)
	for i := range long {
		long[i] = "0123456789abcdef\n"[r.IntN(17)]
	}
	for n := range 37 {
		text := fmt.Sprintf("From: a@contoso.example\nTo: b@contoso.example\nSubject: message %d\nMessage-ID: <%d@contoso.example>\n\ntext of %d\n", n, n, n)
		if n == 2 {
			text += string(long)
		}
		d.write(fmt.Sprintf("mail/%s/%d.eml", []string{"ann", "bob"}[n%2], n), text)
		if n > 3 {
			d.must("backup", "--from", filepath.Join(d.dir, "mail"), "--archive", whole, "--identity", d.identity, "--no-index")
		}
	}
	d.must("hold", "add", "--mailbox", "bob", "--name", "case", "--reason", "test", "--apply", "--archive", whole, "--identity", d.identity)
	d.must("prune", "--apply", "--archive", whole, "--identity", d.identity)
	d.must("backup", "--from", filepath.Join(d.dir, "mail"), "--archive", whole, "--identity", d.identity)
	d.must("search", "message", "--archive", whole, "--identity", d.identity)
	_, list, _ := d.inside("ls", "--mailbox", "ann", "--json", "--archive", whole, "--identity", d.identity)
	_, rest, _ := strings.Cut(list, `"id":"`)
	d.item, _, _ = strings.Cut(rest, `"`)
	err := filepath.WalkDir(whole, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(whole, path)
		if name == "catalog" || name == "index" {
			return fs.SkipDir
		}
		if err == nil && !e.IsDir() {
			d.objects = append(d.objects, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.names = regexp.MustCompile(`config|keys/|key is missing|journal/|packs/|record [0-9]+|pack [0-9a-f]{32}|chunk is nowhere|item ` + "[a-z2-7]{26}|" + `left alone`)
	for _, words := range d.readers() {
		code, out, talk := d.say(words, whole)
		if code != 0 {
			t.Fatalf("%q: exit code %d: %s%s", words, code, out, talk)
		}
		d.said[strings.Join(words, " ")] = out
	}
	return d
}

func (d *damaged) whole() string { return filepath.Join(d.dir, "whole") }

func (d *damaged) write(name, text string) {
	path := filepath.Join(d.dir, name)
	_ = os.MkdirAll(filepath.Dir(path), 0o700)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d *damaged) inside(line ...string) (code int, out, talk string) {
	var o, e stdbytes.Buffer
	code = run(d.Context(), append([]string{"mailbrick"}, line...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func (d *damaged) must(line ...string) string {
	d.Helper()
	code, out, talk := d.inside(line...)
	if code != 0 {
		d.Fatalf("%q: exit code %d: %s%s", line, code, out, talk)
	}
	return out
}

// harms are what is done to an object, given a second one.
var harms = []struct {
	name  string
	pairs bool // with each of the others
	do    func(path, other string, r *rand.Rand) error
}{
	{"empty", false, func(path, _ string, _ *rand.Rand) error { return os.WriteFile(path, nil, 0o600) }},
	{"half", false, func(path, _ string, _ *rand.Rand) error {
		return rewrite(path, func(b []byte) []byte { return b[:len(b)/2] })
	}},
	{"twice", false, func(path, _ string, _ *rand.Rand) error {
		return rewrite(path, func(b []byte) []byte { return append(b, b...) })
	}},
	{"random", false, func(path, _ string, r *rand.Rand) error {
		return rewrite(path, func(b []byte) []byte {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return b
		})
	}},
	{"gone", false, func(path, _ string, _ *rand.Rand) error { return os.Remove(path) }},
	{"a folder", false, func(path, _ string, _ *rand.Rand) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.Mkdir(path, 0o700)
	}},
	{"unreadable", false, func(path, _ string, _ *rand.Rand) error { return os.Chmod(path, 0) }},
	{"in a folder that is unreadable", false, func(path, _ string, _ *rand.Rand) error { return os.Chmod(filepath.Dir(path), 0) }},
	{"another", true, func(path, other string, _ *rand.Rand) error {
		b, err := os.ReadFile(other)
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o600)
	}},
	{"swapped", true, func(path, other string, _ *rand.Rand) error {
		if err := os.Rename(path, path+".mid"); err != nil {
			return err
		}
		if err := os.Rename(other, path); err != nil {
			return err
		}
		return os.Rename(path+".mid", other)
	}},
}

func rewrite(path string, change func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(b), 0o600)
}

// say gives what a verb says; of an export what it wrote.
func (d *damaged) say(words []string, archive string) (code int, out, talk string) {
	d.Helper()
	line := append(slices.Clone(words), "--archive", archive, "--identity", d.identity)
	if words[0] != "export" {
		return d.inside(line...)
	}
	to := filepath.Join(d.dir, "out")
	defer os.RemoveAll(to)
	if code, out, talk = d.inside(append(line, "-o", to)...); code != 0 {
		return code, out, talk
	}
	var files []string
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files = append(files, fmt.Sprintf("%x %s", sha256.Sum256(b), filepath.Base(path)))
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	slices.Sort(files)
	return code, strings.Join(files, "\n"), talk
}

// suffers damages one object of a copy of the archive and asks for everything. Other objects are for harms that want one.
func (d *damaged) suffers(object, other string, harm func(path, other string, r *rand.Rand) error, r *rand.Rand, fresh bool) {
	d.Helper()
	archive := filepath.Join(d.dir, "copy")
	defer func() {
		for _, object := range append(d.objects, object) { // what was taken away from us is given back
			_ = os.Chmod(filepath.Dir(filepath.Join(archive, object)), 0o700)
		}
		_ = os.RemoveAll(archive)
	}()
	if err := os.CopyFS(archive, os.DirFS(d.whole())); err != nil {
		d.Fatal(err)
	}
	if fresh {
		for _, cache := range []string{"catalog", "index"} {
			if err := os.RemoveAll(filepath.Join(archive, cache)); err != nil {
				d.Fatal(err)
			}
		}
	}
	if err := harm(filepath.Join(archive, object), filepath.Join(archive, other), r); err != nil {
		d.Fatal(err)
	}
	whole := d.same(archive)
	// The last record's loss is a rollback, of which a machine that comes for the first time cannot know.
	rolledBack := fresh && !exists(filepath.Join(archive, d.last()))
	for _, words := range d.readers() {
		verb := strings.Join(words, " ")
		code, out, talk := d.say(words, archive)
		switch {
		case code == 0 && words[0] == "verify" && !whole, code != 0 && whole:
			d.Errorf("%s: exit code %d, whole: %v: %s%s", verb, code, whole, out, talk)
		case code == 0 && out != d.said[verb] && words[0] != "repair" && !rolledBack:
			d.Errorf("%s: exit code 0 with\n%s\nwant\n%s", verb, out, d.said[verb])
		case code == 0:
		case code != exitFailed && code != exitPartly:
			d.Errorf("%s: exit code %d: %s", verb, code, talk)
		case !strings.Contains(talk, "hint"):
			d.Errorf("%s: nobody says what to do: %s", verb, talk)
		case !d.names.MatchString(talk + out):
			d.Errorf("%s: what is damaged is not named: %s%s", verb, talk, out)
		}
		if words[0] == "repair" && code == 0 && d.parity() {
			d.wantMended(archive)
		}
	}
}

// wantMended is after a repair that says that all was mended.
func (d *damaged) wantMended(archive string) {
	d.Helper()
	for _, words := range d.readers() {
		if words[0] == "repair" {
			continue
		}
		verb := strings.Join(words, " ")
		if code, out, talk := d.say(words, archive); code != 0 || out != d.said[verb] {
			d.Errorf("%s after a repair: exit code %d: %s%s", verb, code, out, talk)
		}
	}
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// same tells whether all objects of an archive are as they were.
func (d *damaged) same(archive string) bool {
	d.Helper()
	for _, object := range d.objects {
		want, err := os.ReadFile(filepath.Join(d.whole(), object))
		if err != nil {
			d.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(archive, object)); err != nil || !stdbytes.Equal(got, want) {
			return false
		}
	}
	return true
}

// last is the last record's object.
func (d *damaged) last() (last string) {
	for _, object := range d.objects {
		if strings.HasPrefix(object, "journal/") {
			last = object
		}
	}
	return last
}

func (d *damaged) parity() bool {
	b, err := os.ReadFile(filepath.Join(d.whole(), "config"))
	if err != nil {
		d.Fatal(err)
	}
	return strings.Contains(string(b), `"parity": true`)
}

// TestDamagedArchives damages every object in every way, and asks the program for all that it can tell of the archive: it never gives
// something else than what was stored and says that all is well; verify finds everything; what is wrong is named, with what to do; and after
// a repair that went well all is as it was. The long form does all of it, the short one a share.
func TestDamagedArchives(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"with parity": nil, "without parity": {"--no-parity"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t, flags...)
			r := rand.New(rand.NewPCG(3, uint64(len(flags))))
			for _, object := range d.objects {
				for _, h := range harms {
					if strings.Contains(h.name, "unreadable") && (os.Geteuid() == 0 || runtime.GOOS == "windows") {
						continue // nothing is, to them
					}
					others := []string{object}
					if h.pairs {
						others = slices.DeleteFunc(slices.Clone(d.objects), func(o string) bool { return o == object })
					}
					for _, other := range others {
						for _, fresh := range []bool{false, true} {
							if os.Getenv("MAILBRICK_TORTURE") == "" && r.IntN(180) > 0 {
								continue
							}
							t.Run(fmt.Sprintf("%s is %s (%s), without caches %v", object, h.name, other, fresh), func(t *testing.T) {
								one := *d
								one.T = t
								one.suffers(object, other, h.do, r, fresh)
							})
						}
					}
				}
			}
		})
	}
}
