package tnef_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/tnef"
)

// The little encoder of the tests: all of it makes strings of bytes.

func u16(v uint16) string { return string(binary.LittleEndian.AppendUint16(nil, v)) }
func u32(v uint32) string { return string(binary.LittleEndian.AppendUint32(nil, v)) }

func pad(s string) string { return s + strings.Repeat("\x00", -len(s)&3) }

func wide(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s + "\x00")) {
		b.WriteString(u16(u))
	}
	return b.String()
}

func stream(attributes ...string) string {
	return u32(0x223E9F78) + u16(1) + strings.Join(attributes, "")
}

func attr(id uint32, data string) string {
	level := "\x01"
	switch id {
	case 0x00069002, 0x00069005, 0x0006800F, 0x00018010, 0x00068011, 0x00069001, 0x00038012, 0x00038013:
		level = "\x02"
	}
	sum := uint16(0)
	for i := range len(data) {
		sum += uint16(data[i])
	}
	return level + u32(id) + u32(uint32(len(data))) + data + u16(sum)
}

func list(properties ...string) string {
	return u32(uint32(len(properties))) + strings.Join(properties, "")
}

func tag(id uint16, t mapi.Type) string { return u16(uint16(t)) + u16(id) }

func lid(set mapi.GUID, n uint32) string { return string(set[:]) + u32(0) + u32(n) }

func named(set mapi.GUID, name string) string {
	return string(set[:]) + u32(1) + u32(uint32(len(wide(name)))) + pad(wide(name))
}

// values are what a variable type has: a count and the members.
func values(members ...string) string {
	s := u32(uint32(len(members)))
	for _, m := range members {
		s += u32(uint32(len(m))) + pad(m)
	}
	return s
}

func codePage(n uint32) string { return attr(0x00069007, u32(n)+u32(0)) }

func date(fields ...uint16) string {
	s := ""
	for _, f := range fields {
		s += u16(f)
	}
	return s
}

func rend(kind uint16) string {
	return attr(0x00069002, u16(kind)+u32(0xFFFFFFFF)+u16(32)+u16(32)+u32(0))
}

func read(t testing.TB, data string) (*mapi.Message, []string) {
	t.Helper()
	m, report, err := tnef.ReadReport(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m, report.Warnings
}

// clean is read of a stream that has nothing odd.
func clean(t testing.TB, data string) *mapi.Message {
	t.Helper()
	m, warnings := read(t, data)
	for _, w := range warnings {
		t.Errorf("warning: %s", w)
	}
	return m
}
