package restore

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// crowd is a message to n people.
func crowd(n int) *mapi.Message {
	m := sample()
	m.Recipients = slices.Repeat([]mapi.Bag{{mapi.NewInt32(mapi.PidTagRecipientType, 1)}}, n)
	return m
}

// TestCrowdedSight: what has too many parts to be taken apart is compared as a whole, and not taken for the same where parts differ.
func TestCrowdedSight(t *testing.T) {
	t.Parallel()
	v := newViewer()
	look := func(blob []byte) *sight {
		s, err := v.look(bytes.NewReader(blob))
		if err != nil || s.state != fasttransfer.Complete {
			t.Fatal(s, err)
		}
		return s
	}
	few, many := crowd(10_000), crowd(200_000)
	if s := look(encoded(t, few)); s.crowded || len(s.values) < 10_000 {
		t.Errorf("ten thousand recipients: crowded %v, %d values", s.crowded, len(s.values))
	}
	sent, plain := look(encoded(t, many)), look(encoded(t, sample()))
	if !sent.crowded || sent.values != nil || sent.class != "IPM.Note" || string(sent.searchKey) != "key" {
		t.Errorf("crowded %v, %d values, class %q, key %q", sent.crowded, len(sent.values), sent.class, sent.searchKey)
	}
	same := look(encoded(t, many))
	many.Recipients[199_999] = mapi.Bag{mapi.NewInt32(mapi.PidTagRecipientType, 2)}
	for _, row := range []struct {
		held *sight
		want []string
	}{{same, nil}, {look(encoded(t, many)), []string{"content"}}, {plain, []string{"content"}}} {
		if got := differences(sent, row.held, true); !slices.Equal(got, row.want) {
			t.Errorf("differences %q, want %q", got, row.want)
		}
	}
}

// TestDigestsOfManyRecords: the ends of writes are remembered up to a number.
func TestDigestsOfManyRecords(t *testing.T) {
	t.Parallel()
	s := newDigestSpool(newDigester())
	for range mostWrites + 10 {
		if _, err := s.WriteAt([]byte{1}, s.end); err != nil {
			t.Fatal(err)
		}
	}
	if !s.crowded || len(s.at) > mostWrites {
		t.Errorf("%d writes remembered", len(s.at))
	}
	v := newViewer()
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagHTML, make([]byte, mostWrites+10))}}
	if seen, err := v.look(bytes.NewReader(reframed(encoded(t, m), 1))); err != nil || !seen.crowded || seen.values != nil {
		t.Errorf("%+v, %v", seen, err)
	}
}

// TestCrowdedMessage: a message of which a part would be missing is not written.
func TestCrowdedMessage(t *testing.T) {
	t.Parallel()
	f := &Files{format: EML, spool: &spool{}}
	written := 0
	encode := func(_ io.Writer, m *mapi.Message) error {
		written = len(m.Recipients)
		return nil
	}
	for n, want := range map[int]bool{50_000: true, 500_000: false} {
		m := crowd(n)
		m.Properties, m.Attachments = m.Properties[:3], nil
		written = 0
		err := f.writeMessage(io.Discard, bytes.NewReader(encoded(t, m)), encode)
		if (err == nil) != want || want != (written == n) || err != nil && !strings.Contains(err.Error(), "the format blob") {
			t.Errorf("%d recipients: %v, %d written", n, err, written)
		}
	}
}
