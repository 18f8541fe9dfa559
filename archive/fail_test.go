package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
)

// runScript does as many runs as it can and says how many were committed.
func (w *world) runScript(ctx context.Context, runs []target) (done int, err error) {
	if err := w.tryOpen(ctx); err != nil {
		return 0, err
	}
	for _, tg := range runs {
		if _, err = w.bringUpTo(ctx, tg); err != nil {
			break
		}
		done++
	}
	return done, errors.Join(err, w.Close())
}

// TestFailingBucket fails every call of a script once. Somebody says so, or it did no harm; nothing committed is lost, and
// the script can be done again.
func TestFailingBucket(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]blobtest.Kind{"error": blobtest.Error, "full": blobtest.Full, "lost answer": blobtest.LostAnswer, "truncated": blobtest.Truncated} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := script(6, 4)
			op, step := blobtest.Any, rounds(4, 1)
			if kind == blobtest.LostAnswer {
				op, step = blobtest.Commit, 1 // no other call has an answer to lose
			}
			failed := 0
			for n := 1; ; n += step {
				m, fs := initialised(t), vfs.NewCrashableMem()
				faulty := blobtest.NewFaulty(m)
				w := worldOf(m, faulty, fs)
				w.opts.groupMax = 4000
				faulty.Order(blobtest.Fault{Op: op, Nth: n, Kind: kind})
				done, err := w.runScript(t.Context(), runs)
				if err == nil && faulty.Calls(op) < n {
					break
				}
				if err != nil {
					failed++
					wantCause(t, fmt.Sprintf("%s of call %d", name, n), err, kind)
				}
				again := worldOf(m, m, fs)
				again.opts.groupMax = 4000
				again.open(t)
				if got := again.wantScript(t, runs); got < done || err == nil && got != len(runs) {
					t.Fatalf("%s of call %d (%v): %d runs were committed, %d are there", name, n, err, done, got)
				}
				again.finish(t, runs)
			}
			if failed == 0 && kind != blobtest.Truncated { // all that a run reads lies there twice
				t.Error("nothing ever failed")
			}
		})
	}
}

func wantCause(t *testing.T, what string, err error, kind blobtest.Kind) {
	t.Helper()
	var want error
	switch kind {
	case blobtest.Full:
		want = blob.ErrFull
	case blobtest.Truncated:
		return // looks like damage, or like an unreadable config
	default:
		want = blobtest.ErrInjected
	}
	if !errors.Is(err, want) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrRollback) || errors.Is(err, ErrConflict) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestLostWrites: a bucket that says yes and does nothing breaks its promise. What is gone is found and named.
func TestLostWrites(t *testing.T) {
	t.Parallel()
	runs := script(6, 4)
	found := map[string]int{}
	for n := 1; ; n++ {
		m, fs := initialised(t), vfs.NewCrashableMem()
		faulty := blobtest.NewFaulty(m)
		w := worldOf(m, faulty, fs)
		w.opts.groupMax = 4000
		faulty.Order(blobtest.Fault{Op: blobtest.Commit, Nth: n, Kind: blobtest.LostWrite})
		_, err := w.runScript(t.Context(), runs)
		if faulty.Calls(blobtest.Commit) < n {
			break
		}
		if err != nil {
			found["at once"]++
			continue
		}
		again := worldOf(m, m, fs)
		err = again.tryOpen(t.Context())
		if errors.Is(err, ErrRollback) {
			found["at open"]++
			continue
		}
		if err != nil {
			t.Fatalf("commit %d lost: %v", n, err)
		}
		r, err := again.Check(t.Context(), CheckOptions{})
		if err != nil || len(r.Errors) == 0 {
			t.Errorf("commit %d lost: not found, %v", n, err)
			continue
		}
		found["by check"]++
		if all := strings.Join(r.Errors, "\n"); !strings.Contains(all, "is missing") && !strings.Contains(all, "chain ends") {
			t.Errorf("commit %d lost: %s", n, all)
		}
		again.close(t)
	}
	if found["by check"] == 0 || found["at open"] == 0 {
		t.Errorf("found %v", found)
	}
}

