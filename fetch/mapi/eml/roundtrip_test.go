package eml_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
)

// facts are what must survive any way through the encodings.
func facts(m *mapi.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "class %s\n", m.Class())
	fmt.Fprintf(&b, "subject %q\nfrom %v\nto %v\ncc %v\nbcc %v\nid %q\nsent %v\nreceived %v\n", m.Subject(), m.From(),
		m.To(), m.Cc(), m.Bcc(), m.MessageID(), m.Sent(), m.Received())
	fmt.Fprintf(&b, "body %q\nhtml %q\ncategories %q\n", m.BodyText(), m.HTML(), m.Categories())
	var attachments []string
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if a.Embedded != nil {
			attachments = append(attachments, fmt.Sprintf("embedded %q {\n%s}\n", a.Name(), facts(a.Embedded)))
			continue
		}
		h := sha256.New()
		if p := a.Data(); p != nil {
			io.Copy(h, p.Open())
		}
		attachments = append(attachments, fmt.Sprintf("attachment %q %s hidden %v %x\n", a.Name(),
			cmp.Or(a.Properties.Text(mapi.PidTagAttachMimeTag), "application/octet-stream"), a.Hidden(), h.Sum(nil)))
	}
	sort.Strings(attachments) // the parts of the HTML come first when written
	return b.String() + strings.Join(attachments, "")
}

func read(t testing.TB, raw []byte) *mapi.Message {
	t.Helper()
	m, err := eml.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := eml.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func throughBlob(t testing.TB, m *mapi.Message) *mapi.Message {
	t.Helper()
	back, err := blob(m)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// blob encodes m and reads it back; every segment's bytes must add up to the blob.
func blob(m *mapi.Message) (*mapi.Message, error) {
	var blob, sum bytes.Buffer
	if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
		return nil, err
	}
	var back mapi.Message
	r, err := fasttransfer.Scan(bytes.NewReader(blob.Bytes()), fasttransfer.Visitor{Message: &back, Keep: 1 << 30,
		Segment: func(s fasttransfer.Segment) error { sum.Write(s.Data); return nil }})
	if err != nil || r.State != fasttransfer.Complete {
		return nil, fmt.Errorf("the blob is %v at %d: %s %w", r.State, r.Offset, r.Reason, err)
	}
	if !bytes.Equal(sum.Bytes(), blob.Bytes()) {
		return nil, errors.New("segments do not add up to the blob")
	}
	return &back, nil
}

// roundTrip is eml -> Encode -> Scan -> Write -> Read, with the skeleton and without;
// nothing that matters may change.
func roundTrip(t testing.TB, raw []byte) {
	t.Helper()
	if _, _, err := both(raw); err != nil {
		t.Error(err)
	}
}

// survive gives the file that comes back.
func survive(raw []byte) ([]byte, error) {
	laid, _, err := both(raw)
	return laid, err
}

// both gives the file that comes back as it lay, and laid out anew.
func both(raw []byte) (laid, anew []byte, err error) {
	m, err := eml.Read(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, err
	}
	want := facts(m)
	back, err := blob(m)
	if err != nil {
		return nil, nil, err
	}
	if got := facts(back); got != want {
		return nil, nil, fmt.Errorf("changed in the blob:\n%s", diff(want, got))
	}
	var before, out, bare bytes.Buffer
	if err := errors.Join(eml.Write(&before, m), eml.Write(&out, back)); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(out.Bytes(), before.Bytes()) {
		return nil, nil, errors.New("written differently before and after the blob")
	}
	if err := rereads(out.Bytes(), want); err != nil {
		return nil, nil, fmt.Errorf("as it lay: %w", err)
	}
	if err := eml.Write(&bare, strip(back)); err != nil {
		return nil, nil, err
	}
	if err := rereads(bare.Bytes(), want); err != nil {
		return nil, nil, fmt.Errorf("laid out anew: %w", err)
	}
	return out.Bytes(), bare.Bytes(), nil
}

func rereads(file []byte, want string) error {
	m, err := eml.Read(bytes.NewReader(file))
	if err != nil {
		return err
	}
	if got := facts(m); got != want {
		return fmt.Errorf("changed in the file:\n%s", diff(want, got))
	}
	return nil
}

// skeleton is the named property that says how a message lay.
func skeleton(m *mapi.Message) *mapi.Property {
	for i := range m.Properties {
		if p := &m.Properties[i]; p.Name != nil && p.Name.Text == "MimeSkeleton" {
			return p
		}
	}
	return nil
}

// strip takes away what says how m lay, as if it came from elsewhere. m is not of use any more.
func strip(m *mapi.Message) *mapi.Message {
	if p := skeleton(m); p != nil {
		*p = mapi.NewInt32(mapi.PidTagIconIndex, 0)
	}
	for i := range m.Attachments {
		if in := m.Attachments[i].Embedded; in != nil {
			strip(in)
		}
	}
	return m
}

func diff(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range la {
		if i >= len(lb) || la[i] != lb[i] {
			other := ""
			if i < len(lb) {
				other = lb[i]
			}
			return fmt.Sprintf("- %.600s\n+ %.600s", la[i], other)
		}
	}
	return "more lines"
}
