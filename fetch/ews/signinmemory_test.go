package ews_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/wire"
)

// highWater notes the most memory in use above what there was at first.
type highWater struct {
	idle, most uint64
	turn       int
}

func newHighWater() *highWater {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &highWater{idle: m.HeapInuse}
}

// Write passes by; now and then it looks.
func (h *highWater) Write(p []byte) (int, error) {
	if h.turn++; h.turn%100 == 1 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.most = max(h.most, m.HeapInuse-min(m.HeapInuse, h.idle))
	}
	return len(p), nil
}

// TestSignInHoldsNoBody: an item of any size goes in and out without lying in memory, however the requests are signed in. It is
// not parallel: it looks at the memory of the whole process, and the server's is in it.
func TestSignInHoldsNoBody(t *testing.T) {
	size, limit := int64(32<<20), uint64(24<<20)
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		size, limit = 250<<20, 64<<20
	}
	s := exchangetest.New(exchangetest.Options{MaxRequestBytes: 2 * size, TempDir: t.TempDir()})
	s.AddAccount("backup", "secret")
	s.AddApp(exchangetest.App{ID: "app", Secret: "hush"})
	if err := s.Make("made@x.example", 1, 1, size); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(nil)
	h.Config = s.HTTPServer()
	h.Start()
	t.Cleanup(func() {
		h.Close()
		s.Close()
	})
	app, err := auth.NewApp(auth.AppOptions{Authority: h.URL + exchangetest.AuthorityPath(), ClientID: "app", Secret: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	for how, around := range map[string]func() (http.RoundTripper, error){
		"NTLM":   func() (http.RoundTripper, error) { return auth.NTLM(h.URL, `CORP\backup`, "secret", wire.Network()) },
		"Bearer": func() (http.RoundTripper, error) { return auth.Bearer(h.URL, app, auth.ScopeEWS, wire.Network()) },
	} {
		t.Run(how, func(t *testing.T) {
			to := how + "@x.example"
			s.AddMailbox(to)
			via, err := around()
			if err != nil {
				t.Fatal(err)
			}
			client := func(mailbox string) *ews.Client {
				c, err := ews.New(ews.Options{URL: h.URL + exchangetest.Path, HTTP: &http.Client{Transport: via}, Impersonate: mailbox})
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			file := filepath.Join(t.TempDir(), "large.fts")
			out := newHighWater()
			n := exportMade(t, client("made@x.example"), file, out)
			in := newHighWater()
			uploadFile(t, client(to), file, n, in)
			for way, w := range map[string]*highWater{"out": out, "in": in} {
				t.Logf("%d MiB %s: %d KiB above idle", n>>20, way, w.most>>10)
				if w.most > limit {
					t.Errorf("%s: %d MiB above idle", way, w.most>>20)
				}
			}
		})
	}
	if n := s.Throttling().SignIns; n["ntlm.authenticate"] > 2 || n["ntlm.refused"] > 0 || n["token"] != 1 {
		t.Error(n)
	}
}

// exportMade writes the one item of a mailbox into a file.
func exportMade(t *testing.T, c *ews.Client, file string, seen io.Writer) (n int64) {
	t.Helper()
	item := theItem(t, c)
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = c.ExportItems(t.Context(), []ews.ItemRef{item}, func(_ int, _ ews.ItemRef, body io.Reader, err error) error {
		if err == nil {
			n, err = io.Copy(io.MultiWriter(f, seen), body)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// theItem finds the one item of a mailbox.
func theItem(t *testing.T, c *ews.Client) ews.ItemRef {
	t.Helper()
	folders, err := c.FindFolders(t.Context(), ews.FolderRef{Distinguished: "inbox"})
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	for found, err := range c.FindItems(t.Context(), folders[0].ID) {
		if err != nil {
			t.Fatal(err)
		}
		return found.Item
	}
	t.Fatal("no item")
	return ews.ItemRef{}
}

// uploadFile puts a file into the inbox and sees that it is there.
func uploadFile(t *testing.T, c *ews.Client, file string, n int64, seen io.Writer) {
	t.Helper()
	inbox, err := c.GetFolders(t.Context(), ews.FolderRef{Distinguished: "inbox"})
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	results, err := c.UploadItems(t.Context(), []ews.Upload{{FolderID: inbox[0].ID, Action: ews.CreateNew, Size: n, Open: func() (io.ReadCloser, error) {
		opened++
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.TeeReader(f, seen), f}, nil
	}}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
	err = c.ExportItems(t.Context(), []ews.ItemRef{results[0].Item}, func(_ int, _ ews.ItemRef, body io.Reader, err error) error {
		if err == nil {
			var back int64
			if back, err = io.Copy(seen, body); back != n {
				t.Errorf("%d bytes came back of %d", back, n)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
