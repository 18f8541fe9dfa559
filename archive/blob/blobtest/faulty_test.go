package blobtest_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
)

var errMine = errors.New("mine")

func commit(t *testing.T, b blob.Bucket, name, content string) error {
	t.Helper()
	w, err := b.Create(t.Context(), name)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	return w.Commit()
}

func read(t *testing.T, b blob.Bucket, name string) (string, error) {
	t.Helper()
	r, err := b.Open(t.Context(), name, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

func TestFaultsOfCommit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault blobtest.Fault
		err   error
		there bool
	}{
		{"error", blobtest.Fault{Op: blobtest.Commit}, blobtest.ErrInjected, false},
		{"error of mine", blobtest.Fault{Op: blobtest.Commit, Err: errMine}, errMine, false},
		{"error of create", blobtest.Fault{Op: blobtest.Create}, blobtest.ErrInjected, false},
		{"error of write", blobtest.Fault{Op: blobtest.Write, Nth: 1}, blobtest.ErrInjected, false},
		{"lost answer", blobtest.Fault{Op: blobtest.Commit, Kind: blobtest.LostAnswer}, blobtest.ErrInjected, true},
		{"lost answer of mine", blobtest.Fault{Op: blobtest.Commit, Kind: blobtest.LostAnswer, Err: errMine}, errMine, true},
		{"lost write", blobtest.Fault{Op: blobtest.Commit, Kind: blobtest.LostWrite}, nil, false},
		{"full at create", blobtest.Fault{Op: blobtest.Create, Kind: blobtest.Full}, blob.ErrFull, false},
		{"full at write", blobtest.Fault{Op: blobtest.Write, Kind: blobtest.Full}, blob.ErrFull, false},
		{"full at commit", blobtest.Fault{Op: blobtest.Commit, Kind: blobtest.Full}, blob.ErrFull, false},
		{"dead", blobtest.Fault{Nth: 3, Kind: blobtest.Dead}, blobtest.ErrDead, false},
		{"not this name", blobtest.Fault{Name: "journal/", Kind: blobtest.Error}, nil, true},
		{"not this one", blobtest.Fault{Op: blobtest.Commit, Nth: 2}, nil, true},
		{"slow without a hook", blobtest.Fault{Kind: blobtest.Slow}, nil, true},
		{"kind of another call", blobtest.Fault{Kind: blobtest.Truncated}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			memory := new(blobtest.Memory)
			f := blobtest.NewFaulty(memory)
			f.Order(tt.fault)
			if err := commit(t, f, "packs/one", "bytes"); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if there := memory.Bytes("packs/one") != nil; there != tt.there {
				t.Errorf("object is there: %v", there)
			}
		})
	}
}

func TestFaultsOfRead(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("content ", 1000)
	tests := []struct {
		name  string
		fault blobtest.Fault
		err   error
		whole bool
	}{
		{"error of open", blobtest.Fault{Op: blobtest.Open}, blobtest.ErrInjected, false},
		{"error", blobtest.Fault{Op: blobtest.Read, Nth: 2}, blobtest.ErrInjected, false},
		{"short reads", blobtest.Fault{Op: blobtest.Read, Kind: blobtest.ShortRead}, nil, true},
		{"truncated", blobtest.Fault{Op: blobtest.Read, Nth: 2, Kind: blobtest.Truncated}, io.ErrUnexpectedEOF, false},
		{"corrupt", blobtest.Fault{Op: blobtest.Read, Nth: 1, Kind: blobtest.Corrupt}, nil, false},
		{"dead", blobtest.Fault{Op: blobtest.Read, Nth: 2, Kind: blobtest.Dead}, blobtest.ErrDead, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			memory := new(blobtest.Memory)
			memory.Put("object", []byte(content))
			f := blobtest.NewFaulty(memory)
			f.Order(tt.fault)
			got, err := read(t, f, "object")
			if !errors.Is(err, tt.err) || (got == content) != tt.whole {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if string(memory.Bytes("object")) != content {
				t.Error("the object itself has changed")
			}
		})
	}
}

