package graph

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

// TestStalledAnswers: a line over which nothing comes is asked for less at once, and one request of many items for fewer.
func TestStalledAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		most := 0
		silent := roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/settings/exchange") {
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"primaryMailboxId":"MBX:a@b"}`))}, nil
			}
			b, _ := io.ReadAll(r.Body)
			most = max(most, strings.Count(string(b), ",")+1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c, err := New(Options{URL: "http://127.0.0.1", Mailbox: "megan@contoso.com", HTTP: &http.Client{Transport: silent}, MaxAttempts: 2})
		if err != nil {
			t.Fatal(err)
		}
		_, err = exportAll(c, t.Context(), ItemRef{ID: "a"}, ItemRef{ID: "b"}, ItemRef{ID: "c"}, ItemRef{ID: "d"}, ItemRef{ID: "e"}, ItemRef{ID: "f"})
		if err != nil || most != 6 || c.batchSize() != 1 {
			t.Errorf("%v, %d items at most, %d at the end", err, most, c.batchSize())
		}
		if s := signalOf(&Error{class: Transient, cause: wire.ErrStalled}); s.Kind != throttle.Slow || errors.Is(err, wire.ErrStalled) {
			t.Error(s)
		}
	})
}
