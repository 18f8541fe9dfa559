package fasttransfer_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// preamble is the 62 bytes before the first buffer, as Exchange Online writes them.
const preamble = "\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
	"\x03\x00\x00\x00\x18\x00\x00\x00\x01\x00\x00\x00\x07\x03\x02\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46\x00\x24\x00\x80" +
	"\x04\x00\x00\x00\x06\x00\x00\x00\x14\x0F\xD6\x91\x86\x17"

// framed puts a stream into buffers of at most size bytes.
func framed(stream string, size int) []byte {
	b := []byte(preamble)
	for {
		n := min(size, len(stream))
		b = binary.LittleEndian.AppendUint32(b, 2)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
		b = append(b, stream[:n]...)
		if stream = stream[n:]; stream == "" {
			return b
		}
	}
}

func tag(id uint16, t mapi.Type) string {
	return string([]byte{byte(t), byte(t >> 8), byte(id), byte(id >> 8)})
}

func u32(v uint32) string { return string(binary.LittleEndian.AppendUint32(nil, v)) }

const (
	startEmbed = "\x03\x00\x01\x40"
	endEmbed   = "\x03\x00\x02\x40"
	startRecip = "\x03\x00\x03\x40"
	endRecip   = "\x03\x00\x04\x40"
	newAttach  = "\x03\x00\x00\x40"
	endAttach  = "\x03\x00\x0E\x40"
	startMsg   = "\x03\x00\x0C\x40"
	startFAI   = "\x03\x00\x10\x40"
	endMsg     = "\x03\x00\x0D\x40"
)

// scan checks what holds for any input: all bytes come once and in order, and
// streams are numbered as the package doc says.
func scan(t testing.TB, blob []byte, v fasttransfer.Visitor) (fasttransfer.Report, map[int][]byte) {
	t.Helper()
	var all bytes.Buffer
	streams, kinds, next := map[int][]byte{}, map[int]fasttransfer.Kind{}, 3
	v.Segment = func(s fasttransfer.Segment) error {
		if len(s.Data) == 0 {
			t.Error("empty segment")
		}
		if k, known := kinds[s.Stream]; known && k != s.Kind {
			t.Errorf("stream %d is %v and %v", s.Stream, k, s.Kind)
		}
		if s.Stream > 2 && s.Stream != next && s.Stream != next-1 {
			t.Errorf("stream %d comes where %d is next", s.Stream, next)
		}
		if s.Stream == next {
			next++
		}
		kinds[s.Stream] = s.Kind
		all.Write(s.Data)
		streams[s.Stream] = append(streams[s.Stream], s.Data...)
		return nil
	}
	r, err := fasttransfer.Scan(bytes.NewReader(blob), v)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(all.Bytes(), blob) {
		t.Fatalf("segments of %d bytes do not add up to the blob of %d", all.Len(), len(blob))
	}
	if r.Size != int64(len(blob)) || r.Offset < 0 || r.Offset > r.Size {
		t.Fatalf("size %d, offset %d of %d bytes", r.Size, r.Offset, len(blob))
	}
	if (r.State == fasttransfer.Complete) != (r.Reason == "") {
		t.Fatalf("%v because %q", r.State, r.Reason)
	}
	return r, streams
}

