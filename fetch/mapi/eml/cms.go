package eml

import "bytes"

// maxCMSDepth bounds how deep elements nest that have no length.
const maxCMSDepth = 32

// element is one of BER [X.690] 8.1.
type element struct {
	tag     byte
	content []byte
}

// cutElement reads the element at the start of b; ok is false where there is none.
func cutElement(b []byte, depth int) (e element, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1F == 0x1F || depth > maxCMSDepth {
		return e, nil, false
	}
	e.tag = b[0]
	n, b := int(b[1]), b[2:]
	switch {
	case n == 0x80:
		return endless(e, b, depth)
	case n > 0x80:
		size := n & 0x7F
		if size > 4 || size > len(b) {
			return e, nil, false
		}
		n = 0
		for _, c := range b[:size] {
			n = n<<8 | int(c)
		}
		b = b[size:]
	}
	if n < 0 || n > len(b) {
		return e, nil, false
	}
	e.content = b[:n]
	return e, b[n:], true
}

// endless reads an element up to its end-of-contents [X.690] 8.1.5.
func endless(e element, b []byte, depth int) (element, []byte, bool) {
	all := b
	for !bytes.HasPrefix(b, []byte{0, 0}) {
		var ok bool
		if _, b, ok = cutElement(b, depth+1); !ok {
			return e, nil, false
		}
	}
	e.content = all[:len(all)-len(b)]
	return e, b[2:], true
}

// into gives the first element of that tag within b.
func into(b []byte, tag byte) []byte {
	for len(b) > 0 {
		e, rest, ok := cutElement(b, 0)
		if !ok {
			return nil
		}
		if e.tag == tag {
			return e.content
		}
		b = rest
	}
	return nil
}

// cmsContent is what an opaque signed message says, nil where data is nothing of
// the kind [RFC 5652] 3, 5.1, 5.2.
func cmsContent(data []byte) []byte {
	const sequence, explicit, octets, constructed = 0x30, 0xA0, 0x04, 0x24
	if !bytes.Contains(data[:min(len(data), 32)], signedDataID()) {
		return nil
	}
	signed := into(into(into(data, sequence), explicit), sequence)
	content := into(into(signed, sequence), explicit)
	if text := into(content, octets); text != nil {
		return text
	}
	var text []byte
	for pieces := into(content, constructed); len(pieces) > 0; {
		e, rest, ok := cutElement(pieces, 0)
		if !ok || e.tag != octets {
			break
		}
		text, pieces = append(text, e.content...), rest
	}
	return text
}

// signedDataID is 1.2.840.113549.1.7.2.
func signedDataID() []byte { return []byte("\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02") }
