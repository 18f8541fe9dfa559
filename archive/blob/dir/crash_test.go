package dir_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

func TestSuiteOnCrashable(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(*testing.T) blob.Bucket { return dir.OpenFS(dirtest.New()) })
}

// state is what may be under a name: the one that is known, or while a call is
// in doubt the one before or after it. nil is nothing.
type state struct{ before, after *string }

// ledger says what a bucket has promised.
type ledger map[string]state

// step is one change of the script. It writes down what it wants before, and
// what it knows after the call.
type step func(b *dir.Bucket, l ledger) error

// commit makes an object of the parts, which nobody has made yet.
func commit(t *testing.T, name string, parts ...string) step {
	return func(b *dir.Bucket, l ledger) error {
		w, err := fill(t, b, name, parts)
		if err != nil {
			return err
		}
		whole := strings.Join(parts, "")
		l[name] = state{before: l[name].before, after: &whole}
		if err := w.Commit(); err != nil {
			return err
		}
		l[name] = state{&whole, &whole}
		return nil
	}
}

func fill(t *testing.T, b *dir.Bucket, name string, parts []string) (blob.Writer, error) {
	w, err := b.Create(t.Context(), name)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if _, err := io.WriteString(w, part); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// lose writes an object whose name is taken.
func lose(t *testing.T, name string) step {
	return func(b *dir.Bucket, l ledger) error {
		w, err := fill(t, b, name, []string{"loser"})
		if err != nil {
			return err
		}
		err = w.Commit()
		if errors.Is(err, blob.ErrExist) {
			return nil
		}
		if loser := "loser"; err == nil {
			// The one before had failed.
			l[name] = state{&loser, &loser}
		}
		return errors.Join(err, errors.New("nobody lost"))
	}
}

func abort(t *testing.T, name string) step {
	return func(b *dir.Bucket, l ledger) error {
		w, err := fill(t, b, name, []string{"aborted"})
		if err != nil {
			return err
		}
		return w.Abort()
	}
}

func remove(t *testing.T, name string) step {
	return func(b *dir.Bucket, l ledger) error {
		l[name] = state{before: l[name].before, after: nil}
		if err := b.Remove(t.Context(), name); err != nil {
			return err
		}
		l[name] = state{}
		return nil
	}
}

// replace puts an object in the place of one.
func replace(t *testing.T, name, data string) step {
	return func(b *dir.Bucket, l ledger) error {
		w, err := b.Replace(t.Context(), name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, data); err != nil {
			return err
		}
		l[name] = state{before: l[name].before, after: &data}
		if err := w.Commit(); err != nil {
			return err
		}
		l[name] = state{&data, &data}
		return nil
	}
}

func script(t *testing.T) []step {
	return []step{
		commit(t, "config", "the config"),
		commit(t, "packs/ab/one", "some ", "bytes ", "in ", "parts"),
		commit(t, "packs/ab/empty"),
		abort(t, "packs/ab/two"),
		lose(t, "packs/ab/one"),
		replace(t, "packs/ab/one", "mended"),
		replace(t, "packs/ab/one", strings.Repeat("mended again ", 50)),
		commit(t, "journal/0001", strings.Repeat("record ", 100)),
		commit(t, "journal/0002", "record", strings.Repeat(" more", 50)),
		remove(t, "journal/0001"),
		commit(t, "journal/0001", "made again"),
		commit(t, "packs/cd/three", "x"),
		remove(t, "packs/cd/three"),
		commit(t, "a/b/c/d/e", "deep"),
	}
}

// run does the script on a file system that dies at its n-th call, and says
// whether it lived to the end.
func run(t *testing.T, fs *dirtest.FS, on dir.FS, n int) (ledger, bool) {
	t.Helper()
	l := ledger{}
	b := dir.OpenFS(on)
	fs.CrashAt(n)
	for i, do := range script(t) {
		err := do(b, l)
		if errors.Is(err, dirtest.ErrCrash) {
			return l, false
		}
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	// The last call of the script may have been the n-th.
	return l, fs.Last() == ""
}

// violations are the promises that a file system after a crash does not keep.
func violations(t *testing.T, fs *dirtest.FS, l ledger) (found []string) {
	t.Helper()
	b := dir.OpenFS(fs)
	listed := map[string]bool{}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			return []string{err.Error()}
		}
		listed[info.Name] = true
		if _, ok := l[info.Name]; !ok {
			found = append(found, info.Name+" was never committed and is there")
		}
	}
	for name, s := range l {
		got := content(t, b, name)
		if !same(got, s.before) && !same(got, s.after) {
			found = append(found, fmt.Sprintf("%s is %s, not %s or %s", name, text(got), text(s.before), text(s.after)))
		}
		if listed[name] != (got != nil) {
			found = append(found, fmt.Sprintf("%s: listed %v, content %s", name, listed[name], text(got)))
		}
	}
	return found
}

