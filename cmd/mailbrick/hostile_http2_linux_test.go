package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mailbrick/fetch/exchangetest"
)

// stream is a connection of HTTP/2 on which somebody has asked for something.
type stream struct {
	*http2.Framer
	id uint32
}

// block is a list of headers in one piece.
func block(fields ...string) []byte {
	var b strings.Builder
	e := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return []byte(b.String())
}

// headers begins an answer.
func (s stream) headers(end bool, fields []byte) error {
	return s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: fields, EndHeaders: end})
}

// often writes for as long as somebody reads, but not for ever: a client that takes everything waits for its watchdog.
func often(n int, write func() error) error {
	var err error
	for i := 0; i < n && err == nil; i++ {
		err = write()
	}
	return err
}

// abuses are what a server of HTTP/2 does instead of answering. That it takes no request (REFUSED_STREAM, GOAWAY) is none: net/http
// comes back seven times, for a minute in all.
func abuses() map[string]func(s stream) error {
	good := block(":status", "200", "content-type", "text/xml")
	long := strings.Repeat("a", 4000)
	return map[string]func(s stream) error{
		"it goes": func(s stream) error {
			return s.WriteGoAway(s.id, http2.ErrCodeEnhanceYourCalm, []byte("hunter2hunter2 a2VlcGVyOmh1bnRlcjJodW50ZXIy"))
		},
		"it resets":          func(s stream) error { return s.WriteRSTStream(s.id, http2.ErrCodeInternal) },
		"it wants HTTP/1":    func(s stream) error { return s.WriteRSTStream(s.id, http2.ErrCodeHTTP11Required) },
		"endless headers":    func(s stream) error { return s.endless(good, block("x-a", long)) },
		"headers of nothing": func(s stream) error { return s.endless(good, nil) },
		"headers that unpack without end": func(s stream) error { // a name in the table, and a byte for each time that it is meant
			return s.endless(block(":status", "200", "x-a", strings.Repeat("b", 3900)), []byte(strings.Repeat("\xbe", 16<<10)))
		},
		"a table that cannot be": func(s stream) error { return s.headers(true, []byte{0x3F, 0xE1, 0xFF, 0xFF, 0xFF, 0x0F}) },
		"broken packing": func(s stream) error {
			return s.headers(true, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
		},
		"no status":      func(s stream) error { return s.headers(true, block("content-type", "text/xml")) },
		"names of lines": func(s stream) error { return s.headers(true, block(":status", "200", "x-a\r\nb", "c")) },
		"a promise": func(s stream) error {
			return s.WritePushPromise(http2.PushPromiseParam{StreamID: s.id, PromiseID: 2, BlockFragment: good, EndHeaders: true})
		},
		"an endless frame":    func(s stream) error { return s.WriteRawFrame(http2.FrameData, 0, s.id, make([]byte, 1<<24-1)) },
		"data before headers": func(s stream) error { return s.WriteData(s.id, true, []byte("<a/>")) },
		"data of another":     func(s stream) error { return s.WriteData(99, true, []byte("<a/>")) },
		"data beyond the window": func(s stream) error {
			return s.after(good, 1<<11, func() error { return s.WriteData(s.id, false, make([]byte, 16<<10)) })
		},
		"a length too long": func(s stream) error {
			return s.after(block(":status", "200", "content-type", "text/xml", "content-length", "9"), 1, func() error { return s.WriteData(s.id, true, []byte("<a/>")) })
		},
		"an enormous trailer": func(s stream) error {
			return s.after(good, 1, func() error { return s.endless(nil, block("x-a", long)) })
		},
		"settings again and again": func(s stream) error {
			return often(1<<14, func() error { return s.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1}) })
		},
		"settings that cannot be": func(s stream) error { return s.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}) },
		"pings":                   func(s stream) error { return often(1<<14, func() error { return s.WritePing(false, [8]byte{}) }) },
		"no frames":               func(s stream) error { return s.WriteRawFrame(0xEE, 0xFF, 1<<31-1, []byte(long)) },
	}
}

