package fetch_test

import (
	"net/http"
	"testing"

	"mailbrick/fetch"
)

// TestMailboxWithNewIDs: one that moved to another organization has other ids, and its client is the same from run to run.
func TestMailboxWithNewIDs(t *testing.T) {
	t.Parallel()
	server, url := serve(t, 45)
	client, a := graphClient(t, url, http.DefaultTransport), openArchive(t)
	graphBackUp(t, a, client, fetch.GraphScope{})
	server.Renumber(testAddress)
	if r := graphBackUp(t, a, client, fetch.GraphScope{}); !r.Complete || r.Snapshot.Items != 45 || r.Snapshot.Added != 45 || r.Snapshot.Removed != 45 {
		t.Errorf("%+v", r)
	}
	if r := graphBackUp(t, a, client, fetch.GraphScope{}); r.Exported != 0 || !r.Complete {
		t.Errorf("once more: %+v", r)
	}
}