func content(t *testing.T, b *dir.Bucket, name string) *string {
	t.Helper()
	r, err := b.Open(t.Context(), name, 0, -1)
	if errors.Is(err, blob.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	s := string(data)
	return &s
}

func same(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

func text(s *string) string {
	if s == nil {
		return "absent"
	}
	return fmt.Sprintf("%.40q", *s)
}

// TestCrashAtEveryCall: what was committed is whole, what was not is absent,
// what was in doubt is one of both; and the bucket goes on.
func TestCrashAtEveryCall(t *testing.T) {
	t.Parallel()
	const seeds = 24
	calls := 0
	for seed := range uint64(seeds) {
		for n := 1; ; n++ {
			fs := dirtest.New()
			l, lived := run(t, fs, fs, n)
			after := fs.Crash(seed)
			for _, v := range violations(t, after, l) {
				t.Errorf("seed %d, %s: %s", seed, fs.Last(), v)
			}
			goOn(t, after, l)
			if lived {
				calls = n - 1
				break
			}
		}
	}
	if calls < 80 {
		t.Errorf("the script makes only %d calls", calls)
	}
	t.Logf("%d calls, each with %d seeds", calls, seeds)
}

// goOn brings what is in doubt to its end, as a writer would after a restart.
func goOn(t *testing.T, fs *dirtest.FS, l ledger) {
	t.Helper()
	b := dir.OpenFS(fs)
	for name, s := range l {
		if s.after == nil || content(t, b, name) != nil {
			continue
		}
		if err := commit(t, name, *s.after)(b, l); err != nil {
			t.Fatalf("commit %s after the crash: %v", name, err)
		}
	}
	for _, v := range violations(t, fs.Crash(dirtest.SyncedOnly), l) {
		t.Errorf("after going on: %s", v)
	}
}

// TestCrashTestIsSharp: the test above sees each sync that is left out.
func TestCrashTestIsSharp(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*dirtest.FS) dir.FS{
		"no sync of files":   func(fs *dirtest.FS) dir.FS { return noFileSync{fs} },
		"no sync of folders": func(fs *dirtest.FS) dir.FS { return noDirSync{fs, func(string) bool { return true }} },
		"no sync of the root": func(fs *dirtest.FS) dir.FS {
			return noDirSync{fs, func(name string) bool { return name == "." }}
		},
		"no sync above objects": func(fs *dirtest.FS) dir.FS {
			return noDirSync{fs, func(name string) bool { return name == "a/b" }}
		},
		"rename over": func(fs *dirtest.FS) dir.FS { return renames{fs} },
	}
	for name, broken := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !caught(t, broken) {
				t.Error("nobody noticed")
			}
		})
	}
}

func caught(t *testing.T, broken func(*dirtest.FS) dir.FS) (found bool) {
	t.Helper()
	for seed := range uint64(8) {
		for n := 1; ; n++ {
			fs := dirtest.New()
			l, lived := runBroken(t, fs, broken(fs), n)
			if len(violations(t, fs.Crash(seed), l)) > 0 {
				return true
			}
			if lived {
				break
			}
		}
	}
	return false
}

