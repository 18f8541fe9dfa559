package mapi

import (
	"fmt"
	"testing"
)

// BenchmarkSummarize reads what lists show of a message to thirty people.
func BenchmarkSummarize(b *testing.B) {
	text := func(id uint16, s string) Property {
		return Property{Tag: MakeTag(id, TypeUnicode), Data: encodeUTF16(s, true)}
	}
	m := &Message{Properties: Bag{text(PidTagMessageClass, "IPM.Note"), text(PidTagSubject, "The minutes of the meeting of last Thursday")}}
	for i := range 30 {
		m.Recipients = append(m.Recipients, Bag{text(PidTagDisplayName, fmt.Sprintf("Recipient Number %d", i)), text(PidTagAddressType, "SMTP"),
			text(PidTagEmailAddress, fmt.Sprintf("recipient.%d@contoso.example", i)), text(PidTagSMTPAddress, fmt.Sprintf("recipient.%d@contoso.example", i))})
	}
	b.ReportAllocs()
	for b.Loop() {
		if s := Summarize(m); len(s.To) != 30 {
			b.Fatal(len(s.To))
		}
	}
}
