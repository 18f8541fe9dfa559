package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"mailbrick/fetch"
)

// forgetful is a server that has lost the states of all folders, and breaks down over one of them.
type forgetful struct {
	*fakeSource
	told   map[string]int // folders listed from the beginning
	broken string
	power  error
}

func (s *forgetful) Changes(ctx context.Context, folder, state string) (fetch.Page, error) {
	if s.broken == folder {
		return fetch.Page{}, s.power
	}
	if state != "" && s.told[folder] == 0 {
		return fetch.Page{}, fetch.ErrStateLost
	}
	if state == "" {
		s.told[folder]++
	}
	return s.fakeSource.Changes(ctx, folder, state)
}

// TestManyFoldersListedAnew: their items are compared by one look at the archive's list, and those that were listed before the
// server broke down are not listed again.
func TestManyFoldersListedAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const folders = 6
	want := map[string]string{}
	for f := range folders {
		name := fmt.Sprint("f", f)
		b.source.folders = append(b.source.folders, fetch.Folder{ID: name, ParentID: "root", Name: name, Mark: "0"})
		for n := range 3 {
			id := fmt.Sprint(name, "-", n)
			b.source.put(name, id, "k", "s")
			want[id] = "k " + name + ` "s" false`
		}
	}
	b.run()
	for f := range folders { // unseen: no change will be told of it
		name := fmt.Sprint("f", f)
		b.source.change(name, fetch.Change{Kind: fetch.Deleted, Ref: fetch.Ref{ItemID: name + "-1"}})
		delete(want, name+"-1")
	}
	source := &forgetful{b.source, map[string]int{}, "f4", errors.New("power")}
	if _, err := b.runOf(source, fetch.Options{}); !errors.Is(err, source.power) {
		t.Fatal(err)
	}
	source.broken = ""
	s, err := b.a.Begin("m@x.example")
	if err != nil {
		t.Fatal(err)
	}
	counting := &listings{Session: s, every: 1}
	r, err := fetch.Run(t.Context(), source, counting, fetch.Options{})
	if cerr := s.Close(t.Context()); err != nil || cerr != nil || r.Exported != 0 {
		t.Fatalf("%+v, %v, %v", r, err, cerr)
	}
	for f := range folders {
		if n := source.told[fmt.Sprint("f", f)]; n != 1 {
			t.Errorf("f%d was listed %d times", f, n)
		}
	}
	if counting.n != 1 {
		t.Errorf("the archive's list was read %d times", counting.n)
	}
	b.wants(want)
}
