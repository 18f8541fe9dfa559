package mapi

import (
	"fmt"
	"testing"
)

// manyRecipients is a message to n people.
func manyRecipients(n int) *Message {
	m := &Message{Properties: Bag{NewText(PidTagMessageClass, "IPM.Note"), NewText(PidTagSubject, "The minutes of the meeting of last Thursday")}}
	for i := range n {
		m.Recipients = append(m.Recipients, Bag{NewText(PidTagDisplayName, fmt.Sprintf("Recipient Number %d", i)), NewText(PidTagAddressType, "SMTP"),
			NewText(PidTagEmailAddress, fmt.Sprintf("recipient.%d@contoso.example", i)), NewText(PidTagSMTPAddress, fmt.Sprintf("recipient.%d@contoso.example", i))})
	}
	return m
}

// BenchmarkSummary writes what lists show of a message to thirty people, as a backup does.
func BenchmarkSummary(b *testing.B) {
	m := manyRecipients(30)
	room := make([]byte, 0, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		if room = AppendSummary(room[:0], m, 1); len(room) < 1000 {
			b.Fatal(len(room))
		}
	}
}

// BenchmarkDecodeSummary reads it again.
func BenchmarkDecodeSummary(b *testing.B) {
	encoded := AppendSummary(nil, manyRecipients(30), 1)
	b.ReportAllocs()
	for b.Loop() {
		if s, err := DecodeSummary(encoded); err != nil || len(s.To) != 30 {
			b.Fatal(s, err)
		}
	}
}
