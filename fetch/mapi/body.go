package mapi

import (
	"bytes"
	"strings"

	"mailbrick/fetch/mapi/rtf"
)

// MaxBody is the most of a body that is read to show or to search it. Values
// are kept and written whole all the same.
const MaxBody = 64 << 20

// NativeBody is the body that the others were made of: what PidTagNativeBody
// names, else the best that is there [MS-OXBBODY] 2.1.3.1; 0 when there is none.
func (m *Message) NativeBody() int32 {
	b := m.Properties
	plain, page, rich := b.Find(PidTagBody) != nil, b.Find(PidTagHTML) != nil, b.Find(PidTagRtfCompressed) != nil
	native, _ := b.Int32(PidTagNativeBody)
	synced, told := b.Bool(PidTagRtfInSync)
	switch {
	case native == NativeHTML && page, native == NativeRTF && rich, native == NativePlain && plain:
		return native
	case page:
		return NativeHTML
	case rich && (!plain || synced || !told): // RTF that is not in sync is older than the plain body
		return NativeRTF
	case plain:
		return NativePlain
	}
	return 0
}

// BodyText is the body as plain text with LF line ends: PidTagBody, which
// servers keep in step with the others, else the text of the native body.
func (m *Message) BodyText() string {
	plain := m.plain()
	if strings.TrimSpace(plain) != "" {
		return plain
	}
	var text string
	if m.NativeBody() == NativeRTF {
		text = rtfText(m.RTF())
	} else if text = HTMLText(m.HTML()); text == "" {
		text = rtfText(m.RTF())
	}
	if text == "" {
		return plain
	}
	return text
}

func (m *Message) plain() string {
	p := m.Properties.Find(PidTagBody)
	if p == nil {
		return ""
	}
	codePage := 0
	if p.Tag.Type() == TypeString8 {
		codePage = m.Properties.CodePage()
	}
	return strings.ReplaceAll(decodeText(p.Tag.Type(), p.head(MaxBody), codePage), "\r\n", "\n")
}

func rtfText(doc []byte) string {
	if page, err := rtf.HTML(doc); err == nil {
		return HTMLText(page)
	}
	return rtf.Text(doc)
}

// HTML is the HTML body as a string: PidTagHtml, else the page that the RTF body
// was made of; "" when there is none.
func (m *Message) HTML() string {
	if p := m.Properties.Find(PidTagHTML); p != nil {
		if page := m.page(p); page != "" {
			return page
		}
	}
	page, _ := rtf.HTML(m.RTF())
	return page
}

// page reads PidTagHtml, which is bytes or, from some writers, a string.
func (m *Message) page(p *Property) string {
	data := p.head(MaxBody)
	switch t := p.Tag.Type(); t {
	case TypeBinary, TypeString8:
		codePage, _ := m.Properties.Int32(PidTagInternetCodepage)
		if t == TypeString8 {
			data = bytes.TrimSuffix(data, []byte{0})
		}
		return decodeHTML(data, int(codePage))
	default:
		return decodeText(t, data, 0)
	}
}

// RTF is the RTF body unpacked, nil when there is none. Where it is damaged it
// is what comes before the damage.
func (m *Message) RTF() []byte {
	p := m.Properties.Find(PidTagRtfCompressed)
	if p == nil {
		return nil
	}
	doc, _ := rtf.Decompress(p.head(MaxBody))
	return doc
}
