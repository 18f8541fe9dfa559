package exchangetest

import (
	"encoding/base64"
	"testing"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	mailbox := guidOf("mailbox", "a@b")
	for _, id := range []objectID{{mailbox, 1, 0}, {mailbox, 7, 9}, {mailbox, 1<<48 - 1, 1<<48 - 1}} {
		got, f := parseID(id.String())
		if f != nil || got != id {
			t.Errorf("%v: %v, %v", id, got, f)
		}
		raw, _ := base64.StdEncoding.DecodeString(id.String())
		for i := range raw {
			changed := append([]byte(nil), raw...)
			changed[i] ^= 0x20
			if got, f := parseID(base64.StdEncoding.EncodeToString(changed)); f == nil && got == id {
				t.Errorf("byte %d does not count", i)
			}
			if _, f := parseID(base64.StdEncoding.EncodeToString(raw[:i])); f == nil {
				t.Errorf("%d bytes pass for an id", i)
			}
		}
	}
}

func TestKeyNumber(t *testing.T) {
	t.Parallel()
	mailbox := guidOf("mailbox", "a@b")
	for _, test := range []struct {
		name, key string
		folder    bool
		number    uint64
		code      string
	}{
		{"item", changeKey(kindMessage, mailbox, 77), false, 77, ""},
		{"task", changeKey(kindTask, mailbox, 78), false, 78, ""},
		{"folder", changeKey(kindFolder, mailbox, 79), true, 79, ""},
		{"none", "", false, 0, ""},
		{"short", "CQAAAA==", false, 0, ""},
		{"short of a folder", "AQAAAA==", true, 0, ""},
		{"of a folder", "AQAAAA==", false, 0, "ErrorInvalidChangeKey"},
		{"of an item", "CQAAAA==", true, 0, "ErrorInvalidChangeKey"},
		{"cut", "CQAAABY=", false, 0, "ErrorInvalidChangeKey"},
		{"no base64", "CQ*", false, 0, "ErrorInvalidChangeKey"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, f := keyNumber(test.key, test.folder)
			code := ""
			if f != nil {
				code = f.code
			}
			if n != test.number || code != test.code {
				t.Errorf("%d, %s", n, code)
			}
		})
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(objectID{guidOf("mailbox", "a@b"), 7, 9}.String())
	f.Add("AAMkADhhOGU0MGM7AAA=")
	f.Fuzz(func(t *testing.T, s string) {
		if id, f := parseID(s); f == nil && id.String() != s {
			t.Error("two spellings of one id")
		}
		keyNumber(s, true)
	})
}
