package cfb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// The sample has sectors 0 FAT, 1 and 2 directory, 3 mini FAT, 4 mini stream, then "large".
func sample(t testing.TB) []byte {
	return write(t, NewStorage("", stream("large", noise(5000, 1)), stream("small", noise(100, 2)),
		NewStorage("dir", stream("inner", noise(70, 3)), stream("x", nil))), largestV3)
}

const (
	atFAT       = 512
	atDirectory = 1024
	atMiniFAT   = 2048
)

func put(offset int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[offset:], v)
		return b
	}
}

// readAll reads every stream; the errors come back as warnings do.
func readAll(t testing.TB, e *Entry) (problems []string, total int64) {
	t.Helper()
	for _, c := range e.Children {
		if c.Storage {
			p, n := readAll(t, c)
			problems, total = append(problems, p...), total+n
			continue
		}
		r, err := c.Open()
		if err != nil {
			problems = append(problems, err.Error())
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil || n != r.Size() || n != c.Size {
			t.Errorf("%q: read %d of %d: %v", c.Name, n, r.Size(), err)
		}
		total += n
	}
	return problems, total
}

func TestDamage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		say    string // in the error of Open, a warning or the error of a stream
	}{
		{"none", func(b []byte) []byte { return b }, ""},
		{"other file", func([]byte) []byte { return []byte(strings.Repeat("From: me\r\n", 100)) }, "not a compound file"},
		{"empty", func([]byte) []byte { return nil }, "not a compound file"},
		{"header only", func(b []byte) []byte { return b[:512] }, "no FAT"},
		{"short header", func(b []byte) []byte { return b[:100] }, "not a compound file"},
		{"sector shift", put(30, 10), "sectors of 1<<10"},
		{"no FAT", put(76, free), "no FAT"},
		{"FAT sector far away", put(76, 1<<20), "not in the file"},
		{"directory far away", put(48, 1<<20), "no directory"},
		{"directory loops", put(atFAT+2*4, 1), "used twice"},
		{"DIFAT far away", func(b []byte) []byte {
			for i := range 108 {
				put(80+4*i, 0)(b)
			}
			return put(68, 77)(b)
		}, ""}, // the FAT is whole before
		{"FAT loops", put(atFAT+5*4, 5), "used twice"},
		{"chain too short", put(atFAT+6*4, endOfChain), "1024 of 5000 bytes"},
		{"chain leaves the file", put(atFAT+6*4, 9999), "not in the file"},
		{"mini FAT loops", put(atMiniFAT, 0), "used twice"},
		{"no mini FAT", put(60, endOfChain), "not in the file"},
		{"no mini stream", put(atDirectory+116, endOfChain), "mini stream: "},
		{"siblings loop", put(atDirectory+128+72, 1), "met twice"},
		{"child is the root", put(atDirectory+76, 0), "met twice"},
		{"child far away", put(atDirectory+76, 1<<30), "not there"},
		{"kind unknown", func(b []byte) []byte { b[atDirectory+2*128+66] = 7; return b }, "kind 7"},
		{"no name", func(b []byte) []byte { put(atDirectory+128, 0)(b); return b }, "without a name"},
		{"size above the file", put(atDirectory+2*128+120, 0x7FFFFFFF), "of 2147483647 bytes"},
		{"cut in the last stream", func(b []byte) []byte { return b[:len(b)-3072] }, "not in the file"},
		{"cut in the middle of a sector", func(b []byte) []byte { return b[:len(b)-3000] }, "cut short"},
		{"cut in the last sector", func(b []byte) []byte { return b[:len(b)-500] }, "cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			data := c.damage(sample(t))
			f, err := Open(bytes.NewReader(data), int64(len(data)))
			var said []string
			if err != nil {
				said = []string{err.Error()}
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotCompound) {
					t.Error(err)
				}
			} else {
				problems, _ := readAll(t, f.Root)
				said = append(f.Warnings, problems...)
			}
			all := strings.Join(said, "\n")
			if (c.say == "") != (all == "") || !strings.Contains(all, c.say) {
				t.Errorf("said %q, want %q", all, c.say)
			}
		})
	}
}

func TestHighHalfOfSize(t *testing.T) {
	t.Parallel()
	data := put(atDirectory+2*128+124, 0xCDCDCDCD)(sample(t))
	f := open(t, data)
	if problems, _ := readAll(t, f.Root); len(problems) > 0 {
		t.Error(problems)
	}
}

// FuzzOpen: no bytes panic, values together are no longer than the file, and
// what is whole can be written and read again.
func FuzzOpen(f *testing.F) {
	f.Add(sample(f))
	f.Add(write(f, NewStorage("", stream("a", noise(300, 1))), 0))
	f.Add(write(f, NewStorage(""), largestV3))
	f.Add([]byte(signature))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		problems, total := readAll(t, file.Root)
		if total > 2*int64(len(data)) { // the mini stream and its streams may both count
			t.Fatalf("%d bytes in a file of %d", total, len(data))
		}
		m, err := NewImage(file.Root)
		if err != nil {
			if len(problems) == 0 && !errors.Is(err, ErrNotEncodable) {
				t.Fatal(err)
			}
			return
		}
		again, err := Open(m, m.Size())
		if err != nil || len(again.Warnings) > 0 {
			t.Fatalf("written again: %v %q", err, again.Warnings)
		}
		if p, n := readAll(t, again.Root); n != total || len(p) > 0 {
			t.Fatalf("written again: %d bytes, not %d; %q", n, total, p)
		}
	})
}
