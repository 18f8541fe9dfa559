package exchangetest_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestMadeItems(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	if err := c.server.Make(box, 2, 1000, 0); err != nil {
		t.Fatal(err)
	}
	equal(t, "items", c.server.AddMailbox(box).Items(), 2000)
	folders := refs(c.ok(c.do(findFolders("Deep", "inbox", ""))), "FolderId")
	s := &syncer{client: c, folder: folders[1].folder()}
	var items []ref
	for range 2 {
		items = append(items, refs(c.ok(c.do(s.request(512))), "ItemId")...)
		s.state = c.do(s.request(512)).FindElement("//SyncState").Text()
	}
	equal(t, "told", len(items), 1000)
	first, last := c.blob(items[0]), c.blob(items[999])
	for _, data := range [][]byte{first, last} {
		report, err := fasttransfer.Scan(bytes.NewReader(data), fasttransfer.Visitor{})
		if err != nil || report.State != fasttransfer.Complete {
			t.Error(report, err)
		}
	}
	same(t, "exported again", c.blob(items[0]), first)
	if bytes.Equal(first, last) {
		t.Error("two items are the same")
	}
	equal(t, "listed", len(c.find(folders[0])), 1000)

	c.ok(c.do(deleteItem("HardDelete", items[3].bare())))
	c.ok(c.do(setField(items[4], "item:Subject", "<t:Subject>new</t:Subject>")))
	c.ok(c.do(moveItem("drafts", items[5].bare())))
	root := c.ok(c.do(s.request(512)))
	equal(t, "changes", []int{len(root.FindElements("//Create")), len(root.FindElements("//Update")), len(root.FindElements("//Delete"))}, []int{0, 1, 2})
	equal(t, "items at last", c.server.AddMailbox(box).Items(), 1999)
	equal(t, "export of what is gone", c.one(c.do(`<m:ExportItems><m:ItemIds>`+items[3].bare()+`</m:ItemIds></m:ExportItems>`)), "ErrorItemNotFound")
	if err := c.server.Make(box, 0, 1, 0); err == nil {
		t.Error("no folders were made")
	}
}

// TestTenMillionItems: a state in their midst is found, and the end of it all, without holding them.
func TestTenMillionItems(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	began := time.Now()
	if err := c.server.Make(box, 1, 10_000_000, 0); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
	s := &syncer{client: c, folder: refs(c.ok(c.do(findFolders("Deep", "inbox", ""))), "FolderId")[0].folder()}
	for range 3 {
		root := c.ok(c.do(s.request(512)))
		equal(t, "told", len(refs(root, "ItemId")), 512)
		s.state = root.FindElement("//SyncState").Text()
	}
	folder := c.ok(c.do(strings.Replace(getInbox, `<t:DistinguishedFolderId Id="inbox"/>`, s.folder, 1)))
	equal(t, "total", folder.FindElement("//TotalCount").Text(), 10_000_000)
}

func TestBigMadeItem(t *testing.T) {
	const size = 250 << 20
	c := newClient(t, exchangetest.Options{})
	if testing.Short() || c.server.Make(box, 1, 1, size) != nil {
		t.Skip("250 MB")
	}
	folder := refs(c.ok(c.do(findFolders("Deep", "inbox", ""))), "FolderId")[0]
	r, _ := http.NewRequest("POST", c.url, strings.NewReader(c.envelope(`<m:ExportItems><m:ItemIds>`+c.find(folder)[0].bare()+`</m:ItemIds></m:ExportItems>`)))
	r.Header.Set("Content-Type", "text/xml")
	r.SetBasicAuth("backup", "secret")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	n, most := int64(0), uint64(0)
	for buf := make([]byte, 8<<20); err == nil; {
		var k int
		k, err = io.ReadFull(resp.Body, buf)
		n += int64(k)
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) || n < int64(base64.StdEncoding.EncodedLen(size-1<<20)) {
		t.Errorf("%d bytes came, %v", n, err)
	}
	if most > before.HeapAlloc+48<<20 {
		t.Errorf("%d MiB held", (most-before.HeapAlloc)>>20)
	}
}
