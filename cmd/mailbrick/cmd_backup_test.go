package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mailbrick/fetch"
	"mailbrick/fetch/graph"
)

func TestThrottlingIsSaidWhenThereWasSome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line backupLine
		want string
	}{
		{backupLine{Concurrency: 27}, ""},
		{backupLine{ThrottledMS: 31_500, Concurrency: 3}, " (31.5 s of them held back by the server; it takes 3 at once)"},
	} {
		if got := throttling(tt.line); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestMailboxWithoutRootIsItsOwn: a server that shows no folder of one mailbox does not keep the others from being backed up.
func TestMailboxWithoutRootIsItsOwn(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body := `{"value":[]}`
		switch {
		case strings.HasSuffix(r.URL.Path, "/settings/exchange"):
			body = `{"primaryMailboxId":"MBX:a@b"}`
		case strings.HasSuffix(r.URL.Path, "/msgfolderroot"):
			w.WriteHeader(http.StatusNotFound)
			body = `{"error":{"code":"ErrorItemNotFound"}}`
		}
		_, _ = w.Write([]byte(body))
	}))
	defer s.Close()
	client, err := graph.New(graph.Options{URL: s.URL, Mailbox: "m@x.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := fetch.Graph(client, fetch.GraphScope{}).Folders(t.Context()); err == nil || !ofMailbox(err) {
		t.Errorf("%v ends the run of all mailboxes", err)
	}
	if ofMailbox(errors.New("disk full")) || ofMailbox(context.Canceled) {
		t.Error("what is not the mailbox's is taken for it")
	}
}
