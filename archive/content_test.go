package archive

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"mailbrick/chunker"
)

func (c *Content) buffers() (n int) {
	for _, s := range c.streams {
		n += cap(s.buf) + cap(s.literal)
	}
	for _, p := range append(c.memory.literals.free, c.memory.chunks.free...) {
		n += cap(p)
	}
	return n
}

// TestContentMemory: buffers do not grow with an item's length or with the number of its long values.
func TestContentMemory(t *testing.T) {
	t.Parallel()
	long := noise(1, 300_000)
	for _, tt := range []struct {
		name  string
		limit int
		add   func(add func(stream int, kind Kind, data []byte))
	}{
		{"one long value", 2 * chunker.DefaultMax, func(add func(int, Kind, []byte)) {
			for range 40 {
				add(2, Bulk, long)
			}
		}},
		{"many attachments", 4 * chunker.DefaultMax, func(add func(int, Kind, []byte)) {
			for n := range 60 {
				add(1, Small, long[:700])
				add(2+n, Bulk, long)
			}
		}},
		{"many small streams at once", 3 * heldMax, func(add func(int, Kind, []byte)) {
			for range 4 {
				for n := range 300 {
					add(n, Small, long[:10_000])
				}
			}
		}},
		{"long streams at once", 3 * heldMax, func(add func(int, Kind, []byte)) {
			for range 10 {
				for n := range 30 {
					add(n, Text, long[:20_000])
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var whole bytes.Buffer
			most := 0
			snap := w.run(t, "m", func(s *Session) {
				c := s.NewContent(t.Context())
				tt.add(func(stream int, kind Kind, data []byte) {
					wantErr(t, "add", c.Add(Segment{stream, kind, data}), nil)
					whole.Write(data)
					most = max(most, c.buffers())
				})
				wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "i"}, c), nil)
			})
			if most > tt.limit {
				t.Errorf("%d bytes of buffers, want at most %d", most, tt.limit)
			}
			for v, err := range w.Versions(t.Context(), snap) {
				if err != nil || !bytes.Equal(w.read(t, v), whole.Bytes()) {
					t.Errorf("came back otherwise, %v", err)
				}
			}
		})
	}
}

// TestSmallPropertiesAreOne: they come in pieces between the long values, and are kept as one all the same.
func TestSmallPropertiesAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.begin(t, "m").NewContent(t.Context())
	for _, seg := range segments(noise(1, 400_000)) {
		wantErr(t, "add", c.Add(seg), nil)
	}
	wantErr(t, "add", c.Add(Segment{3, Bulk, noise(2, 1000)}), nil)
	wantErr(t, "add", c.Add(Segment{1, Small, noise(3, 1000)}), nil)
	wantErr(t, "flush", c.flushAll(), nil)
	if r := c.recipe(); len(r.streams[1].literal) < 1000 || len(r.streams[1].chunks) != 0 || len(r.streams[0].literal) == 0 || len(r.streams[2].chunks) < 2 {
		t.Errorf("streams %+v", r.streams)
	}
}

// TestFramedValue: an attachment in frames, as Exchange exports it, has a short recipe and comes back in reads of any size.
func TestFramedValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var whole []byte
	snap := w.run(t, "m", func(s *Session) {
		c := s.NewContent(t.Context())
		add := func(stream int, kind Kind, data []byte) {
			wantErr(t, "add", c.Add(Segment{stream, kind, data}), nil)
			whole = append(whole, data...)
		}
		add(1, Small, noise(1, 3000))
		value := noise(2, 1_000_000)
		for len(value) > 0 {
			k := min(len(value), 31_680)
			add(0, Framing, []byte{byte(k), byte(k >> 8), 0, 0, 1, 2, 3, 4})
			add(2, Bulk, value[:k])
			value = value[k:]
		}
		if r := c.recipe(); len(r.runs) > 4 {
			t.Errorf("%d runs", len(r.runs))
		}
		wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "i"}, c), nil)
	})
	for v, err := range w.Versions(t.Context(), snap) {
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1000, 31_688, 4 << 20} {
			r, err := w.OpenBlob(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			buf := make([]byte, size)
			for err == nil {
				var n int
				n, err = r.Read(buf)
				got = append(got, buf[:n]...)
			}
			if err != io.EOF || !bytes.Equal(got, whole) {
				t.Errorf("in reads of %d: %d bytes, %v, want %d", size, len(got), err, len(whole))
			}
		}
	}
}

