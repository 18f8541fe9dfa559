package fasttransfer_test

import (
	"bytes"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// FuzzScan: any bytes come out as segments, and what is complete can be written
// and read again as the same message.
func FuzzScan(f *testing.F) {
	f.Add([]byte(preamble))
	f.Add(framed(tag(0x001A, 0x84B0)+u32(4)+"I\x00\x00\x00"+startRecip+endRecip+newAttach+startEmbed+endEmbed+endAttach, 31680))
	f.Add(framed(tag(0x8001, 0x101F)+"0123456789abcdef\x01n\x00\x00\x00"+u32(1)+u32(2)+"\x00\x00"+tag(0x6821, 0x94B0)+u32(2)+u32(2)+"aa", 5))
	f.Add(encode(f, item(600, 1500)))
	f.Fuzz(func(t *testing.T, blob []byte) {
		var m mapi.Message
		r, _ := scan(t, blob, fasttransfer.Visitor{Message: &m, Keep: 64 << 10})
		bare, _ := scan(t, blob, fasttransfer.Visitor{})
		if bare.State != r.State || bare.Offset != r.Offset || bare.Properties != r.Properties {
			t.Fatalf("with a message %+v, without %+v", r, bare)
		}
		if narrow, _ := scan(t, blob, fasttransfer.Visitor{Message: &mapi.Message{}, Room: 500}); narrow.State != r.State || narrow.Offset != r.Offset || narrow.Properties != r.Properties {
			t.Fatalf("with little room %+v, with all %+v", narrow, r)
		}
		used := usedScanner(t, blob)
		var after mapi.Message
		if again, err := used.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &after, Keep: 64 << 10}); err != nil || !sameReport(again, r) || !sameMessage(after, m) {
			t.Fatalf("in used memory %+v %+v, %v; in memory of its own %+v %+v", again, after, err, r, m)
		}
		if r.State != fasttransfer.Complete {
			return
		}
		var out bytes.Buffer
		if err := fasttransfer.Encode(&out, &m, fasttransfer.EncodeOptions{}); err != nil {
			return // too long for Keep, or a name no writer would choose
		}
		var again mapi.Message
		if r, _ := scan(t, out.Bytes(), fasttransfer.Visitor{Message: &again}); r.State != fasttransfer.Complete {
			t.Fatalf("written again it is %v because %q", r.State, r.Reason)
		}
		var twice bytes.Buffer
		if err := fasttransfer.Encode(&twice, &again, fasttransfer.EncodeOptions{}); err != nil || !bytes.Equal(out.Bytes(), twice.Bytes()) {
			t.Fatalf("not stable: %v", err)
		}
	})
}
