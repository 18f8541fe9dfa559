package fasttransfer_test

import (
	"bytes"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestSimilar(t *testing.T) {
	t.Parallel()
	utf16 := func(s string) string { return strings.TrimRight(string(mapi.NewText(0, s).Data), "\x00") }
	id, key := mapi.NewText(mapi.PidTagInternetMessageID, "<1@x>"), mapi.NewBinary(mapi.PidTagSearchKey, []byte("search key"))
	topic, subject := mapi.NewText(mapi.PidTagConversationTopic, "topic"), mapi.NewText(mapi.PidTagNormalizedSubject, "subject")
	none := mapi.NewText(mapi.PidTagInternetMessageID, "")
	long := mapi.NewBinary(mapi.PidTagSearchKey, noise(70_000))
	inside := mapi.Attachment{Embedded: &mapi.Message{Properties: mapi.Bag{id, key}}}
	for _, c := range []struct {
		name string
		m    mapi.Message
		want string
	}{
		{"nothing", mapi.Message{}, ""},
		{"message id", mapi.Message{Properties: mapi.Bag{topic, id, key, subject}}, "\x01" + utf16("<1@x>")},
		{"empty message id", mapi.Message{Properties: mapi.Bag{topic, none, key}}, "\x02search key"},
		{"search key", mapi.Message{Properties: mapi.Bag{key, topic}}, "\x02search key"},
		{"topic", mapi.Message{Properties: mapi.Bag{subject, topic}}, "\x03" + utf16("topic")},
		{"subject", mapi.Message{Properties: mapi.Bag{subject}}, "\x04" + utf16("subject")},
		{"of others", mapi.Message{Recipients: []mapi.Bag{{key}}, Attachments: []mapi.Attachment{inside, {Properties: mapi.Bag{key}}}}, ""},
		{"long", mapi.Message{Properties: mapi.Bag{long}}, "\x02" + string(long.Data[:1024])},
		{"a number", mapi.Message{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagSearchKey, 7)}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := scan(t, encode(t, &c.m), fasttransfer.Visitor{})
			if string(r.Similar) != c.want {
				t.Errorf("%q, want %q", r.Similar, c.want)
			}
		})
	}
}

// TestRecipientsAreOneStream: messages that differ in all but their recipients have them in equal streams.
func TestRecipientsAreOneStream(t *testing.T) {
	t.Parallel()
	m, other := item(100, 0), item(9000, 40_000)
	m.Recipients[3] = append(m.Recipients[3], mapi.NewBinary(0x6801, noise(5000)))
	other.Recipients = m.Recipients
	other.Attachments = append(other.Attachments, mapi.Attachment{Embedded: item(2000, 0)})
	kinds := map[fasttransfer.Kind]int64{}
	var streams [2][]byte
	for i, m := range []*mapi.Message{m, other} {
		_, err := fasttransfer.Scan(bytes.NewReader(encode(t, m)), fasttransfer.Visitor{Segment: func(s fasttransfer.Segment) error {
			kinds[s.Kind] += int64(len(s.Data))
			if s.Kind == fasttransfer.Recipients {
				streams[i] = append(streams[i], s.Data...)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(streams[0], streams[1]) {
		t.Error("equal recipients are other streams")
	}
	if n := bytes.Count(streams[0], []byte(endRecip)); n != 8 || bytes.Contains(streams[0], []byte(startRecip)) || len(streams[0]) < 5000 {
		t.Errorf("%d recipients in %d bytes", n, len(streams[0]))
	}
	if kinds[fasttransfer.Value] != 0 {
		t.Errorf("%d bytes of values", kinds[fasttransfer.Value])
	}
}
