package eml

import (
	"bufio"
	"bytes"
	"io"
	"path"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

// signedKind is the MIME tag of the attachment that is a signed message.
const signedKind = "multipart/signed"

// isCMS says whether a part is an opaque signed or an encrypted message [MS-OXOSMIME] 2.1.3.2.
func isCMS(p *part) bool {
	return p.kind.kind == "application/pkcs7-mime" || p.kind.kind == "application/x-pkcs7-mime" ||
		p.kind.kind == "application/octet-stream" && strings.EqualFold(path.Ext(fileName(p)), ".p7m")
}

// smimeType is what a CMS object is, by the identifier at its start [RFC 8551] 3.2.2.
func smimeType(p *mapi.Property) string {
	head := make([]byte, 32)
	n, _ := io.ReadFull(p.Open(), head)
	if bytes.Contains(head[:n], signedDataID()) {
		return "signed-data"
	}
	return "enveloped-data"
}

// sign makes m the clear-signed message that the file is: its one attachment is
// the entity as it stands [MS-OXOSMIME] 2.1.3.1. The bodies are for reading only.
func sign(m *mapi.Message, f *file) {
	var data bytes.Buffer
	for _, line := range entityFields(f.header) {
		if f.lf {
			line.lines = strings.ReplaceAll(line.lines, "\r\n", "\n")
		}
		data.WriteString(line.lines)
	}
	data.Write(f.empty)
	data.Write(f.body)
	m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, "IPM.Note.SMIME.MultipartSigned"))
	m.Attachments = []mapi.Attachment{{Properties: mapi.Bag{
		mapi.NewInt32(mapi.PidTagAttachNumber, 0),
		mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue),
		mapi.NewInt32(mapi.PidTagRenderingPosition, -1),
		mapi.NewText(mapi.PidTagAttachLongFilename, "smime.p7m"),
		mapi.NewText(mapi.PidTagAttachFilename, "smime.p7m"),
		mapi.NewText(mapi.PidTagDisplayName, "smime.p7m"),
		mapi.NewText(mapi.PidTagAttachExtension, ".p7m"),
		mapi.NewText(mapi.PidTagAttachMimeTag, signedKind),
		mapi.NewInt32(mapi.PidTagAttachSize, int32(min(data.Len(), 1<<31-1))),
		mapi.NewBinary(mapi.PidTagAttachData, data.Bytes()),
	}}}
}

// entityFields are the fields of a header that belong to the signed entity: its type alone.
func entityFields(h header) header {
	return slices.DeleteFunc(slices.Clone(h), func(f field) bool { return f.name != "content-type" })
}

// signedEntity is the attachment that is the message, nil where m is not clear-signed.
func signedEntity(m *mapi.Message) *mapi.Property {
	if !strings.HasSuffix(strings.ToLower(m.Class()), ".smime.multipartsigned") || len(m.Attachments) != 1 {
		return nil
	}
	if a := &m.Attachments[0]; strings.EqualFold(a.Properties.Text(mapi.PidTagAttachMimeTag), signedKind) {
		return a.Data()
	}
	return nil
}

// isOpaque says whether m is its attachment, signed or encrypted; bodies that it has are for reading only.
func isOpaque(m *mapi.Message) bool {
	return strings.HasSuffix(strings.ToLower(m.Class()), ".smime") && len(m.Attachments) == 1
}

// maxEntityHeader bounds the header of a signed entity.
const maxEntityHeader = 1 << 20

// signed writes a clear-signed message: its header, and the entity byte for byte.
func (e *writer) signed(p *mapi.Property, m *mapi.Message, stored header) error {
	r := bufio.NewReader(p.Open())
	var head []byte
	for len(head) < maxEntityHeader {
		line, err := r.ReadSlice('\n')
		head = append(head, line...)
		if err == io.EOF || len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
	}
	h, empty, rest := splitHeader(head)
	all := merge(stored, changes(m, stored), nil)
	if len(stored) == 0 || entityFields(stored).text() != h.text() {
		all = fields(m, stored, h)
	}
	first, _ := cutLine(head)
	e.header(all, bytes.HasSuffix(first, []byte("\n")) && !bytes.HasSuffix(first, []byte("\r\n")))
	e.out.Write(empty)
	e.out.Write(rest)
	_, err := io.Copy(e.out, r)
	return err
}