func TestInitFails(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]blobtest.Kind{"error": blobtest.Error, "full": blobtest.Full, "lost answer": blobtest.LostAnswer, "dead": blobtest.Dead} {
		for _, passphrase := range []string{"", "secret"} {
			for n := 1; ; n++ {
				m := new(blobtest.Memory)
				faulty := blobtest.NewFaulty(m)
				o := Options{Bucket: faulty, Passphrase: passphrase, WorkFactor: 5, Catalog: "catalog", fs: vfs.NewMem()}
				faulty.Order(blobtest.Fault{Nth: n, Kind: kind})
				err := Init(t.Context(), o)
				if faulty.Calls(blobtest.Any) < n {
					wantErr(t, "init", err, nil)
					break
				}
				faulty.Reset()
				what := fmt.Sprintf("%s of call %d, passphrase %q", name, n, passphrase)
				if m.Bytes(configObject) == nil {
					wantErr(t, what+": open", second(Open(t.Context(), o)), ErrNoArchive)
				}
				if m.Bytes(configObject+copySuffix) == nil {
					wantErr(t, what+": init again", Init(t.Context(), o), nil)
				}
				a, err := Open(t.Context(), o)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if r, err := a.Check(t.Context(), CheckOptions{}); err != nil || len(r.Errors) > 0 {
					t.Errorf("%s: check: %q, %v", what, r.Errors, err)
				}
				wantErr(t, what+": init a third time", Init(t.Context(), o), ErrExists)
				wantErr(t, what+": close", a.Close(), nil)
			}
		}
	}
}

func second(_ *Archive, err error) error { return err }

// TestNoConfigNoList: where the bucket cannot be listed nothing is said of what is missing.
func TestNoConfigNoList(t *testing.T) {
	t.Parallel()
	faulty := blobtest.NewFaulty(new(blobtest.Memory))
	faulty.Order(blobtest.Fault{Op: blobtest.List})
	err := second(Open(t.Context(), Options{Bucket: faulty, Catalog: "catalog", fs: vfs.NewMem()}))
	if wantErr(t, "open", err, blobtest.ErrInjected); errors.Is(err, ErrDamaged) || errors.Is(err, ErrNoArchive) {
		t.Errorf("open: %v", err)
	}
}

// TestInitElse: an Init that was begun another way is not gone on with.
func TestInitElse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		left, again string // passphrases; "" is none
		more        string // another object
		want        error
	}{
		{"the same, plain", "", "", "", nil},
		{"the same, encrypted", "a", "a", "", nil},
		{"another passphrase", "a", "b", "", ErrExists},
		{"encrypted, then plain", "a", "", "", ErrExists},
		{"plain, then encrypted", "", "a", "", ErrExists},
		{"something else too", "", "", "packs/00/00", ErrExists},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := new(blobtest.Memory)
			o := Options{Bucket: m, Passphrase: tt.left, WorkFactor: 5}
			wantErr(t, "init", Init(t.Context(), o), nil)
			wantErr(t, "remove", m.Remove(t.Context(), configObject), nil)
			wantErr(t, "remove", m.Remove(t.Context(), configObject+copySuffix), nil)
			if tt.more != "" {
				m.Put(tt.more, []byte("x"))
			}
			before := strings.Join(m.Names(), " ")
			o.Passphrase = tt.again
			wantErr(t, "init again", Init(t.Context(), o), tt.want)
			if tt.want != nil && strings.Join(m.Names(), " ") != before {
				t.Errorf("a refused init left %q", m.Names())
			}
		})
	}
}