func TestScanVerdicts(t *testing.T) {
	t.Parallel()
	importance := tag(0x0017, mapi.TypeInt32) + u32(1)
	nested := func(n int) string {
		return strings.Repeat(newAttach+startEmbed, n) + strings.Repeat(endEmbed+endAttach, n)
	}
	name := func(n int) string {
		return tag(0x8001, mapi.TypeInt32) + strings.Repeat("g", 16) + "\x01" + strings.Repeat("n\x00", n) + "\x00\x00" + u32(7)
	}
	for _, c := range []struct {
		name, stream string
		want         fasttransfer.State
		reason       string
	}{
		{"empty message", "", fasttransfer.Complete, ""},
		{"one property", importance, fasttransfer.Complete, ""},
		{"meta-properties", tag(0x4008, 0x84E4) + u32(2) + "/\x00" + tag(0x4016, mapi.TypeInt32) + u32(0x0E12000D), fasttransfer.Complete, ""},
		{"recipient after attachment", newAttach + endAttach + startRecip + importance + endRecip, fasttransfer.Complete, ""},
		{"wrapped message", startMsg + importance + startRecip + endRecip + endMsg, fasttransfer.Complete, ""},
		{"wrapped associated message", startFAI + importance + endMsg, fasttransfer.Complete, ""},
		{"nested to the limit", nested(32), fasttransfer.Complete, ""},
		{"two messages in two attachments", strings.Repeat(newAttach+startEmbed+endEmbed+endAttach, 2), fasttransfer.Complete, ""},
		{"two messages in one attachment", newAttach + startEmbed + endEmbed + startEmbed + endEmbed + endAttach, fasttransfer.Unparsed, "second message"},
		{"nested too deep", nested(33), fasttransfer.Unparsed, "nest deeper"},
		{"longest name", name(511), fasttransfer.Complete, ""},
		{"name too long", name(512), fasttransfer.Unparsed, "name longer"},
		{"name of unknown kind", tag(0x8001, 3) + strings.Repeat("g", 16) + "\x02", fasttransfer.Unparsed, "unknown kind"},
		{"unknown type", tag(0x0017, 0x0011), fasttransfer.Unparsed, "unknown type"},
		{"list of booleans", tag(0x0017, 0x100B), fasttransfer.Unparsed, "unknown type"},
		{"too many properties", strings.Repeat(importance, 1<<16+1), fasttransfer.Unparsed, "properties of one object"},
		{"folder stream", "\x03\x00\x09\x40", fasttransfer.Unparsed, "folder or synchronisation"},
		{"end without begin", endRecip, fasttransfer.Unparsed, "does not match"},
		{"embedded outside an attachment", startEmbed + endEmbed, fasttransfer.Unparsed, "where none may"},
		{"attachment in a recipient", startRecip + newAttach, fasttransfer.Unparsed, "where none may"},
		{"recipient not closed", startRecip + importance, fasttransfer.Truncated, "not closed"},
		{"message not closed", newAttach + startEmbed + endEmbed, fasttransfer.Truncated, "not closed"},
		{"fixed value cut", tag(0x0017, 3) + "\x01\x00", fasttransfer.Truncated, "runs past the end"},
		{"tag cut", "\x03\x00", fasttransfer.Truncated, "runs past the end"},
		{"name cut", tag(0x8001, 3) + "ggg", fasttransfer.Truncated, "runs past the end"},
		{"huge value cut", tag(0x3701, 0x0102) + u32(0xFFFFFFFF) + "abc", fasttransfer.Truncated, "value runs past"},
		{"huge list cut", tag(0x3701, 0x1102) + u32(0xFFFFFFFF) + "abc", fasttransfer.Truncated, "runs past"},
		{"huge list of GUIDs cut", tag(0x3701, 0x1048) + u32(0xFFFFFFFF) + "abc", fasttransfer.Truncated, "runs past"},
		{"notice within a value", tag(0x1013, 0x0102) + u32(22) + "=== Truncated Data ===", fasttransfer.Complete, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{31680, 1, 3, 7} {
				for _, build := range []bool{true, false} {
					v := fasttransfer.Visitor{}
					if build {
						v.Message = &mapi.Message{}
					}
					r, _ := scan(t, framed(c.stream, size), v)
					if r.State != c.want || !strings.Contains(r.Reason, c.reason) {
						t.Fatalf("buffers of %d: %v because %q", size, r.State, r.Reason)
					}
				}
			}
		})
	}
}

