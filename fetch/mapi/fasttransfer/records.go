package fasttransfer

import (
	"encoding/binary"
	"fmt"
)

// stream is the number of a stream and what it holds.
type stream struct {
	number int
	kind   Kind
}

// only is the stream of Framing, Skeleton or Recipients: these kinds have one each.
func only(k Kind) stream { return stream{int(k), k} }

// firstLong is the first stream number of long values.
const firstLong = int(Recipients) + 1

// records finds the slices of the FastTransfer stream in the framing.
type records struct {
	left     int64 // bytes of the present transfer buffer not consumed
	seen     int
	buffers  int
	accepted bool // IsInterfaceOk named IID_IMessage
}

// open goes on to the next transfer buffer that has bytes; false at the end of the blob.
func (s *Scanner) open() (bool, error) {
	for s.rec.left == 0 {
		at := s.in.offset()
		if !s.in.fill(1) {
			return false, nil
		}
		if !s.in.fill(recordHeader) {
			return false, s.cut("record header", at)
		}
		h := s.in.consume(recordHeader, only(Framing))
		op, n := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		s.rec.seen++
		if s.rec.seen == 1 && op != opConfig {
			return false, s.bad("not an export: the first record is not Config", at)
		}
		if op == opTransferBuffer {
			s.rec.left = int64(n)
			s.rec.buffers++
			continue
		}
		if err := s.control(op, n, at); err != nil {
			return false, err
		}
	}
	return true, nil
}

// control reads a record other than a transfer buffer.
func (s *Scanner) control(op, n uint32, at int64) error {
	const known = 24 // the longest of them
	head := min(int(n), known)
	if !s.in.fill(head) {
		return s.cutRecord(op, at)
	}
	if err := s.checkControl(op, s.in.buf[s.in.pos:s.in.pos+head], at); err != nil {
		return err
	}
	for left := int64(n); left > 0; {
		if !s.in.fill(1) {
			return s.cutRecord(op, at)
		}
		take := min(left, int64(s.in.buffered()))
		s.in.consume(int(take), only(Framing))
		left -= take
	}
	return nil
}

func (s *Scanner) cutRecord(op uint32, at int64) error {
	if op > opTellPartnerVersion {
		// Garbage looks like this more often than a record that came too late to be known.
		return s.bad(fmt.Sprintf("unknown record %#x runs past the end", op), at)
	}
	return s.cut("record", at)
}

func (s *Scanner) checkControl(op uint32, data []byte, at int64) error {
	le := binary.LittleEndian
	switch op {
	case opConfig:
		if len(data) < 8 || le.Uint32(data[4:]) != methodCopyTo {
			return s.bad("not an item: Config asks for another transfer than CopyTo", at)
		}
	case opIsInterfaceOk:
		if len(data) < 20 || string(data[4:20]) != iidMessage {
			return s.bad("not an item: the interface is not IMessage", at)
		}
		s.rec.accepted = true
	case opTellPartnerVersion:
	default:
		s.report.warn(fmt.Sprintf("unknown record %#x skipped", op))
	}
	return nil
}

// take consumes n bytes of the present small stream (n is small) and gives them,
// valid until the next call. nil at the end of the stream; fewer than n bytes
// make an error.
func (s *Scanner) take(n int) ([]byte, error) {
	if s.rec.left >= int64(n) && (s.in.buffered() >= n || s.in.fill(n)) {
		s.rec.left -= int64(n)
		return s.in.consume(n, only(s.small)), nil
	}
	return s.takeAcross(n)
}

// takeAcross is take where records cut an atom, or the blob ends.
func (s *Scanner) takeAcross(n int) ([]byte, error) {
	s.atom = s.atom[:0]
	for len(s.atom) < n {
		more, err := s.open()
		if err != nil {
			return nil, err
		}
		if !more && len(s.atom) == 0 {
			return nil, nil
		}
		if !more || !s.in.fill(1) {
			return nil, s.cut("element", s.element)
		}
		k := min(n-len(s.atom), int(min(s.rec.left, int64(s.in.buffered()))))
		s.atom = append(s.atom, s.in.consume(k, only(s.small))...)
		s.rec.left -= int64(k)
	}
	return s.atom, nil
}

// need is take inside an element: the end of the stream is an error too.
func (s *Scanner) need(n int) ([]byte, error) {
	b, err := s.take(n)
	if err == nil && b == nil && n > 0 {
		err = s.cut("element", s.element)
	}
	return b, err
}

func (s *Scanner) bad(reason string, at int64) error {
	return &verdict{Unparsed, reason, at}
}

func (s *Scanner) cut(what string, at int64) error {
	return &verdict{Truncated, what + " runs past the end", at}
}
