package graph

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
)

// fewRequests carries requests as long as there are not too many.
type fewRequests struct {
	via  http.RoundTripper
	left atomic.Int64
}

func (f *fewRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.left.Add(-1) < 0 {
		return nil, errors.New("too many requests")
	}
	return f.via.RoundTrip(r)
}

// TestCircles: links of a server that lead round are no way to keep a client busy for ever.
func TestCircles(t *testing.T) {
	t.Parallel()
	const most = 50
	for name, tt := range map[string]struct {
		set func(s *server)
		ask func(t *testing.T, c *Client) error
	}{
		"pages of folders": {
			func(s *server) {
				s.on(mailbox+"/folders", reply{body: `{"value":[],"@odata.nextLink":"$BASE` + mailbox + `/folders?$skip=1"}`})
				s.on(mailbox+"/folders?$skip=1", reply{body: `{"value":[],"@odata.nextLink":"$BASE` + mailbox + `/folders?$skip=2"}`})
				s.on(mailbox+"/folders?$skip=2", reply{body: `{"value":[],"@odata.nextLink":"$BASE` + mailbox + `/folders?$skip=1"}`})
			},
			func(t *testing.T, c *Client) error { _, err := c.Folders(t.Context(), ""); return err },
		},
		"an item that has always moved": {
			func(s *server) {
				const at = "/beta/admin/exchange/mailboxes/" + testID
				s.on("/beta/users/megan@contoso.com/settings/exchange", reply{body: `{"inPlaceArchiveMailboxId":"` + testID + `"}`})
				s.on(at+"/exportItems", reply{body: exports(`{"itemId":"a","error":{"message":"$BASE` + at + `/exportItems","code":"ErrorArchiveFolderMovedPermanently"}}`)})
			},
			func(t *testing.T, c *Client) error {
				got, err := exportAll(c, t.Context(), ItemRef{ID: "a"})
				if err == nil {
					err = got[0].err
				}
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			tt.set(s)
			c, _ := newTestClient(t, s, func(o *Options) {
				o.Archive = name == "an item that has always moved"
				few := &fewRequests{via: o.HTTP.Transport}
				few.left.Store(most)
				o.HTTP.Transport = few
			})
			if err := tt.ask(t, c); err == nil || len(s.all()) > most/2 {
				t.Errorf("%v after %d requests", err, len(s.all()))
			}
		})
	}
}