func TestScanFraming(t *testing.T) {
	t.Parallel()
	good := encode(t, item(100, 0))
	record := func(op, n uint32, data string) string { return u32(op) + u32(n) + data }
	for _, c := range []struct {
		name, blob string
		want       fasttransfer.State
		warnings   int
	}{
		{"nothing", "", fasttransfer.Truncated, 0},
		{"no records", "Content-Type: text/plain\r\n\r\n", fasttransfer.Unparsed, 0},
		{"preamble only", preamble, fasttransfer.Truncated, 0},
		{"unknown record", string(good) + record(9, 3, "abc"), fasttransfer.Complete, 1},
		{"unknown record cut", string(good) + record(9, 4, "abc"), fasttransfer.Unparsed, 0},
		{"known record cut", string(good) + record(2, 4, "abc"), fasttransfer.Truncated, 0},
		{"empty buffer at the end", string(good) + record(2, 0, ""), fasttransfer.Complete, 0},
		{"stray bytes", string(good) + "abc", fasttransfer.Truncated, 0},
		{"notice at the end", string(good) + "=== Truncated Data ===", fasttransfer.Truncated, 0},
		{"notice in the stream", string(framed(endRecip+"\r\n=== Truncated Data ===\r\n", 31680)), fasttransfer.Truncated, 0},
		{"wide notice at the end", string(good) + "=\x00=\x00=\x00 \x00T\x00r\x00u\x00n\x00c\x00a\x00t\x00e\x00d\x00 \x00D\x00a\x00t\x00a\x00 \x00=\x00=\x00=\x00", fasttransfer.Truncated, 1},
		{"no IsInterfaceOk", preamble[:16] + record(2, 0, ""), fasttransfer.Complete, 1},
		{"a folder's interface", strings.Replace(preamble, "\x07\x03\x02", "\x01\x03\x02", 1), fasttransfer.Unparsed, 0},
		{"another method", strings.Replace(preamble, "\x01\x00\x00\x00\x03", "\x02\x00\x00\x00\x03", 1), fasttransfer.Unparsed, 0},
		{"Config cut", preamble[:12], fasttransfer.Truncated, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := scan(t, []byte(c.blob), fasttransfer.Visitor{Message: &mapi.Message{}})
			if r.State != c.want || len(r.Warnings) != c.warnings {
				t.Errorf("%v because %q, warnings %q", r.State, r.Reason, r.Warnings)
			}
		})
	}
}

func TestScanAllTypes(t *testing.T) {
	t.Parallel()
	stream := tag(0x6800, 0x0002) + "ab" + tag(0x6801, 0x0003) + "abcd" + tag(0x6802, 0x0004) + "abcd" +
		tag(0x6803, 0x0005) + "abcdefgh" + tag(0x6804, 0x0006) + "abcdefgh" + tag(0x6805, 0x0007) + "abcdefgh" +
		tag(0x6806, 0x000A) + "abcd" + tag(0x6807, 0x000B) + "\x01\x00" + tag(0x6808, 0x000D) + u32(3) + "abc" +
		tag(0x6809, 0x0014) + "abcdefgh" + tag(0x680A, 0x001E) + u32(3) + "ab\x00" + tag(0x680B, 0x001F) + u32(4) + "a\x00\x00\x00" +
		tag(0x680C, 0x0040) + "abcdefgh" + tag(0x680D, 0x0048) + "0123456789abcdef" + tag(0x680E, 0x00FB) + u32(1) + "a" +
		tag(0x680F, 0x00FD) + u32(1) + "a" + tag(0x6810, 0x00FE) + u32(1) + "a" + tag(0x6811, 0x0102) + u32(0) +
		tag(0x6812, 0x84B0) + u32(4) + "a\x00\x00\x00" + tag(0x6813, 0x84E4) + u32(2) + "\xFC\x00" +
		tag(0x6814, 0x84B1) + u32(4) + "\x00a\x00\x00" + tag(0x6815, 0x1002) + u32(2) + "abcd" + tag(0x6816, 0x1003) + u32(1) + "abcd" +
		tag(0x6817, 0x1004) + u32(0) + tag(0x6818, 0x1005) + u32(1) + "abcdefgh" + tag(0x6819, 0x1006) + u32(1) + "abcdefgh" +
		tag(0x681A, 0x1007) + u32(1) + "abcdefgh" + tag(0x681B, 0x1014) + u32(1) + "abcdefgh" + tag(0x681C, 0x1040) + u32(1) + "abcdefgh" +
		tag(0x681D, 0x1048) + u32(1) + "0123456789abcdef" + tag(0x681E, 0x101E) + u32(2) + u32(2) + "a\x00" + u32(1) + "\x00" +
		tag(0x681F, 0x101F) + u32(1) + u32(4) + "a\x00\x00\x00" + tag(0x6820, 0x1102) + u32(2) + u32(0) + u32(2) + "ab" +
		tag(0x6821, 0x94B0) + u32(2) + u32(4) + "a\x00\x00\x00" + u32(2) + "\x00\x00" + // as a list
		tag(0x6822, 0x94B0) + u32(8) + "a\x00b\x00c\x00\x00\x00" + tag(0x6823, 0x94B0) + u32(2) + "\x00\x00" + // as a string
		tag(0xFFFF, 0x0003) + "abcd"
	var m mapi.Message
	blob := framed(stream, 31680)
	r, _ := scan(t, blob, fasttransfer.Visitor{Message: &m})
	if r.State != fasttransfer.Complete || r.Properties != 0x25 {
		t.Fatalf("%v at %d: %s, %d properties", r.State, r.Offset, r.Reason, r.Properties)
	}
	if got := m.Properties.Text(0x6813) + m.Properties.Text(0x6814) + m.Properties.Text(0x6822); got != "üaabc" {
		t.Errorf("texts %q", got)
	}
	var back bytes.Buffer
	if err := fasttransfer.Encode(&back, &m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	var again mapi.Message
	scan(t, back.Bytes(), fasttransfer.Visitor{Message: &again})
	if !reflect.DeepEqual(m, again) {
		t.Error("Encode and Scan changed a value")
	}
}

func TestSegmentsHaveHardEdges(t *testing.T) {
	t.Parallel()
	data := noise(100_000)
	m := item(3000, 0)
	m.Properties.Set(mapi.NewBinary(mapi.PidTagHTML, data[:1024]))
	m.Properties.Set(mapi.NewBinary(0x6801, data[:1023]))
	m.Attachments = []mapi.Attachment{{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagAttachData, data)}}}
	blob := encode(t, m)
	r, streams := scan(t, blob, fasttransfer.Visitor{})
	if r.State != fasttransfer.Complete || len(streams) != 6 {
		t.Fatalf("%v %s, %d streams", r.State, r.Reason, len(streams))
	}
	for i, want := range [][]byte{m.Properties.Find(mapi.PidTagBody).Data, data[:1024], data} {
		if !bytes.Equal(streams[3+i], want) {
			t.Errorf("stream %d has %d bytes, want %d", 3+i, len(streams[3+i]), len(want))
		}
	}
	if n := len(streams[0]); n != 62+8*4 {
		t.Errorf("%d bytes of framing", n)
	}
}

