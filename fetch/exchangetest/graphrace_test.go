package exchangetest_test

import (
	"fmt"
	"sync"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// TestGraphAndEWSAtOnce lets clients of both change a folder while others of
// both follow it; in the end all have the same.
func TestGraphAndEWSAtOnce(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	inbox, at := rest(g.folder("inbox").id), g.session()
	var changing, following sync.WaitGroup
	done := make(chan struct{})
	for writer := range 2 {
		changing.Go(func() {
			for i := range 15 {
				it := g.create("inbox", fmt.Sprintf("w%di%d", writer, i))
				it = refs(g.ok(g.do(setField(it, "item:Subject", "<t:Subject>new</t:Subject>"))), "ItemId")[0]
				if i%3 == 0 {
					g.call(204, "DELETE", g.base+"/folders/inbox/items/"+rest(it.id)+"?disposalType=hardDelete", "")
				}
			}
		})
		changing.Go(func() {
			body := importing("FolderId", inbox, "Mode", "create", "Data", b64(encode(t, "IPM.Note", "x")))
			for range 15 {
				id := g.text(g.call(200, "POST", at, body, noBearer), "itemId")
				g.data(values(g.exported(id))[0])
				g.get(g.base + "/folders?$top=20")
			}
		})
	}
	byGraph := map[string]bool{}
	following.Go(func() {
		link := g.base + "/folders/inbox/items/delta?$top=4"
		for over, last := false, false; !over || !last; {
			select {
			case <-done:
				over = true
			default:
			}
			d := g.get(link)
			for _, v := range values(d) {
				if byGraph[v["id"].(string)] = v["@removed"] == nil; v["@removed"] != nil {
					delete(byGraph, v["id"].(string))
				}
			}
			if link, last = d["@odata.deltaLink"].(string); !last {
				link = g.text(d, "@odata.nextLink")
			}
		}
	})
	changing.Wait()
	close(done)
	following.Wait()
	want := map[string]bool{}
	for _, r := range g.find(g.folder("inbox")) {
		want[rest(r.id)] = true
	}
	equal(t, "items", len(want), 50)
	equal(t, "follower", byGraph, want)
}
