package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// keepValue is the longest value that is kept in memory for the summary. Small: an item may have thousands of attachments.
const keepValue = 8 << 10

// messageRoom is how much memory is taken for what a summary is made of. More than ten thousand recipients fit.
const messageRoom = 16 << 20

// readAhead is how much of a blob is read at once.
const readAhead = 128 << 10

// reader is the memory in which one item after another is read.
type reader struct {
	scanner fasttransfer.Scanner
	summary []byte
}

func newReader() any { return &reader{scanner: fasttransfer.Scanner{ReadAhead: readAhead}} }

// incoming is an item that was read to its end and not put yet.
type incoming struct {
	item    archive.Item
	content *archive.Content
}

// ref names the item as it came.
func (in *incoming) ref() Ref {
	return Ref{ItemID: in.item.ItemID, ChangeKey: in.item.ChangeKey, Size: in.content.Size(), Associated: in.item.Associated}
}

// read takes an item's blob off the source into the archive's chunks. Nothing names them before put.
// Of the reader's memory nothing is in what it gives.
func (r *run) read(ctx context.Context, ref Ref, blob io.Reader, in *reader) (*incoming, error) {
	content := r.sink.NewContent(ctx)
	msg := &mapi.Message{}
	report, err := in.scanner.Scan(blob, fasttransfer.Visitor{
		Message: msg,
		Keep:    keepValue,
		Room:    messageRoom,
		Wanted:  mapi.InSummary,
		Segment: func(s fasttransfer.Segment) error {
			return content.Add(archive.Segment{Stream: s.Stream, Kind: kindOf(s.Kind), Data: s.Data})
		},
	})
	if err == nil && report.State == fasttransfer.Truncated {
		err = fmt.Errorf("%w: %s", ErrAgain, report.Reason)
	}
	if err == nil {
		err = content.End(report.Similar)
	}
	if err != nil {
		return nil, err
	}
	in.summary = mapi.AppendSummary(in.summary[:0], msg, content.Size())
	came := &incoming{content: content, item: archive.Item{ItemID: ref.ItemID, ChangeKey: ref.ChangeKey,
		Associated: ref.Associated, Summary: bytes.Clone(in.summary)}}
	if report.State == fasttransfer.Unparsed {
		came.item.Unparsed = report.Reason
	}
	return came, nil
}

// kindOf says in the store's words what the codec calls the parts of a stream.
func kindOf(k fasttransfer.Kind) archive.Kind {
	switch k {
	case fasttransfer.Framing:
		return archive.Framing
	case fasttransfer.Skeleton, fasttransfer.Recipients, fasttransfer.Headers:
		return archive.Small
	case fasttransfer.Body, fasttransfer.HTML:
		return archive.Text
	}
	return archive.Bulk
}

// setRead changes the read flag in a summary.
func setRead(read bool) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		s, err := mapi.DecodeSummary(b)
		if err != nil {
			return nil, err
		}
		s.Read = read
		return s.Encode(), nil
	}
}
