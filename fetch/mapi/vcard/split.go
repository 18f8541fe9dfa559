package vcard

import (
	"bytes"
	"errors"
	"strings"

	"mailbrick/fetch/mapi/codepage"
)

// ErrNotCard is what bytes without a single BEGIN:VCARD are.
var ErrNotCard = errors.New("not a vcard")

// Split cuts a file into its cards, from BEGIN to END or to where the next one
// begins. A card inside another (AGENT of version 2.1) stays with it. Cards of a
// file in UTF-16 come out in UTF-8.
func Split(vcf []byte) ([][]byte, error) {
	var cards [][]byte
	vcf = utf8Text(vcf)
	begin, depth, agent := 0, 0, false
	at := 0
	for physical := range bytes.Lines(vcf) {
		name, value, _ := strings.Cut(strings.ToUpper(string(physical[:min(len(physical), 64)])), ":")
		value = strings.TrimSpace(value)
		switch {
		case name == "BEGIN" && value == "VCARD" && (depth == 0 || !agent):
			if depth > 0 { // the one before has no end
				cards = append(cards, vcf[begin:at])
			}
			begin, depth = at, 1
		case name == "BEGIN" && value == "VCARD":
			depth++
		case name == "END" && value == "VCARD" && depth > 0:
			if depth--; depth == 0 {
				cards = append(cards, vcf[begin:at+len(physical)])
			}
		}
		if value != "" || name != "\r\n" && name != "\n" { // blank lines may stand in between
			agent = (name == "AGENT" || strings.HasPrefix(name, "AGENT;")) && value == ""
		}
		at += len(physical)
	}
	if depth > 0 {
		cards = append(cards, vcf[begin:])
	}
	if len(cards) == 0 {
		return nil, ErrNotCard
	}
	return cards, nil
}

// utf8Text takes off a byte order mark and the encoding it marks, and makes all line ends LF or CRLF.
func utf8Text(b []byte) []byte {
	switch {
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		b = b[3:]
	case bytes.HasPrefix(b, []byte("\xFF\xFE")):
		b = []byte(codepage.Decode(1200, b[2:]))
	case bytes.HasPrefix(b, []byte("\xFE\xFF")):
		b = []byte(codepage.Decode(1201, b[2:]))
	case bytes.HasPrefix(b, []byte("B\x00E\x00")): // UTF-16 that nothing marks
		b = []byte(codepage.Decode(1200, b))
	case bytes.HasPrefix(b, []byte("\x00B\x00E")):
		b = []byte(codepage.Decode(1201, b))
	}
	if !bytes.Contains(b, []byte("\n")) { // the old Macintosh
		b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
	}
	return b
}