// TestAnyDamage cuts and flips: the scan must end, hand out every byte and not call a cut blob complete.
func TestAnyDamage(t *testing.T) {
	t.Parallel()
	m := item(520, 1100)
	m.Recipients = m.Recipients[:2]
	m.Attachments = append(m.Attachments, mapi.Attachment{Embedded: &mapi.Message{}})
	blob := encode(t, m)
	for n := range blob {
		r, _ := scan(t, blob[:n], fasttransfer.Visitor{Message: &mapi.Message{}})
		if r.State != fasttransfer.Truncated {
			t.Fatalf("cut at %d of %d: %v because %q", n, len(blob), r.State, r.Reason)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		bad := bytes.Clone(blob)
		for range 1 + rnd.IntN(3) {
			bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
		}
		scan(t, bad, fasttransfer.Visitor{Message: &mapi.Message{}})
	}
	for range 300 {
		scan(t, append([]byte(preamble+"\x02\x00\x00\x00\x00\x01\x00\x00"), noise(rnd.IntN(1000))...), fasttransfer.Visitor{})
	}
}

func TestScanAnyReader(t *testing.T) {
	t.Parallel()
	m := item(3000, 70_000)
	blob := encode(t, m)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with error": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var back mapi.Message
			r, err := fasttransfer.Scan(wrap(bytes.NewReader(blob)), fasttransfer.Visitor{Message: &back})
			if err != nil || r.State != fasttransfer.Complete {
				t.Fatal(r, err)
			}
			if !bytes.Equal(encode(t, &back), blob) {
				t.Error("the message is another")
			}
		})
	}
}

