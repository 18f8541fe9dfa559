package exchangetest_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
)

// watchHeap notes the most memory in use until the function it gives is called.
func watchHeap() (most func() uint64) {
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := uint64(0); ; n = max(n, heap()) {
			select {
			case <-tick.C:
			case <-stop:
				result <- max(n, heap())
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-result
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// TestGraphMemory: an item of any size goes in and out without lying in memory.
// It is not parallel: it looks at the memory of the whole process.
func TestGraphMemory(t *testing.T) {
	size, limit := 48<<20, uint64(24<<20)
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		size, limit = 250<<20, 64<<20
	}
	g := newGraph(t, exchangetest.Options{TempDir: t.TempDir()})
	path := filepath.Join(t.TempDir(), "large.fts")
	if err := os.WriteFile(path, encode(t, "IPM.Note", "large", mapi.NewBinary(0x3FF9, make([]byte, size))), 0o666); err != nil {
		t.Fatal(err)
	}
	inbox, at := rest(g.folder("inbox").id), g.session()
	runtime.GC()
	idle := heap()

	in := watchHeap()
	r, _ := http.NewRequest("POST", at, importOf(t, inbox, path))
	r.Header.Set("Content-Type", "application/json")
	made := doc{}
	roundTrip(t, r, func(body io.Reader) {
		if err := json.NewDecoder(body).Decode(&made); err != nil {
			t.Fatal(err)
		}
	})
	most := map[string]uint64{"import": in()}
	r, _ = http.NewRequest("POST", g.base+"/exportItems", strings.NewReader(`{"itemIds":["`+g.text(made, "itemId")+`"]}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer secret")
	out := watchHeap()
	roundTrip(t, r, func(body io.Reader) { compareExport(t, bufio.NewReader(body), path) })
	most["export"] = out()
	for name, most := range most {
		t.Logf("%s of %d MiB: %d MiB above %d MiB of idle", name, size>>20, (max(most, idle)-idle)>>20, idle>>20)
		if most > idle+limit {
			t.Errorf("%s: %d MiB above idle", name, (most-idle)>>20)
		}
	}
}

func roundTrip(t *testing.T, r *http.Request, read func(io.Reader)) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("status %d: %s", resp.StatusCode, text)
	}
	read(resp.Body)
}

// importOf is the body of an import of a file.
func importOf(t *testing.T, folder, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, `{"FolderId":"`+folder+`","Mode":"create","Data":"`)
		e := base64.NewEncoder(base64.StdEncoding, w)
		io.Copy(e, f)
		e.Close()
		io.WriteString(w, `"}`)
		w.Close()
	}()
	return r
}

// compareExport holds the answer's data against a file, but for the stamp.
func compareExport(t *testing.T, answer io.Reader, path string) {
	t.Helper()
	const mark = `"data":"`
	head := make([]byte, 0, 4<<10)
	for b := []byte{0}; !bytes.HasSuffix(head, []byte(mark)); head = append(head, b[0]) {
		if _, err := io.ReadFull(answer, b); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	got := io.LimitReader(base64.NewDecoder(base64.StdEncoding, answer), info.Size())
	differ, n := 0, int64(0)
	for a, b := make([]byte, 64<<10), make([]byte, 64<<10); ; {
		k, err := io.ReadFull(got, a)
		io.ReadFull(f, b[:k])
		for i := range k {
			if a[i] != b[i] {
				differ++
			}
		}
		if n += int64(k); err != nil {
			break
		}
	}
	if n != info.Size() || differ > 8 {
		t.Errorf("%d bytes of %d, %d of them others", n, info.Size(), differ)
	}
}