// runBroken is run for a file system on which steps may fail in other ways.
func runBroken(t *testing.T, fs *dirtest.FS, on dir.FS, n int) (ledger, bool) {
	l := ledger{}
	b := dir.OpenFS(on)
	fs.CrashAt(n)
	for _, do := range script(t) {
		if err := do(b, l); errors.Is(err, dirtest.ErrCrash) {
			return l, false
		}
	}
	return l, fs.Last() == ""
}

type noDirSync struct {
	*dirtest.FS
	skip func(name string) bool
}

func (f noDirSync) SyncDir(name string) error {
	if f.skip(name) {
		return nil
	}
	return f.FS.SyncDir(name)
}

type noFileSync struct{ *dirtest.FS }

func (f noFileSync) Create(name string) (dir.File, error) {
	made, err := f.FS.Create(name)
	return noSync{made}, err
}

type noSync struct{ dir.File }

func (noSync) Sync() error { return nil }

// renames puts a new object over an old one.
type renames struct{ *dirtest.FS }

func (f renames) Link(old, name string) error {
	_ = f.Remove(name)
	return f.FS.Link(old, name)
}

// TestCallsOfACommit holds the order of the package doc.
func TestCallsOfACommit(t *testing.T) {
	t.Parallel()
	fs := dirtest.New()
	var calls []string
	fs.Fail(func(op, name string) error {
		if strings.Contains(name, ".tmp") {
			name = "temporary"
		}
		calls = append(calls, op+" "+name)
		return nil
	})
	b := dir.OpenFS(fs)
	if err := commit(t, "a/b", "x")(b, ledger{}); err != nil {
		t.Fatal(err)
	}
	first := []string{"mkdir .", "mkdir a", "syncdir ."}
	each := []string{"create temporary", "write temporary", "sync temporary", "close temporary", "link a/b", "remove temporary", "syncdir a"}
	if want := slices.Concat(first, each); !slices.Equal(calls, want) {
		t.Errorf("first commit in a folder:\n got %q\nwant %q", calls, want)
	}
	calls = nil
	if err := commit(t, "a/c", "x")(b, ledger{}); err != nil {
		t.Fatal(err)
	}
	each[4] = "link a/c"
	if !slices.Equal(calls, each) {
		t.Errorf("second commit:\n got %q\nwant %q", calls, each)
	}
	calls = nil
	if err := replace(t, "a/c", "y")(b, ledger{}); err != nil {
		t.Fatal(err)
	}
	replaced := slices.Concat([]string{"size a/c"}, each[:4], []string{"size a/c", "rename temporary"}, each[5:])
	if !slices.Equal(calls, replaced) {
		t.Errorf("replacement:\n got %q\nwant %q", calls, replaced)
	}
}

// TestFailedSync: what a sync that failed was to make durable is given up, and whoever tries again succeeds with bytes that are.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	for _, replaced := range []bool{false, true} {
		fs := dirtest.New()
		b, l := dir.OpenFS(fs), ledger{}
		do := commit(t, "packs/one", "some ", "bytes")
		if replaced {
			if err := do(b, l); err != nil {
				t.Fatal(err)
			}
			do = replace(t, "packs/one", "others")
		}
		fs.Fail(func(op, _ string) error {
			if op == "sync" {
				return errBroken
			}
			return nil
		})
		before := l["packs/one"]
		if err := do(b, l); !errors.Is(err, errBroken) {
			t.Errorf("replaced %v: a commit without a sync: %v", replaced, err)
		}
		fs.Fail(nil)
		if got := content(t, b, "packs/one"); !same(got, before.before) {
			t.Errorf("replaced %v: after it: %s", replaced, text(got))
		}
		if left := temporaries(fs); len(left) > 0 {
			t.Errorf("replaced %v: %q stay", replaced, left)
		}
		if err := do(b, l); err != nil {
			t.Errorf("replaced %v: again: %v", replaced, err)
		}
		for _, v := range violations(t, fs.Crash(dirtest.SyncedOnly), l) {
			t.Errorf("replaced %v: after power loss: %s", replaced, v)
		}
	}
}
