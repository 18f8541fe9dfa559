package ews

import (
	"bytes"
	"io"
	"strings"

	"mailbrick/fetch/wire"
)

// maxText bounds texts that are held: a SyncState grows with its folder, everything else is small.
const maxText = 16 << 20

// child gives the next element within the one that is open, and false at its end. Text between elements has no meaning
// in these answers and is passed over, but for the notice of truncation, which is looked for everywhere.
func (s *scanner) child() (token, bool, error) {
	for {
		t, err := s.next()
		if err != nil {
			return token{}, false, err
		}
		switch t.Kind {
		case startToken:
			return t, true, nil
		case endToken:
			return token{}, false, nil
		case eofToken:
			return token{}, false, s.fail(io.EOF)
		}
		if err := s.strayText(); err != nil {
			return token{}, false, s.fail(err)
		}
	}
}

// strayText passes over a text node where there should be none.
func (s *scanner) strayText() error {
	var window []byte
	r := s.text()
	p := s.stray[:]
	for {
		n, err := r.Read(p)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if b := p[:n]; len(window) > 0 || len(bytes.TrimSpace(b)) > 0 {
			window = append(window, b...)
		}
		if bytes.Contains(window, []byte(wire.Notice)) {
			return wire.ErrNotice
		}
		if over := len(window) - len(wire.Notice); over > 0 {
			window = append(window[:0], window[over:]...)
		}
	}
}

// skip passes over the rest of the element that is open.
func (s *scanner) skip() error {
	for depth := 1; depth > 0; {
		t, err := s.next()
		if err != nil {
			return err
		}
		switch t.Kind {
		case startToken:
			depth++
		case endToken:
			depth--
		}
	}
	return nil
}

// word is content without the white space around it, which servers put around codes.
func (s *scanner) word() (string, error) {
	v, err := s.content()
	return strings.TrimSpace(v), err
}

// content gives the text of the element that is open and passes over its end.
func (s *scanner) content() (string, error) {
	var b strings.Builder
	for {
		t, err := s.next()
		if err != nil {
			return "", err
		}
		switch t.Kind {
		case endToken:
			return b.String(), nil
		case startToken:
			return "", s.fail(s.syntax("an element where there should be text"))
		case textToken:
			if _, err := io.Copy(&b, io.LimitReader(s.text(), int64(maxText+1-b.Len()))); err != nil {
				return "", err
			}
			if b.Len() > maxText {
				return "", s.fail(s.syntax("a text that is too long"))
			}
		}
	}
}

// children calls visit for each child of the element that is open; visit must use the child up, with skip, content,
// word or children.
func (s *scanner) children(visit func(t token) error) error {
	for {
		t, ok, err := s.child()
		if err != nil || !ok {
			return err
		}
		if err := visit(t); err != nil {
			return err
		}
	}
}
