package fasttransfer

import (
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

// value reads a value in its layout.
func (s *Scanner) value(tag mapi.Tag, layout mapi.Layout, width int) error {
	switch layout {
	case mapi.LayoutFixed:
		b, err := s.need(width)
		if err != nil {
			return err
		}
		s.build.add(b)
		return nil
	case mapi.LayoutVariable:
		n, err := s.word()
		if err != nil {
			return err
		}
		return s.bytes(int64(n), kindOf(tag.ID()))
	case mapi.LayoutFixedMV:
		n, err := s.counted()
		if err != nil {
			return err
		}
		return s.bytes(int64(n)*int64(width), Value)
	}
	n, err := s.word()
	if err != nil || n == 0 {
		s.build.u32(n)
		return err
	}
	if tag.Type()&mapi.CodePage != 0 {
		return s.maybeList(tag, n)
	}
	s.build.u32(n)
	return s.members(n)
}

func (s *Scanner) word() (uint32, error) {
	b, err := s.need(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

// counted reads a count that is part of the value.
func (s *Scanner) counted() (uint32, error) {
	n, err := s.word()
	s.build.u32(n)
	return n, err
}

func (s *Scanner) members(count uint32) error {
	for range count {
		n, err := s.counted()
		if err != nil {
			return err
		}
		if err := s.bytes(int64(n), Value); err != nil {
			return err
		}
	}
	return nil
}

// maybeList reads a value of a code-page type with the multi-value bit, of
// which n is the first word: a list by its type, but one string is possible. What
// follows decides: as the length of a member it is even and below 64 KiB, as two
// characters of a text it is not. (A text of one character may be taken for a list.)
//
// todo: [MS-OXCFXICS] 2.2.4.1.1 whether servers send these types at all.
func (s *Scanner) maybeList(tag mapi.Tag, n uint32) error {
	b, err := s.need(2)
	if err != nil {
		return err
	}
	low := binary.LittleEndian.Uint16(b)
	if n == 2 && low == 0 {
		s.build.add(b) // the empty string
		return nil
	}
	if b, err = s.need(2); err != nil {
		return err
	}
	first := uint32(binary.LittleEndian.Uint16(b))<<16 | uint32(low)
	if n >= 4 && (first >= 1<<16 || first%2 != 0 && tag.Type().IsUTF16()) {
		s.build.u32(first)
		return s.bytes(int64(n)-4, kindOf(tag.ID()))
	}
	s.build.u32(n)
	s.build.u32(first)
	if err := s.bytes(int64(first), Value); err != nil {
		return err
	}
	return s.members(n - 1)
}

// bytes reads n bytes of a value; from longValue on they are a stream of their own, but for those of recipients.
func (s *Scanner) bytes(n int64, kind Kind) error {
	to := only(s.small)
	if n >= longValue && s.small == Skeleton {
		to = stream{s.next, kind}
	}
	s.build.expect(n)
	for n > 0 {
		if s.rec.left == 0 {
			if more, err := s.open(); err != nil {
				return err
			} else if !more {
				return s.cut("value", s.element)
			}
		}
		if !s.in.fill(1) {
			return s.cut("value", s.element)
		}
		k := min(n, s.rec.left, int64(s.in.buffered()))
		data := s.in.consume(int(k), to)
		s.build.add(data)
		s.likeness.add(data)
		s.next = max(s.next, to.number+1) // a number is used up by its first byte
		s.rec.left -= k
		n -= k
		if s.build.err != nil {
			return nil
		}
	}
	return nil
}

func kindOf(id uint16) Kind {
	switch id {
	case mapi.PidTagTransportMessageHeaders:
		return Headers
	case mapi.PidTagBody:
		return Body
	case mapi.PidTagHTML:
		return HTML
	case mapi.PidTagRtfCompressed:
		return RTF
	case mapi.PidTagAttachData:
		return Attachment
	}
	return Value
}
