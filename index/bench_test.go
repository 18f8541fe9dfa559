package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
)

// benchLog makes mails of some 300 words, the words as frequent as words are.
func benchLog(b testing.TB, mails int) *memoryLog {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 4, 50_000)
	words := func(n int) string {
		var s strings.Builder
		for range n {
			fmt.Fprintf(&s, "w%dx ", zipf.Uint64())
		}
		return s.String()
	}
	log := newLog()
	for i := range mails {
		from := r.IntN(300)
		l := &letter{subject: words(6), body: words(200 + r.IntN(200)), from: person(fmt.Sprint("Person ", from), fmt.Sprintf("p%d@example.com", from)),
			to: []mapi.Address{person("", fmt.Sprintf("p%d@example.com", r.IntN(300)))}, sent: testClock().Add(-time.Duration(i) * time.Hour)}
		v := log.version(b, fmt.Sprintf("m%d@example.com", i%7), 0, 0, "Inbox", 1000, l)
		v.ID = archive.ID{byte(i), byte(i >> 8), byte(i >> 16)}
		log.add(uint64(1+i/200), v)
	}
	return log
}

func BenchmarkFollow(b *testing.B) {
	const mails = 2000
	log := benchLog(b, mails)
	b.ReportAllocs()
	for b.Loop() {
		x := openTest(b, folder(b), Options{})
		follow(b, x, log)
		_ = x.Close()
	}
	b.ReportMetric(float64(mails*b.N)/b.Elapsed().Seconds(), "docs/s")
}

func BenchmarkQuery(b *testing.B) {
	x := openTest(b, folder(b), Options{})
	follow(b, x, benchLog(b, 5000))
	for _, q := range []struct{ name, text string }{
		{"rare term", "w400x"}, {"frequent term", "w3x"}, {"and", "w10x w20x w30x"}, {"or", "w10x OR w20x OR w30x"}, {"not", "w20x NOT w10x"},
		{"phrase", `"w5x w6x"`}, {"frequent phrase", `"w0x w1x"`}, {"prefix", "w12*"}, {"from", "from:p12@example.com"},
		{"dates", "sent:2021-01-01..2021-03-31"}, {"size", "size>100"}, {"term and size", "w40x size>100"},
	} {
		b.Run(q.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				var err error
				if n, err = x.Count(context.Background(), Query{Text: q.text, AllVersions: true}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "hits")
		})
	}
}
