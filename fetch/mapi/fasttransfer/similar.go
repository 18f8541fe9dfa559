package fasttransfer

import (
	"bytes"

	"mailbrick/fetch/mapi"
)

// likeness finds Report.Similar while the root's properties go by.
type likeness struct {
	key   []byte
	which byte // what the present value would be in a key, 0 for none
	value []byte
}

const maxLikeness = 1 << 10

func (l *likeness) reset() { *l = likeness{key: l.key[:0], value: l.value[:0]} }

func (l *likeness) begin(candidate bool, id uint16) {
	l.which = 0
	if !candidate {
		return
	}
	switch id {
	case mapi.PidTagInternetMessageID:
		l.which = 1
	case mapi.PidTagSearchKey:
		l.which = 2
	case mapi.PidTagConversationTopic:
		l.which = 3
	case mapi.PidTagNormalizedSubject:
		l.which = 4
	}
	if len(l.key) > 0 && l.key[0] <= l.which {
		l.which = 0
	}
	l.value = l.value[:0]
}

func (l *likeness) add(data []byte) {
	if l.which != 0 {
		l.value = append(l.value, data[:min(len(data), maxLikeness-len(l.value))]...)
	}
}

func (l *likeness) end() {
	if l.which == 0 {
		return
	}
	if value := bytes.TrimRight(l.value, "\x00"); len(value) > 0 {
		l.key = append(append(l.key[:0], l.which), value...)
	}
}