func TestFaultsOfTheRest(t *testing.T) {
	t.Parallel()
	memory := new(blobtest.Memory)
	memory.Put("a", nil)
	f := blobtest.NewFaulty(memory)
	f.Order(
		blobtest.Fault{Op: blobtest.Size},
		blobtest.Fault{Op: blobtest.List},
		blobtest.Fault{Op: blobtest.Remove, Nth: 1},
		blobtest.Fault{Op: blobtest.Remove, Nth: 2, Kind: blobtest.LostWrite},
		blobtest.Fault{Op: blobtest.Remove, Nth: 3, Kind: blobtest.LostAnswer},
	)
	if _, err := f.Size(t.Context(), "a"); !errors.Is(err, blobtest.ErrInjected) {
		t.Errorf("size: %v", err)
	}
	for _, err := range f.List(t.Context(), "") {
		if !errors.Is(err, blobtest.ErrInjected) {
			t.Errorf("list: %v", err)
		}
	}
	for n, want := range []struct {
		err   error
		there bool
	}{{blobtest.ErrInjected, true}, {nil, true}, {blobtest.ErrInjected, false}, {blob.ErrNotExist, false}} {
		err := f.Remove(t.Context(), "a")
		if !errors.Is(err, want.err) || len(memory.Names()) == 1 != want.there {
			t.Errorf("remove %d: %v, left %q", n+1, err, memory.Names())
		}
	}
}

func TestDeadStaysDead(t *testing.T) {
	t.Parallel()
	memory := new(blobtest.Memory)
	memory.Put("a", nil)
	f := blobtest.NewFaulty(memory)
	f.Order(blobtest.Fault{Op: blobtest.Commit, Nth: 1, Kind: blobtest.Dead})
	if err := commit(t, f, "b", ""); !errors.Is(err, blobtest.ErrDead) {
		t.Errorf("commit: %v", err)
	}
	if _, err := read(t, f, "a"); !errors.Is(err, blobtest.ErrDead) {
		t.Errorf("open: %v", err)
	}
	if err := f.Remove(t.Context(), "a"); !errors.Is(err, blobtest.ErrDead) {
		t.Errorf("remove: %v", err)
	}
	f.Reset()
	if err := f.Remove(t.Context(), "a"); err != nil || len(memory.Names()) > 0 {
		t.Errorf("remove after reset: %v, left %q", err, memory.Names())
	}
}

// TestEveryCallDies is the loop of the package doc.
func TestEveryCallDies(t *testing.T) {
	t.Parallel()
	n := 1
	for ; ; n++ {
		memory := new(blobtest.Memory)
		f := blobtest.NewFaulty(memory)
		f.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		err := errors.Join(commit(t, f, "a", "first"), commit(t, f, "b", "second"))
		names := memory.Names()
		if err == nil {
			break
		}
		// create, write, commit of a are calls 1 to 3.
		if there := slices.Equal(names, []string{"a"}); there != (n > 3) {
			t.Errorf("death at call %d leaves %q", n, names)
		}
	}
	if n != 8 { // twice create, write, commit, abort, of which the last tells nobody
		t.Errorf("the script lives with death at call %d", n)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	f := blobtest.NewFaulty(new(blobtest.Memory))
	var slow []string
	f.Slow = func(op blobtest.Op, name string) { slow = append(slow, string(op)+" "+name) }
	f.Order(blobtest.Fault{Op: blobtest.Commit, Kind: blobtest.Slow}, blobtest.Fault{Op: blobtest.Size, Nth: 2, Kind: blobtest.Slow})
	if err := errors.Join(commit(t, f, "a", ""), commit(t, f, "b", "")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.Size(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	for range f.List(t.Context(), "") {
	}
	for op, want := range map[blobtest.Op]int{
		blobtest.Create: 2, blobtest.Write: 2, blobtest.Commit: 2, blobtest.Abort: 2, blobtest.Size: 3,
		blobtest.List: 1, blobtest.Open: 0, blobtest.Any: 12,
	} {
		if got := f.Calls(op); got != want {
			t.Errorf("%q: %d calls, want %d", op, got, want)
		}
	}
	if want := []string{"commit a", "commit b", "size b"}; !slices.Equal(slow, want) {
		t.Errorf("slow: %q, want %q", slow, want)
	}
	if f.Unwrap() == nil {
		t.Error("nothing inside")
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	memory := new(blobtest.Memory)
	memory.Put("a", []byte("one"))
	clone := memory.Clone()
	memory.Put("a", []byte("two"))
	memory.Put("b", nil)
	if got := string(clone.Bytes("a")); got != "one" || !slices.Equal(clone.Names(), []string{"a"}) {
		t.Errorf("clone has %q, a is %q", clone.Names(), got)
	}
}