func TestScanGivesForeignErrors(t *testing.T) {
	t.Parallel()
	blob, boom := encode(t, item(3000, 70_000)), errors.New("boom")
	for n := 0; n < len(blob); n += 977 {
		r := io.MultiReader(bytes.NewReader(blob[:n]), iotest.ErrReader(boom))
		if _, err := fasttransfer.Scan(r, fasttransfer.Visitor{}); !errors.Is(err, boom) {
			t.Fatalf("reader fails at %d: %v", n, err)
		}
		calls := n / 977
		_, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Segment: func(fasttransfer.Segment) error {
			if calls--; calls < 0 {
				return boom
			}
			return nil
		}})
		if calls < 0 && !errors.Is(err, boom) {
			t.Fatalf("visitor fails: %v", err)
		}
	}
	_, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &mapi.Message{}, Keep: 1000, Spool: fullSpool{boom}})
	if !errors.Is(err, boom) {
		t.Errorf("spool fails: %v", err)
	}
}

type fullSpool struct{ err error }

func (s fullSpool) WriteAt([]byte, int64) (int, error) { return 0, s.err }
func (s fullSpool) ReadAt([]byte, int64) (int, error)  { return 0, s.err }

// memorySpool is a spool in memory.
type memorySpool struct{ data []byte }

func (s *memorySpool) WriteAt(p []byte, off int64) (int, error) {
	s.data = append(s.data[:off], p...)
	return len(p), nil
}

func (s *memorySpool) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.data).ReadAt(p, off)
}

func TestKeepAndSpool(t *testing.T) {
	t.Parallel()
	m := item(3000, 70_000)
	m.Properties.Set(mapi.NewNamedTexts(mapi.NameCategories(), []string{strings.Repeat("x", 400), strings.Repeat("y", 400)}))
	blob := encode(t, m)

	var without mapi.Message
	scan(t, blob, fasttransfer.Visitor{Message: &without, Keep: 1000})
	data := without.Attachments[0].Data()
	if data.Kept() || data.Size != 70_000 || data.Len() != 70_000 {
		t.Errorf("a value over Keep has %d of %d bytes", len(data.Data), data.Size)
	}
	if _, err := io.ReadAll(data.Open()); !errors.Is(err, mapi.ErrLeftOut) {
		t.Errorf("reading what was left out: %v", err)
	}
	if err := fasttransfer.Encode(io.Discard, &without, fasttransfer.EncodeOptions{}); !errors.Is(err, mapi.ErrLeftOut) {
		t.Errorf("writing what was left out: %v", err)
	}

	var with mapi.Message
	spool := &memorySpool{}
	scan(t, blob, fasttransfer.Visitor{Message: &with, Keep: 1000, Spool: spool})
	if with.Attachments[0].Data().Large == nil || len(spool.data) < 70_000 {
		t.Error("nothing was spooled")
	}
	if !bytes.Equal(encode(t, &with), blob) {
		t.Error("the spooled message is another")
	}
	if got := with.Categories(); len(got) != 2 || len(got[1]) != 400 {
		t.Errorf("spooled list: %q", got)
	}
}

// zeros is a value of any length.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// TestConstantMemory passes 150 MB through writer and reader. What is never allocated is never in use: so it counts
// allocations, which no collector hides.
func TestConstantMemory(t *testing.T) {
	const size = 150e6
	m := item(100, 0)
	m.Attachments = []mapi.Attachment{{Properties: mapi.Bag{{
		Tag: mapi.MakeTag(mapi.PidTagAttachData, mapi.TypeBinary), Large: io.NewSectionReader(zeros{}, 0, size)}}}}
	in, out := io.Pipe()
	done := make(chan error, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		err := fasttransfer.Encode(out, m, fasttransfer.EncodeOptions{})
		out.CloseWithError(err)
		done <- err
	}()
	var back mapi.Message
	var seen int64
	r, err := fasttransfer.Scan(in, fasttransfer.Visitor{Message: &back, Segment: func(s fasttransfer.Segment) error {
		seen += int64(len(s.Data))
		return nil
	}})
	if err := errors.Join(err, <-done); err != nil || r.State != fasttransfer.Complete {
		t.Fatal(r, err)
	}
	runtime.ReadMemStats(&after)
	if got := back.Attachments[0].Data().Size; got != size || seen != r.Size {
		t.Errorf("value of %d bytes, %d bytes in segments of a blob of %d", got, seen, r.Size)
	}
	n := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes allocated for a blob of %d", n, r.Size)
	if n > 3<<19 {
		t.Errorf("%d bytes allocated", n)
	}
}
