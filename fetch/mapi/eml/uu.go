package eml

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// uuFiles takes the uuencoded files out of a text with CRLF line ends, as
// programs before MIME wrote them. One that does not end is text.
func uuFiles(text string) (rest string, files []mapi.Attachment) {
	if !strings.HasPrefix(text, "begin ") && !strings.Contains(text, "\nbegin ") {
		return text, nil
	}
	var b strings.Builder
	for text != "" {
		line, after, _ := strings.Cut(text, "\r\n")
		if name := uuName(line); name != "" && len(files) < maxLeaves {
			if data, behind, ok := uuDecode(after); ok {
				files = append(files, uuAttachment(name, data))
				text = behind
				continue
			}
		}
		b.WriteString(text[:len(text)-len(after)])
		text = after
	}
	return b.String(), files
}

// uuName is the name of the file that begins in a line: begin, a mode, a name.
func uuName(line string) string {
	mode, found := strings.CutPrefix(line, "begin ")
	mode, name, _ := strings.Cut(mode, " ")
	if !found || len(mode) < 3 || len(mode) > 4 || strings.Trim(mode, "01234567") != "" {
		return ""
	}
	return strings.TrimSpace(oneLine(name))
}

// uuDecode reads lines up to the end: their length, then four characters for
// three bytes. Blanks at the end of a line may have been lost.
func uuDecode(text string) (data []byte, rest string, ok bool) {
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\r\n")
		if line == "end" {
			return data, text, true
		}
		n := 0
		if line != "" {
			n = int(line[0]-' ') & 63
			line = line[1:]
		}
		if len(line) > (n+2)/3*4+2 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '`' }) {
			return nil, "", false
		}
		line += strings.Repeat(" ", max(0, (n+2)/3*4-len(line)))
		for i := 0; i < n; i++ {
			at := i / 3 * 4
			bits := uint(line[at]-' ')&63<<18 | uint(line[at+1]-' ')&63<<12 | uint(line[at+2]-' ')&63<<6 | uint(line[at+3]-' ')&63
			data = append(data, byte(bits>>(16-8*(i%3))))
		}
	}
	return nil, "", false
}

func uuAttachment(name string, data []byte) mapi.Attachment {
	p := part{kind: media{kind: "application/octet-stream"}}
	c := collector{}
	b := c.common(&p, name, mapi.AttachByValue)
	return mapi.Attachment{Properties: append(b, mapi.NewInt32(mapi.PidTagAttachSize, int32(min(len(data), 1<<31-1))),
		mapi.NewBinary(mapi.PidTagAttachData, data))}
}