// endless is a list of headers that goes on for as long as somebody reads.
func (s stream) endless(begin, more []byte) error {
	err := s.headers(false, begin)
	if err != nil {
		return err
	}
	return often(1<<14, func() error { return s.WriteContinuation(s.id, false, more) })
}

// after answers well and then does something, some times.
func (s stream) after(head []byte, n int, do func() error) error {
	if err := s.headers(true, head); err != nil {
		return err
	}
	return often(n, do)
}

// struck answers the first request of a connection with frames.
func struck(conn *tls.Conn, asked *atomic.Int64) error {
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		return err
	}
	f := http2.NewFramer(conn, conn)
	if _, err := io.CopyN(io.Discard, conn, int64(len(http2.ClientPreface))); err != nil {
		return err
	}
	if err := f.WriteSettings(); err != nil {
		return err
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return err
		}
		if frame.Header().Type != http2.FrameHeaders {
			continue
		}
		asked.Add(1)
		go io.Copy(io.Discard, conn) // so that nobody waits for anybody
		name, _, _ := strings.Cut(conn.ConnectionState().ServerName, ".")
		f.AllowIllegalWrites = true
		return abuses()[strings.ReplaceAll(strings.ReplaceAll(name, "-", " "), "http1", "HTTP/1")](stream{f, frame.Header().StreamID})
	}
}

// TestHostileHTTP2 backs up mailboxes from servers that abuse HTTP/2: each fails, soon and with a reason, and memory stays small.
func TestHostileHTTP2(t *testing.T) {
	t.Parallel()
	r := newTrial(t, exchangetest.Options{})
	var hosts []string
	var sources strings.Builder
	p := &proxy{places: map[string]string{}}
	for name := range abuses() {
		host := strings.ReplaceAll(strings.ReplaceAll(name, "HTTP/1", "http1"), " ", "-") + ".contoso.example"
		hosts = append(hosts, host)
		fmt.Fprintf(&sources, "[[source]]\nname = %q\nmailboxes = [\"ann@%s\"]\news = \"https://%s%s\"\nuser = \"keeper\"\nuser_password_file = %q\nimpersonate = true\n",
			name, host, host, exchangetest.Path, r.file("keeper", "hunter2hunter2"))
	}
	certificate, roots := r.certificateFor(hosts...)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var asked atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go struck(conn.(*tls.Conn), &asked)
		}
	}()
	for _, host := range hosts {
		p.places[net.JoinHostPort(host, "443")] = listener.Addr().String()
	}
	via := r.serve(p)
	text, peak := r.apart([]string{"HTTPS_PROXY=" + via, "HTTP_PROXY=" + via, "SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + filepath.Dir(roots) + "/none"},
		"backup", "--archive", r.archive, "--password-file", r.password, "--config", r.file("config.toml", sources.String()), "--json", "--no-index", "--parallel", "64")
	if t.Logf("%d requests, %d MiB of memory", asked.Load(), peak>>20); peak > 200<<20 && !raced() || asked.Load() < int64(len(hosts)) || asked.Load() > 20*int64(len(hosts)) {
		t.Errorf("%d requests, %d MiB of memory", asked.Load(), peak>>20)
	}
	for _, secret := range []string{"hunter2", "a2VlcGVyOmh1bnRlcjJodW50ZXIy", "goroutine ", "panic"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is said: %s", secret, text)
		}
	}
	for _, host := range hosts {
		_, rest, _ := strings.Cut(text, `{"mailbox":"ann@`+host+`"`)
		rest, _, _ = strings.Cut(rest, "\n")
		var line backupLine
		if err := json.Unmarshal([]byte(`{"mailbox":"ann@`+host+`"`+rest), &line); err != nil || line.Complete || !strings.Contains(line.Error, "GetFolder: ") {
			t.Errorf("%s: %+v, %v", host, line, err)
		}
		t.Logf("%s: %s", host, line.Error)
	}
}
