package tnef_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// throughBlob writes m as a blob and reads that.
func throughBlob(t testing.TB, m *mapi.Message) *mapi.Message {
	t.Helper()
	var blob bytes.Buffer
	if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	var got mapi.Message
	r, err := fasttransfer.Scan(&blob, fasttransfer.Visitor{Message: &got, Keep: 1 << 30})
	if err != nil || r.State != fasttransfer.Complete {
		t.Fatalf("the blob is %v at %d: %s %v", r.State, r.Offset, r.Reason, err)
	}
	return &got
}

// same compares what was read with what a blob of it has.
func same(t testing.TB, where string, want, got *mapi.Message) {
	t.Helper()
	sameBag(t, where, want.Properties, got.Properties, mapi.PidTagMid)
	if len(want.Recipients) != len(got.Recipients) || len(want.Attachments) != len(got.Attachments) {
		t.Fatalf("%s: %d recipients and %d attachments, want %d and %d", where,
			len(got.Recipients), len(got.Attachments), len(want.Recipients), len(want.Attachments))
	}
	for i := range want.Recipients {
		sameBag(t, fmt.Sprintf("%s: recipient %d", where, i), want.Recipients[i], got.Recipients[i], 0)
	}
	for i := range want.Attachments {
		at := fmt.Sprintf("%s: attachment %d", where, i)
		w, g := &want.Attachments[i], &got.Attachments[i]
		sameBag(t, at, w.Properties, g.Properties, mapi.PidTagAttachNumber)
		if (w.Embedded == nil) != (g.Embedded == nil) {
			t.Fatalf("%s: embedded %v, want %v", at, g.Embedded != nil, w.Embedded != nil)
		}
		if w.Embedded != nil {
			same(t, at, w.Embedded, g.Embedded)
		}
	}
}

// sameBag compares bags; the encoder may have added the property added. A damaged file may have an id twice, of two types.
func sameBag(t testing.TB, where string, want, got mapi.Bag, added uint16) {
	t.Helper()
	find := func(b mapi.Bag, p *mapi.Property) *mapi.Property {
		if p.Name != nil {
			return b.FindNamed(*p.Name)
		}
		if i := slices.IndexFunc(b, func(q mapi.Property) bool { return q.Tag == p.Tag }); i >= 0 {
			return &b[i]
		}
		return nil
	}
	for i := range want {
		w := &want[i]
		g := find(got, w)
		if g == nil || g.Tag.Type() != w.Tag.Type() || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("%s: property %v %v: is not %.60q any more", where, w.Tag, w.Name, w.Data)
		}
	}
	extra := 0
	if want.Find(added) == nil && got.Find(added) != nil {
		extra = 1
	}
	if len(got) != len(want)+extra {
		t.Errorf("%s: %d properties, want %d", where, len(got), len(want)+extra)
	}
}
