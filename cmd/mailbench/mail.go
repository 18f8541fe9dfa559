package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const (
	seededMailboxes = 10
	seededMessages  = 300 // of each
)

var seededWords = strings.Fields("budget merger pipeline contract forecast turbine audit payroll schedule warehouse the a our we they will should " +
	"review before after please attached numbers quarter plan meeting call agree send question answer cost price supplier customer draft final version")

// writeMail writes seeded mailboxes: everybody's copies differ in the headers of the last hop, and some carry attachments.
func writeMail(dir string) error {
	r := rand.New(rand.NewPCG(3, 4))
	noise := rand.NewChaCha8([32]byte{1})
	for n := range seededMessages {
		var text strings.Builder
		for i := range 60 + r.IntN(300) {
			text.WriteString(seededWords[r.IntN(len(seededWords))])
			text.WriteString([]string{" ", "\r\n"}[min(1, i%14/13)])
		}
		attachment := make([]byte, []int{0, 0, 0, 0, 30_000, 200_000}[n%6])
		_, _ = noise.Read(attachment) // never fails
		for m := range seededMailboxes {
			path := filepath.Join(dir, fmt.Sprintf("user%02d@contoso.example", m), "Inbox", fmt.Sprintf("%04d.eml", n))
			if err := writeMessage(path, n, m, text.String(), attachment); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeMessage(path string, n, mailbox int, text string, attachment []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Received: from mx by mbx%d; Mon, 02 Mar 2026 10:%02d:%02d +0000\r\nFrom: Sender %d <s%d@fabrikam.example>\r\nTo: all@contoso.example\r\n"+
		"Subject: %s %d\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: <%d@fabrikam.example>\r\nMIME-Version: 1.0\r\n",
		mailbox, n%60, mailbox, n%40, n%40, seededWords[n%len(seededWords)], n, n)
	if len(attachment) == 0 {
		fmt.Fprintf(&b, "Content-Type: text/plain\r\n\r\n%s\r\n", text)
		return os.WriteFile(path, []byte(b.String()), 0o600)
	}
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b\r\n"+
		"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n",
		text, base64.StdEncoding.EncodeToString(attachment))
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// writeBig writes one message with an attachment of so many MiB, without holding it.
func writeBig(path string, mib int) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriter(f)
	fmt.Fprint(w, "From: a@contoso.example\r\nTo: b@contoso.example\r\nSubject: big\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nbig\r\n--b\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Disposition: attachment; filename=big.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	enc := base64.NewEncoder(base64.StdEncoding, &lines{w: w})
	if _, err := io.CopyN(enc, rand.NewChaCha8([32]byte{9}), int64(mib)<<20); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	fmt.Fprint(w, "\r\n--b--\r\n")
	return w.Flush()
}

// lines breaks base64 into lines of 76.
type lines struct {
	w io.Writer
	n int
}

func (l *lines) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		k := min(76-l.n, len(p))
		if _, err := l.w.Write(p[:k]); err != nil {
			return 0, err
		}
		p = p[k:]
		if l.n += k; l.n == 76 {
			if _, err := io.WriteString(l.w, "\r\n"); err != nil {
				return 0, err
			}
			l.n = 0
		}
	}
	return total, nil
}
