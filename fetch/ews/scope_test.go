package ews

import (
	"testing"
	"time"
)

// TestRoutedCountsOnce: what a routed client waited is counted once among the stats of the one it was made by.
func TestRoutedCountsOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, busy("30000"), reply{body: success("GetFolder", "<m:Folders/>")})
	c, clock := newTestClient(t, s, spreadNothing)
	r, err := c.Routed("home@x.example")
	if err != nil {
		t.Fatal(err)
	}
	_ = getInbox(r)
	if got := c.Stats(); got.Requests != 2 || got.Waited != clock.total() || got.Waited < 30*time.Second {
		t.Errorf("%+v, slept %v", got, clock.total())
	}
}