// TestFailingReads fails every call of looking at an archive once, and all behind it: an error comes back and the next look is
// right. What fails once may have been read again.
func TestFailingReads(t *testing.T) {
	t.Parallel()
	m, fs := initialised(t), vfs.NewCrashableMem()
	runs := script(8, 2)
	w := worldOf(m, m, fs)
	if _, err := w.runScript(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	faulty := blobtest.NewFaulty(m)
	looks := map[string]func(w *world) error{
		"check": func(w *world) error {
			r, err := w.Check(t.Context(), CheckOptions{ReadAll: true})
			if err == nil && len(r.Errors) > 0 {
				err = errors.New(strings.Join(r.Errors, "\n"))
			}
			return err
		},
		"stats": func(w *world) error { _, err := w.Stats(t.Context()); return err },
		"changes": func(w *world) error {
			for _, err := range w.Changes(t.Context(), 0) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"read": func(w *world) error {
			for v, err := range w.Versions(t.Context(), w.snapshots(t, "box0")[0]) {
				if err != nil {
					return err
				}
				if err := (&checker{a: w.Archive}).readBack(t.Context(), v); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for name, look := range looks {
		w := worldOf(m, faulty, fs)
		w.open(t)
		faulty.Reset()
		wantErr(t, name, look(w), nil)
		calls := faulty.Calls(blobtest.Any)
		w.close(t)
		for n := range 2 * calls {
			fault, want := blobtest.Fault{Nth: n/2 + 1}, blobtest.ErrInjected
			if n%2 == 1 {
				fault.Kind, want = blobtest.Dead, blobtest.ErrDead
			}
			w := worldOf(m, faulty, fs)
			w.open(t)
			faulty.Reset()
			faulty.Order(fault)
			err := look(w)
			again := err == nil && fault.Kind == blobtest.Error && faulty.Calls(blobtest.Any) > calls
			faulty.Reset()
			if !again && (err == nil || !strings.Contains(err.Error(), want.Error()) || name != "check" && errors.Is(err, ErrDamaged)) {
				t.Errorf("%s, call %d, %v: %v", name, fault.Nth, want, err)
			}
			wantErr(t, name+" again", look(w), nil)
			w.close(t)
		}
	}
}

// TestMovedOrDamaged: a pack that is not there any more was pruned, or is lost: the journal knows. Where that cannot be asked nobody is told of damage.
func TestMovedOrDamaged(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(w *world) error{
		"read": func(w *world) error {
			v, err := w.Version(t.Context(), "box", w.ids.item("box", "1"), 1)
			if err != nil {
				return err
			}
			return (&checker{a: w.Archive}).readBack(t.Context(), v)
		},
		"amend": func(w *world) error {
			s, err := w.Begin("box")
			if err != nil {
				return err
			}
			return s.Amend("1", "another key", func(b []byte) ([]byte, error) { return b, nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := initialised(t)
			faulty := blobtest.NewFaulty(m)
			other, w := worldOf(m, m, vfs.NewCrashableMem()), worldOf(m, faulty, vfs.NewCrashableMem())
			other.open(t)
			other.run(t, "box", func(s *Session) { other.add(t, s, "1", 5); other.add(t, s, "2", 12) })
			w.open(t)
			other.run(t, "box", func(s *Session) { wantErr(t, "remove", s.Remove("2"), nil) })
			v, err := other.Version(t.Context(), "box", other.ids.item("box", "2"), 1)
			wantErr(t, "version", err, nil)
			_, err = other.Forget(t.Context(), Forget{Reason: "test", Versions: []VersionRef{{"box", v.ID, v.From}}})
			wantErr(t, "forget", err, nil)
			_, err = other.Prune(t.Context(), PruneOptions{MaxGarbage: 1e-9})
			wantErr(t, "prune", err, nil)
			faulty.Order(blobtest.Fault{Op: blobtest.Open, Name: "journal/", Kind: blobtest.Error, Err: blob.ErrUnavailable})
			if err := use(w); !errors.Is(err, blob.ErrUnavailable) || errors.Is(err, ErrDamaged) {
				t.Errorf("the journal cannot be asked: %v", err)
			}
		})
	}
}

// TestOutOfReach: what cannot be had now, or only by another user, is no damage. Each call of those who look for damage fails so, once and from
// then on.
func TestOutOfReach(t *testing.T) {
	t.Parallel()
	looks := map[string]func(w *world) (found []string, err error){
		"verify": func(w *world) ([]string, error) {
			r, err := w.Check(t.Context(), CheckOptions{})
			return r.Errors, err
		},
		"verify all": func(w *world) ([]string, error) {
			r, err := w.Check(t.Context(), CheckOptions{ReadAll: true, Again: true})
			return r.Errors, err
		},
		"repair": func(w *world) (found []string, err error) {
			o := w.opts
			o.fs = vfs.NewMem()
			r, err := Repair(t.Context(), o, nil)
			for i := 0; r != nil && i < len(r.Damaged); i++ {
				found = append(found, r.Damaged[i].Error())
			}
			return found, err
		},
		"plan a prune": func(w *world) ([]string, error) {
			p, err := w.PlanPrune(t.Context(), PruneOptions{MaxGarbage: 1e-9})
			return p.Damaged, err
		},
	}
	for name, look := range looks {
		for _, kept := range []struct {
			name   string
			parity bool
			inline int
		}{{"packs", false, -1}, {"packs with parity", true, -1}, {"records", false, 0}, {"records with parity", true, 0}} {
			t.Run(name+" of "+kept.name, func(t *testing.T) {
				t.Parallel()
				m := new(blobtest.Memory)
				wantErr(t, "init", Init(t.Context(), Options{Bucket: m, Random: zeros{}, Parity: kept.parity}), nil)
				faulty := blobtest.NewFaulty(m)
				w := worldOf(m, faulty, vfs.NewCrashableMem())
				w.opts.inline = kept.inline
				w.opts.Damaged = func(err error) { t.Errorf("told of damage: %v", err) }
				w.open(t)
				smallArchiveIn(t, w)
				for _, cause := range []error{blob.ErrUnavailable, fs.ErrPermission} {
					for n := 1; ; n += rounds(3, 1) {
						for _, nth := range []int{n, 0} {
							w.fresh()
							faulty.Reset()
							faulty.Order(blobtest.Fault{Nth: n, Err: cause})
							if nth == 0 {
								faulty.Order(blobtest.Fault{Nth: n + 1, Err: cause}, blobtest.Fault{Nth: n + 2, Err: cause}, blobtest.Fault{Nth: n + 3, Err: cause})
							}
							found, err := look(w)
							if len(found) > 0 || err != nil && !errors.Is(err, cause) {
								t.Errorf("call %d: %v: found %q, %v", n, cause, found, err)
							}
						}
						if faulty.Calls(blobtest.Any) < n {
							break
						}
					}
				}
			})
		}
	}
}
