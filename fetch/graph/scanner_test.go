package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// walk makes of a document what encoding/json does, with numbers as text.
func (s *scanner) walk() (any, error) {
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	switch c {
	case '{':
		m := map[string]any{}
		return m, s.object(func(name string) (err error) { m[name], err = s.walk(); return err })
	case '[':
		list := []any{}
		err := s.array(func() error { v, err := s.walk(); list = append(list, v); return err })
		return list, err
	case '"':
		return s.held(1 << 20)
	case 't':
		return true, s.literal("true")
	case 'f':
		return false, s.literal("false")
	case 'n':
		return nil, s.literal("null")
	}
	n, err := s.numeral()
	return json.Number(n), err
}

func parse(r io.Reader) (any, error) {
	s := newScanner(r)
	v, err := s.walk()
	if err != nil {
		return nil, err
	}
	rest, err := s.epilog(1)
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows")
	}
	return v, err
}

func parseStd(doc []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows")
	}
	return v, nil
}

func documents() []string {
	return []string{
		`{}`, `[]`, ` [ ] `, `{"a":1}`, `[1,-2,3.5e+7,0,0.1,-0]`, `"text"`, `null`, `true`, `false`, `12`, `{"a":{"b":[{},[],null]}}`,
		`"\" \\ \/ \b \f \n \r \t \u0041 \u00e9 \ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"é😀"`, "\"a\nb\"", `"\x"`, `"\u12"`, `"\u12G4"`,
		`[1,]`, `[,1]`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{1:2}`, `[1 2]`, `01`, `1.`, `.5`, `-`, `1e`, `+1`, `nul`, `truex`, `[`, `{`, `"`, ``, `{} {}`, `[1}`,
		"\"\xff\"", `{"a":1,"a":2}`, strings.Repeat("[", 20) + strings.Repeat("]", 20), "\ufeff{}", `[1,2,3`, `{"value":[{"data":"AAAA"}]}`,
	}
}

func TestScannerAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, doc := range documents() {
		want, wantErr := parseStd([]byte(doc))
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(doc), "bytes": iotest.OneByteReader(strings.NewReader(doc)), "end": iotest.DataErrReader(strings.NewReader(doc))} {
			got, err := parse(r)
			if strings.Contains(doc, "\xff") {
				wantErr = errors.New("encoding/json mends it")
			}
			if (err == nil) != (wantErr == nil) || err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s %.60q: %v, %v; want %v, %v", name, doc, got, err, want, wantErr)
			}
		}
	}
}

func TestScannerLimits(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"depth":  strings.Repeat("[", maxDepth+1),
		"name":   `{"` + strings.Repeat("n", maxName+1) + `":1}`,
		"number": strings.Repeat("1", maxNumber+1),
	} {
		if _, err := parse(strings.NewReader(doc)); err == nil {
			t.Errorf("%s is not bounded", name)
		}
	}
	s := newScanner(strings.NewReader(`"` + strings.Repeat("t", maxText+1) + `"`))
	if _, err := s.text(); err == nil {
		t.Error("a text that is held is not bounded")
	}
	s = newScanner(strings.NewReader(strings.Repeat("[", 1<<20)))
	if err := s.skip(); err == nil {
		t.Error("what is skipped is not bounded in depth")
	}
}

func TestScannerSaysThatADocumentIsCut(t *testing.T) {
	t.Parallel()
	const doc = `{"value":[{"itemId":"a","n":12,"data":"AA\u0041A"},null,true]}`
	for n := range len(doc) {
		s := newScanner(strings.NewReader(doc[:n]))
		err := s.skip()
		var e *syntaxError
		if !errors.As(err, &e) || !e.Cut {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, doc := range documents() {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		want, wantErr := parseStd(doc)
		got, err := parse(bytes.NewReader(doc))
		if err == nil && (wantErr != nil || fmt.Sprint(got) != fmt.Sprint(want)) {
			t.Errorf("%q: taken as %v; want %v, %v", doc, got, want, wantErr)
		}
		if again, againErr := parse(iotest.OneByteReader(bytes.NewReader(doc))); (againErr == nil) != (err == nil) || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("%q: byte by byte %v, %v; else %v, %v", doc, again, againErr, got, err)
		}
		s := newScanner(bytes.NewReader(doc))
		if skipErr := s.skip(); err == nil && skipErr != nil {
			t.Errorf("%q: not skipped: %v", doc, skipErr)
		}
	})
}

// BenchmarkChunks reads one long string.
func BenchmarkChunks(b *testing.B) {
	doc := []byte(`"` + strings.Repeat("ABCDabcd0123+/xy", 1<<16) + `"`)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		s := newScanner(bytes.NewReader(doc))
		if err := s.skip(); err != nil {
			b.Fatal(err)
		}
	}
}
