package ews

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestEnvelopes: documents come apart wherever the stream is cut, of any prefix, with and without a declaration.
func TestEnvelopes(t *testing.T) {
	t.Parallel()
	docs := []string{
		`<Envelope xmlns="x"><a>1</a></Envelope>`,
		`<s:Envelope xmlns:s="x"><s:EnvelopeX></s:EnvelopeX><b attr="&lt;/Envelope>"/></s:Envelope >`,
		`<?xml version="1.0"?><soap11:Envelope></soap11:Envelope>`,
	}
	for name, cut := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "with the end": iotest.DataErrReader} {
		e := &envelopes{r: cut(strings.NewReader(strings.Join(docs, "\r\n \n") + "\n"))}
		for i, want := range docs {
			got, err := io.ReadAll(e)
			if err != nil || string(got) != want {
				t.Errorf("%s: document %d: %q, %v", name, i, got, err)
			}
			if err := e.next(); errors.Is(err, io.EOF) != (i == len(docs)-1) {
				t.Errorf("%s: after document %d: %v", name, i, err)
			}
		}
	}
}

// TestEnvelopesCut: the end of the stream within a document is for who reads it.
func TestEnvelopesCut(t *testing.T) {
	t.Parallel()
	e := &envelopes{r: strings.NewReader(`<Envelope><a>`)}
	if got, err := io.ReadAll(e); err != nil || string(got) != `<Envelope><a>` || e.ended {
		t.Errorf("%q, %v, ended %v", got, err, e.ended)
	}
}

func FuzzEnvelopes(f *testing.F) {
	f.Add([]byte("<Envelope></Envelope><s:Envelope></s:Envelope>"), 3)
	f.Add([]byte("</:></Envelope\n>"), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		e := &envelopes{r: strings.NewReader(string(data))}
		p := make([]byte, max(1, size&0xFF))
		var total int
		for docs := 0; docs <= len(data); docs++ {
			for {
				n, err := e.Read(p)
				if total += n; err != nil {
					break
				}
			}
			if e.next() != nil {
				break
			}
		}
		if total > len(data) {
			t.Errorf("%d bytes of %d", total, len(data))
		}
	})
}

func TestGroupsOf(t *testing.T) {
	t.Parallel()
	var list []Watched
	for i := range 450 {
		list = append(list, Watched{Name: fmt.Sprintf("m%03d@x.example", i), Group: fmt.Sprint(i % 2)})
	}
	var sizes []int
	for _, g := range groupsOf(list) {
		sizes = append(sizes, len(g))
		for _, m := range g {
			if m.Group != g[0].Group {
				t.Error("groups are mixed")
			}
		}
	}
	if fmt.Sprint(sizes) != "[200 25 200 25]" {
		t.Errorf("groups of %v", sizes)
	}
}
