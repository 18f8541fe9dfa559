package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// demoMail writes the mailboxes that the demo backs up: seeded, so that every run tells the same story.
type demoMail struct {
	dir     string
	random  *rand.Rand
	people  []string
	decks   [][]byte // attachments that are sent around
	written int
}

const (
	demoMessages = 240 // of each mailbox
	demoDomain   = "contoso.example"
	// demoWord is in exactly one message: the one that is lost and comes back.
	demoWord = "periwinkle"
)

func newDemoMail(dir string) *demoMail {
	d := &demoMail{dir: dir, random: rand.New(rand.NewPCG(1, 2)), people: []string{"ann", "bob", "cleo"}}
	noise := rand.NewChaCha8([32]byte{7})
	for _, size := range []int{40 << 10, 180 << 10, 700 << 10} {
		deck := make([]byte, size)
		_, _ = noise.Read(deck) // never fails
		d.decks = append(d.decks, deck)
	}
	return d
}

func (d *demoMail) address(person string) string { return person + "@" + demoDomain }

// write makes the trees of .eml files.
func (d *demoMail) write() error {
	for i := range demoMessages {
		from := d.people[i%len(d.people)]
		body := d.text(40 + d.random.IntN(200))
		if i == 100 {
			body += " The code word is " + demoWord + "."
		}
		subject := d.subject()
		for _, to := range d.people {
			if i == 100 && to != "ann" {
				continue
			}
			if err := d.message(to, from, subject, body, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// message writes a message into a mailbox: everybody's copy is the same but for the last hop it came over.
func (d *demoMail) message(to, from, subject, body string, n int) error {
	folder := []string{"Inbox", "Inbox/Projects", "Sent Items", "Inbox"}[n%4]
	path := filepath.Join(d.dir, to, filepath.FromSlash(folder))
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	d.written++
	return os.WriteFile(filepath.Join(path, fmt.Sprintf("%04d.eml", n)), d.eml(to, from, subject, body, n), 0o600)
}

func (d *demoMail) eml(to, from, subject, body string, n int) []byte {
	when := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * 7 * time.Hour)
	var b strings.Builder
	fmt.Fprintf(&b, "Received: from mx1.%s by mbx-%s.%s; %s\r\n", demoDomain, to, demoDomain, when.Add(2*time.Second).Format(time.RFC1123Z))
	fmt.Fprintf(&b, "From: %s <%s>\r\nTo: team@%s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d.%s@%s>\r\nMIME-Version: 1.0\r\n",
		strings.ToUpper(from[:1])+from[1:], d.address(from), demoDomain, subject, when.Format(time.RFC1123Z), n, from, demoDomain)
	if n%6 != 0 {
		fmt.Fprintf(&b, "Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", body)
		return []byte(b.String())
	}
	deck := d.decks[n/6%len(d.decks)]
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=part\r\n\r\n--part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", body)
	fmt.Fprintf(&b, "--part\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=deck-%d.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n", len(deck)>>10)
	for text := base64.StdEncoding.EncodeToString(deck); text != ""; {
		k := min(76, len(text))
		b.WriteString(text[:k] + "\r\n")
		text = text[k:]
	}
	b.WriteString("--part--\r\n")
	return []byte(b.String())
}

var (
	demoTopics = strings.Fields("budget merger pipeline contract forecast turbine audit payroll schedule warehouse")
	demoWords  = strings.Fields("the a our we they will should review before after please attached numbers quarter plan meeting call agree send " +
		"question answer cost price supplier customer draft final version change approve sign team project delay early late risk benefit option " +
		"office Monday Friday morning thanks regards note figures market region gas power transport capacity storage delivery invoice account")
)

func (d *demoMail) subject() string {
	return demoTopics[d.random.IntN(len(demoTopics))] + " " + demoWords[d.random.IntN(len(demoWords))] + " " + demoTopics[d.random.IntN(len(demoTopics))]
}

func (d *demoMail) text(words int) string {
	var b strings.Builder
	for i := range words {
		if i > 0 && i%14 == 0 {
			b.WriteString(".\r\n")
		}
		b.WriteString(demoWords[d.random.IntN(len(demoWords))] + " ")
	}
	return b.String()
}
