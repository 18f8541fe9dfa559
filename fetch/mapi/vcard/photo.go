package vcard

import (
	"bytes"
	"net/url"
	"strings"

	"mailbrick/fetch/mapi"
)

// picture is a photo that stands in the card itself.
type picture struct {
	data []byte
	kind string // jpeg, png, gif, bmp
}

// takePhoto takes the first photo with bytes; one that is only an address has no place.
func (c *contact) takePhoto(l *line) bool {
	data, inline := l.value, l.params["ENCODING"] != ""
	if rest, ok := bytes.CutPrefix(data, []byte("data:")); ok { // [RFC 6350] 6.2.4
		data, inline = dataURI(rest)
	}
	kind := pictureKind(data)
	if c.photo != nil {
		return bytes.Equal(c.photo.data, data)
	}
	if !inline || kind == "" {
		return false
	}
	c.photo = &picture{data, kind}
	return true
}

// dataURI is the content of a URI without its scheme [RFC 2397].
func dataURI(s []byte) ([]byte, bool) {
	header, body, ok := bytes.Cut(s, []byte(","))
	if bytes.HasSuffix(header, []byte(`\`)) { // a comma that version 3.0 wants escaped
		header = header[:len(header)-1]
	}
	if !ok {
		return nil, false
	}
	if bytes.HasSuffix(header, []byte(";base64")) {
		return decodeBase64(body), true
	}
	text, err := url.PathUnescape(string(body))
	return []byte(text), err == nil
}

// pictureKind tells the kinds that clients show by their first bytes, "" for all else.
func pictureKind(data []byte) string {
	for _, k := range []struct{ magic, kind string }{
		{"\xFF\xD8\xFF", "jpeg"}, {"\x89PNG\r\n", "png"}, {"GIF8", "gif"}, {"BM", "bmp"},
	} {
		if bytes.HasPrefix(data, []byte(k.magic)) {
			return k.kind
		}
	}
	return ""
}

// photoAttachment: [MS-OXOCNTC] 2.2.1.8.3.
func photoAttachment(p picture, number int32) mapi.Attachment {
	extension := "." + strings.Replace(p.kind, "jpeg", "jpg", 1)
	name := "ContactPicture" + extension
	return mapi.Attachment{Properties: mapi.Bag{
		mapi.NewInt32(mapi.PidTagAttachNumber, number),
		mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue),
		mapi.NewInt32(mapi.PidTagRenderingPosition, -1),
		mapi.NewText(mapi.PidTagAttachLongFilename, name),
		mapi.NewText(mapi.PidTagAttachFilename, "Contact"+extension),
		mapi.NewText(mapi.PidTagDisplayName, name),
		mapi.NewText(mapi.PidTagAttachExtension, extension),
		mapi.NewText(mapi.PidTagAttachMimeTag, "image/"+p.kind),
		mapi.NewBool(uint16(contactPhoto), true),
		mapi.NewBinary(mapi.PidTagAttachData, p.data),
	}}
}

// photo is the data of the contact's photo, nil when there is none.
func photo(m *mapi.Message) *mapi.Property {
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if is, _ := a.Properties.Bool(uint16(contactPhoto)); is && a.Embedded == nil && a.Data() != nil {
			return a.Data()
		}
	}
	return nil
}
