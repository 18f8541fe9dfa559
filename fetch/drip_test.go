package fetch_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/graph"
	"mailbrick/fetch/wire"
)

// dripping is a server that answers in pieces, with a rest before each, for as long as somebody listens.
type dripping struct {
	begin, piece string
	rests        time.Duration
}

// dial gives a connection to it.
func (d dripping) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		r, err := http.ReadRequest(bufio.NewReader(there))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, err = io.WriteString(there, d.begin)
		for err == nil {
			time.Sleep(d.rests)
			_, err = io.WriteString(there, d.piece)
		}
	}()
	return here, nil
}

// TestServersThatDrip: one that answers a little every now and then does not keep a request for ever, by either protocol.
func TestServersThatDrip(t *testing.T) {
	t.Parallel()
	const stall = 5 * time.Minute
	head := func(kind string) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\nTransfer-Encoding: chunked\r\n\r\n"
	}
	for name, d := range map[string]dripping{
		"its status":               {"HTTP/1.1 ", "2", time.Minute},
		"its headers":              {"HTTP/1.1 200 OK\r\nX-A: ", "a", time.Minute},
		"early hints":              {"", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", time.Minute},
		"continue":                 {"", "HTTP/1.1 100 Continue\r\n\r\n", time.Minute},
		"white space of a body":    {head("text/xml"), "1\r\n \r\n", 4 * time.Minute},
		"white space of a body, 2": {head("application/json"), "1\r\n \r\n", 4 * time.Minute},
		"chunk extensions":         {head("text/xml") + "1;", "a", time.Minute},
		"a trailer":                {head("text/xml") + "0\r\nX-A: ", "a", time.Minute},
		"a page of its own":        {"HTTP/1.1 500 No\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n", "a", time.Minute},
		"a refusal":                {"HTTP/1.1 403 No\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{", " ", time.Minute},
	} {
		for by, ask := range map[string]func(ctx context.Context, via http.RoundTripper) error{
			"EWS": func(ctx context.Context, via http.RoundTripper) error {
				c, err := ews.New(ews.Options{URL: "http://127.0.0.1", User: "u", Password: "p", HTTP: &http.Client{Transport: via}, MaxAttempts: 1})
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.GetFolders(ctx, ews.FolderRef{Distinguished: "inbox"})
				return err
			},
			"Graph": func(ctx context.Context, via http.RoundTripper) error {
				c, err := graph.New(graph.Options{URL: "http://127.0.0.1", Mailbox: "ann@contoso.example", HTTP: &http.Client{Transport: via}, MaxAttempts: 1})
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.MailboxID(ctx)
				return err
			},
		} {
			t.Run(by+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					via := wire.Network()
					via.Proxy, via.DialContext = nil, d.dial
					began := time.Now()
					err := ask(t.Context(), via)
					stalled := errors.Is(err, wire.ErrStalled) || strings.Contains(err.Error(), "HTTP ") || strings.Contains(err.Error(), "not from")
					if took := time.Since(began); !stalled || took > stall+time.Second {
						t.Errorf("after %v: %v", took, err)
					}
					time.Sleep(d.rests) // the server learns that nobody listens any more
				})
			})
		}
	}
}
