package exchangetest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// TestManyAtOnce lets clients change a folder while others follow it; in the end
// all have the same.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	var changing, following sync.WaitGroup
	done := make(chan struct{})
	for writer := range 3 {
		changing.Go(func() {
			for i := range 15 {
				it := c.create("inbox", fmt.Sprintf("w%di%d", writer, i))
				it = refs(c.ok(c.do(setField(it, "item:Subject", "<t:Subject>new</t:Subject>"))), "ItemId")[0]
				c.blob(it)
				if i%3 == 0 {
					c.ok(c.do(deleteItem("HardDelete", it.bare())))
				}
			}
		})
	}
	have := make([]map[string]bool, 2)
	for f := range have {
		have[f] = map[string]bool{}
		following.Go(func() {
			s := &syncer{client: c, folder: distinguished("inbox")}
			for over := false; !over || !s.last; {
				select {
				case <-done:
					over = true
				default:
				}
				for _, line := range s.next(4) {
					kind, id, _ := strings.Cut(line, " ")
					if have[f][id] = kind != "Delete"; kind == "Delete" {
						delete(have[f], id)
					}
				}
			}
		})
	}
	changing.Wait()
	close(done)
	following.Wait()
	want := map[string]bool{}
	for _, r := range c.find(c.folder("inbox")) {
		want[r.id] = true
	}
	equal(t, "items", len(want), 30)
	for f := range have {
		equal(t, "follower", have[f], want)
	}
}
