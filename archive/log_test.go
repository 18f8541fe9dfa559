package archive

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailbrick/archive/journal"
)

// history is the log as text.
func (w *world) history(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for e, err := range w.Log(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d", e.Number)
		for _, ev := range e.Events {
			of := ev.Of
			if ev.What == "writer" || strings.HasPrefix(ev.What, "key") {
				of = "X"
			}
			fmt.Fprintf(&b, " %s(%s)", ev.What, of)
		}
		if !e.Known || e.Machine != "here" {
			fmt.Fprintf(&b, " by %q", e.Machine)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestLog(t *testing.T) {
	t.Parallel()
	w, o := sealedWorld(t)
	w.opts.Machine = "here"
	w.reopen(t)
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 2) })
	w.reopen(t)
	w.run(t, "b", func(s *Session) { w.add(t, s, "1", 2); w.add(t, s, "2", 3) })
	o.Machine, o.Catalog, o.fs = "here", "catalog", w.fs
	if _, err := openKeys(t, o).Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.run(t, "b", func(s *Session) { s.Remove("1") })
	got := w.history(t)
	want := "1 begin() writer(X)\n2 backup(a) store()\n3 begin()\n4 backup(b) store()\n5 writer(X) key rotated(X)\n6 backup(b)\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	w.wantSound(t)
}

// TestUnknownSigner: a record by somebody whom no record announces is told, though everything else of it is right.
func TestUnknownSigner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 2) })
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	_, err := w.journal.Append(t.Context(), stranger, w.cat.headNow(), &journal.Body{}, nil, w.opts.Clock())
	wantErr(t, "append", err, nil)
	r, err := w.Check(t.Context(), CheckOptions{})
	wantErr(t, "check", err, nil)
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0], "record 3 is signed by "+Fingerprint([32]byte(stranger.Public().(ed25519.PublicKey)))) {
		t.Errorf("found %q", r.Errors)
	}
}

// TestSignerKey: a machine keeps its key; who loses it gets another, and is announced again.
func TestSignerKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signers := func() (list []string) {
		for e, err := range w.Log(t.Context()) {
			wantErr(t, "log", err, nil)
			if s := Fingerprint(e.Writer); len(list) == 0 || list[len(list)-1] != s {
				list = append(list, s)
			}
		}
		return list
	}
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 2) })
	w.reopen(t)
	w.run(t, "a", func(s *Session) { w.add(t, s, "2", 2) })
	if got := signers(); len(got) != 1 {
		t.Errorf("signed by %q", got)
	}
	for what, spoil := range map[string]func(name string) error{
		"lost": w.fs.Remove,
		"cut":  func(name string) error { return writeDurably(w.fs, name, []byte("MBSK")) },
	} {
		before := len(signers())
		w.close(t)
		wantErr(t, what, spoil(w.fs.PathJoin("catalog", signerFile)), nil)
		w.open(t)
		w.run(t, "a", func(s *Session) { w.add(t, s, what, 3) })
		if got := signers(); len(got) != before+1 {
			t.Errorf("%s: signed by %q", what, got)
		}
	}
	w.wantSound(t)
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.Checkpoint(t.Context())
	wantErr(t, "checkpoint of an empty archive", err, nil)
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 2) })
	second, err := w.Checkpoint(t.Context())
	wantErr(t, "checkpoint", err, nil)
	old := w.memory.Clone()
	w.run(t, "a", func(s *Session) { w.add(t, s, "2", 2) })
	third, err := w.Checkpoint(t.Context())
	wantErr(t, "checkpoint", err, nil)
	if first.Number != 1 || second.Number != 3 || third.Number != 4 || w.Head() != 4 {
		t.Errorf("of records %d, %d, %d", first.Number, second.Number, third.Number)
	}
	found := func(w *world, c *Checkpoint) string {
		r, err := w.Check(t.Context(), CheckOptions{Checkpoint: c})
		wantErr(t, "check", err, nil)
		return strings.Join(r.Errors, "; ")
	}
	for n, c := range []*Checkpoint{first, second, third} {
		back, err := ParseCheckpoint(c.Text())
		if err != nil || *back != *c {
			t.Fatalf("came back as %+v, was %+v, %v", back, c, err)
		}
		if got := found(w, back); got != "" {
			t.Errorf("checkpoint %d: %s", n, got)
		}
	}
	signed := func(c Checkpoint, seed byte) *Checkpoint {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
		c.Writer = [32]byte(key.Public().(ed25519.PublicKey))
		c.Signature = [64]byte(ed25519.Sign(key, c.signed()))
		return &c
	}
	if got := found(w, signed(*third, 1)); !strings.Contains(got, "whom no record announces") {
		t.Errorf("signed by a stranger: %q", got)
	}
	other := *second
	other.Archive = "another"
	if got := found(w, &other); !strings.Contains(got, "of archive another") {
		t.Errorf("of another archive: %q", got)
	}
	// An older state, to a machine that sees it for the first time, and another history from there on.
	m := newWorld(t)
	m.close(t)
	m = worldOf(old, old, m.fs)
	wantErr(t, "forget", m.fs.RemoveAll("catalog"), nil)
	m.open(t)
	if got := found(m, second); got != "" {
		t.Errorf("what it had: %s", got)
	}
	if got := found(m, third); !strings.Contains(got, "the checkpoint is of record 4, the last one is 3") {
		t.Errorf("put back: %q", got)
	}
	m.run(t, "a", func(s *Session) { w.add(t, s, "other", 3) })
	if got := found(m, third); !strings.Contains(got, "history was written anew") {
		t.Errorf("written anew: %q", got)
	}
}

func TestCheckpointText(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c := &Checkpoint{Archive: "0123", Number: 17, Head: [32]byte{1}, Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC), Writer: [32]byte(key.Public().(ed25519.PublicKey))}
	c.Signature = [64]byte(ed25519.Sign(key, c.signed()))
	good := c.Text()
	if _, err := ParseCheckpoint(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))); err != nil {
		t.Errorf("with the line ends of another system: %v", err)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		_, err := ParseCheckpoint(bad)
		wantErr(t, fmt.Sprintf("byte %d changed", at), err, ErrCheckpoint)
		_, err = ParseCheckpoint(good[:at])
		wantErr(t, fmt.Sprintf("%d bytes", at), err, ErrCheckpoint)
	}
	for _, bad := range []string{"", "\n", string(good) + "x", string(good) + "archive 0123\n", strings.Replace(string(good), "record 17", "record 017", 1)} {
		_, err := ParseCheckpoint([]byte(bad))
		wantErr(t, fmt.Sprintf("%.20q", bad), err, ErrCheckpoint)
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add((&Checkpoint{Archive: "0123", Number: 1}).Text())
	f.Add([]byte(checkpointHead + "\nrecord 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseCheckpoint(text); err == nil && !bytes.Equal(c.Text(), bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))) {
			t.Fatalf("%q was taken", text)
		}
	})
}