// TestGapOfStreams: the first stream to come decides nothing for those numbered below it.
func TestGapOfStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	snap := w.run(t, "m", func(s *Session) {
		c := s.NewContent(t.Context())
		for _, seg := range []Segment{{1 << 40, Bulk, []byte("bulk")}, {0, Framing, []byte("frame")}, {7, Text, []byte("text")}, {1 << 40, Framing, []byte("more")}, {0, Bulk, []byte("end")}} {
			wantErr(t, "add", c.Add(seg), nil)
		}
		r := c.recipe()
		if len(r.streams) != 3 || c.streams[0].kind != Bulk || string(r.streams[1].literal) != "frameend" || c.streams[2].kind != Text {
			t.Errorf("streams %+v", r.streams)
		}
		wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "i"}, c), nil)
	})
	if list := w.listed(t, snap); !strings.Contains(list, " 20 ") {
		t.Errorf("lists %s", list)
	}
}

// TestTooManyParts: an absurd item is refused by itself; the session and its group go on.
func TestTooManyParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	snap := w.run(t, "m", func(s *Session) {
		w.add(t, s, "before", 3)
		framing := s.NewContent(t.Context())
		var err error
		for range 5 {
			err = framing.Add(Segment{0, Framing, make([]byte, 1<<20)})
		}
		wantErr(t, "framing without end", err, ErrParts)
		wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "framing"}, framing), ErrParts)

		turns := s.NewContent(t.Context())
		for n := 0; n <= maxTakes; n++ {
			if err = turns.Add(Segment{n % 2, Small, []byte{byte(n)}}); err != nil {
				break
			}
		}
		wantErr(t, "turns without end", err, ErrParts)
		wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "turns"}, turns), ErrParts)

		// Its streams and their turns are few enough, and too many to be written down.
		long := s.NewContent(t.Context())
		for n := range 128 {
			wantErr(t, "add", long.Add(Segment{n, Framing, []byte{byte(n)}}), nil)
		}
		for n := 0; n < 3<<20; n++ {
			if err = long.Add(Segment{128 + n%2, Kind(n % 2), make([]byte, 1+n/2%2)}); err != nil {
				t.Fatal(err)
			}
		}
		wantErr(t, "put one of a long recipe", s.Put(t.Context(), Item{ItemID: "long"}, long), ErrParts)
		w.add(t, s, "after", 4)
	})
	if snap.Items != 2 {
		t.Errorf("snapshot %+v", snap)
	}
	w.wantSound(t)
}

func TestContentIsPutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(t, "m")
	c := s.NewContent(t.Context())
	if err := c.Add(Segment{-1, Bulk, []byte("x")}); err == nil {
		t.Error("a stream below zero was taken")
	}
	if err := s.Put(t.Context(), Item{ItemID: "i"}, c); err == nil {
		t.Error("a content that failed was put")
	}
	c = s.NewContent(t.Context())
	wantErr(t, "add", c.Add(Segment{1, Bulk, []byte("x")}), nil)
	wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "i"}, c), nil)
	if err := s.Put(t.Context(), Item{ItemID: "j"}, c); err == nil {
		t.Error("a content was put twice")
	}
	if err := c.Add(Segment{1, Bulk, []byte("x")}); err == nil {
		t.Error("a content that was put took more")
	}
	if c.Size() != 1 {
		t.Errorf("size %d", c.Size())
	}
}

// TestTooManyStreams: what is of too high a number goes with the last; the bytes come back.
func TestTooManyStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var whole bytes.Buffer
	snap := w.run(t, "m", func(s *Session) {
		c := s.NewContent(t.Context())
		for n := range maxStreams + 100 {
			data := []byte{byte(n), byte(n >> 8), byte(n >> 16)}
			wantErr(t, "add", c.Add(Segment{n, Bulk, data}), nil)
			whole.Write(data)
		}
		wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "i"}, c), nil)
	})
	for v, err := range w.Versions(t.Context(), snap) {
		if err != nil || !bytes.Equal(w.read(t, v), whole.Bytes()) {
			t.Errorf("came back otherwise, %v", err)
		}
	}
}
