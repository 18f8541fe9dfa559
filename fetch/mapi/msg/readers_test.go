package msg_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/mapi/msg/cfb"
	"mailbrick/fetch/mapi/tnef"
)

// sample is what is in a file we wrote, and the file it was read from, if any.
type sample struct {
	*mapi.Message
	original string
}

// written are files we wrote, by where they lie. What was read from a file of the data comes by way of an export stream.
func written(t *testing.T) map[string]sample {
	t.Helper()
	folder := t.TempDir()
	list := map[string]sample{}
	add := func(name string, m *mapi.Message, original string) {
		data := write(t, m)
		path := filepath.Join(folder, name+".msg")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		list[path] = sample{read(t, data), original}
	}
	for seed := range uint64(12) {
		add(fmt.Sprint("random", seed), maker{rand.New(rand.NewPCG(seed, 9))}.message(3), "")
	}
	add("empty", &mapi.Message{}, "")
	n := 600
	if os.Getenv("MAILBRICK_MAIL_ALL") != "" {
		n = 2500 // minutes of the readers' time
	}
	add("recipients", crowd(n), "")
	add("attachment", withAttachment(200<<10), "")
	add("large", withAttachment(8<<20), "") // of more than 109 sectors of FAT
	if os.Getenv("MAILBRICK_MAIL") == "" {
		return list
	}
	for name, data := range realFiles(t) {
		m, err := msg.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		add(strings.NewReplacer("/", "_", ".msg", "").Replace(name), throughBlob(t, m), filepath.Join(os.Getenv("MAILBRICK_MAIL"), name))
	}
	for name, data := range tnefFiles(t) {
		m, err := tnef.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		add("tnef_"+strings.ReplaceAll(name, "/", "_"), throughBlob(t, m), "")
	}
	return list
}

// crowd is a message to n people.
func crowd(n int) *mapi.Message {
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "To all"), mapi.NewText(mapi.PidTagBody, "Hello")}}
	for i := range n {
		m.Recipients = append(m.Recipients, mapi.Bag{
			mapi.NewInt32(mapi.PidTagRecipientType, mapi.RecipientTo),
			mapi.NewText(mapi.PidTagDisplayName, fmt.Sprint("Person ", i)),
			mapi.NewText(mapi.PidTagAddressType, "SMTP"),
			mapi.NewText(mapi.PidTagEmailAddress, fmt.Sprintf("p%d@example.com", i)),
		})
	}
	return m
}

func withAttachment(n int) *mapi.Message {
	m := crowd(2)
	m.Attachments = []mapi.Attachment{{Properties: mapi.Bag{
		mapi.NewText(mapi.PidTagAttachLongFilename, "film.bin"),
		mapi.NewText(mapi.PidTagAttachMimeTag, "application/octet-stream"),
		mapi.NewBinary(mapi.PidTagAttachData, noise(n, 1)),
	}}}
	return m
}

// shown is what testdata/show.py prints of a file.
type shown struct {
	Issues     []string
	Class      string
	Streams    map[string]int64
	Properties map[string]string
}

func TestOlefile(t *testing.T) {
	t.Parallel()
	python := ""
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import olefile").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("no olefile: Debian's python3-olefile")
	}
	files := written(t)
	args := []string{"testdata/show.py"}
	for path := range files {
		args = append(args, path)
	}
	out, err := exec.Command(python, args...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var all map[string]shown
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	properties := 0
	for path, m := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := all[path]
			if len(s.Issues) > 0 || s.Class != "00020D0B-0000-0000-C000-000000000046" {
				t.Errorf("class %s, issues %q", s.Class, s.Issues)
			}
			diffMaps(t, "streams", streamSizes(t, path), s.Streams)
			want := map[string]string{}
			objectValues(m.Message, "", want)
			diffMaps(t, "properties", want, s.Properties)
			properties += len(s.Properties)
		})
	}
	t.Logf("%d files, %d properties", len(files), properties)
}

func diffMaps[V comparable](t *testing.T, what string, want, got map[string]V) {
	t.Helper()
	if maps.Equal(want, got) {
		return
	}
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Errorf("%s: %q is %v, not %v (%t)", what, k, g, v, ok)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: %q %v is not ours", what, k, v)
		}
	}
}

// streamSizes are the streams of a file as our reader sees them.
func streamSizes(t *testing.T, path string) map[string]int64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := cfb.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	var walk func(e *cfb.Entry, path string)
	walk = func(e *cfb.Entry, path string) {
		for _, c := range e.Children {
			if c.Storage {
				walk(c, path+c.Name+"/")
			} else {
				sizes[path+c.Name] = c.Size
			}
		}
	}
	walk(f.Root, "")
	return sizes
}

// objectValues hashes the values of a tree as they lie in the file.
func objectValues(m *mapi.Message, path string, values map[string]string) {
	bagValues(m.Properties, path, values)
	for i, r := range m.Recipients {
		bagValues(r, fmt.Sprintf("%s__recip_version1.0_#%08X/", path, i), values)
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		inside := fmt.Sprintf("%s__attach_version1.0_#%08X/", path, i)
		bagValues(a.Properties, inside, values)
		if a.Embedded != nil {
			values[inside+"3701 000D"] = hash(nil)
			objectValues(a.Embedded, inside+"__substg1.0_3701000D/", values)
		}
	}
}

func hash(data []byte) string {
	h := sha256.Sum256(data)
	return fmt.Sprintf("%x", h[:8])
}

func bagValues(b mapi.Bag, path string, values map[string]string) {
	for i := range b {
		p := &b[i]
		name := fmt.Sprintf("%04X", p.Tag.ID())
		if p.Name != nil {
			name = nameShown(*p.Name)
		}
		values[fmt.Sprintf("%s%s %04X", path, name, uint16(p.Tag.Type()))] = hash(stored(p))
	}
}

func nameShown(n mapi.Name) string {
	set := fmt.Sprintf("%x", n.Set[:])
	switch set {
	case "2803020000000000c000000000000046":
		set = "mapi"
	case "2903020000000000c000000000000046":
		set = "public"
	}
	if n.Text != "" {
		return set + " " + n.Text
	}
	return set + " " + strconv.FormatUint(uint64(n.LID), 10)
}

// stored is a value as its stream or entry holds it.
func stored(p *mapi.Property) []byte {
	data := p.Bytes()
	switch layout, _ := p.Tag.Type().Layout(); {
	case layout == mapi.LayoutFixed && p.Tag.Type() != mapi.TypeGUID:
		return append(bytes.Clone(data), make([]byte, 8-len(data))...)
	case p.Tag.Type() == mapi.TypeUnicode:
		return data[:len(data)-2]
	case p.Tag.Type() == mapi.TypeString8:
		return data[:len(data)-1]
	case p.Tag.Type() == mapi.TypeObject:
		return nil
	case layout == mapi.LayoutFixedMV:
		return data[4:]
	case layout == mapi.LayoutVarMV:
		return bytes.Join(mapi.Members(data), nil)
	}
	return data
}

func TestGsf(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gsf"); err != nil {
		t.Skip("no gsf: Debian's libgsf-bin")
	}
	for path := range written(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cmd := exec.Command("gsf", "list", path)
			var talk bytes.Buffer
			cmd.Stderr = &talk
			out, err := cmd.Output()
			if err != nil || talk.Len() > 0 {
				t.Fatalf("%v %s", err, talk.String())
			}
			sizes := map[string]int64{}
			for _, line := range strings.Split(string(out), "\n") {
				if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "f" {
					n, _ := strconv.ParseInt(fields[len(fields)-2], 10, 64)
					sizes[fields[len(fields)-1]] = n
				}
			}
			diffMaps(t, "streams", streamSizes(t, path), sizes)
		})
	}
}

// TestMsgconvert compares what msgconvert makes of our files with the tree and
// with what it makes of the files that the tree was read from: all of them with
// MAILBRICK_MAIL_ALL, else a few. It takes a minute for thousands of recipients.
func TestMsgconvert(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("msgconvert"); err != nil {
		t.Skip("no msgconvert: Debian's libemail-outlook-message-perl")
	}
	for path, m := range written(t) {
		name := filepath.Base(path)
		short := name == "attachment.msg" || strings.Contains(name, "58214_with") || strings.Contains(name, "cyrillic")
		if strings.Contains(name, "random") || strings.Contains(name, "unknown_properties") || !short && os.Getenv("MAILBRICK_MAIL_ALL") == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := converted(t, path)
			checkConverted(t, m.Message, got)
			if m.original != "" {
				checkSameMail(t, converted(t, m.original), got, eightBit(t, m.original))
			}
		})
	}
}

// converted is what msgconvert makes of a file.
func converted(t *testing.T, path string) *mapi.Message {
	t.Helper()
	cmd := exec.Command("msgconvert", "--outfile", "-", path)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v %s", err, talk.String())
	}
	m, err := eml.Read(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// eightBit says whether a file has strings of 8 bits. msgconvert reads them
// without a code page, so that only ASCII can be compared.
func eightBit(t *testing.T, path string) bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := msg.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	class := m.Properties.Find(mapi.PidTagMessageClass)
	return class != nil && class.Tag.Type() == mapi.TypeString8
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }

// checkSameMail compares mail made of the original and of our file.
func checkSameMail(t *testing.T, want, got *mapi.Message, eightBit bool) {
	t.Helper()
	for _, c := range []struct{ name, want, got string }{
		{"subject", want.Subject(), got.Subject()},
		{"from", want.From().String(), got.From().String()},
		{"to", fmt.Sprint(want.To()), fmt.Sprint(got.To())},
		{"cc", fmt.Sprint(want.Cc()), fmt.Sprint(got.Cc())},
		{"id", want.MessageID(), got.MessageID()},
		{"body", want.BodyText(), got.BodyText()},
		{"html", want.HTML(), got.HTML()},
		{"attachments", fmt.Sprint(attachmentHashes(want)), fmt.Sprint(attachmentHashes(got))},
		{"sent", sent(want), sent(got)},
	} {
		if eightBit && !(isASCII(c.want) && isASCII(c.got)) {
			continue
		}
		if c.got != c.want {
			t.Errorf("%s: %.300q, from the original %.300q", c.name, c.got, c.want)
		}
	}
}

// sent is the date of a mail, "" where msgconvert took the present time for want of one.
func sent(m *mapi.Message) string {
	if time.Since(m.Sent()) < time.Hour {
		return ""
	}
	return m.Sent().String()
}

func attachmentHashes(m *mapi.Message) (list []string) {
	for i := range m.Attachments {
		a := &m.Attachments[i]
		text := a.Name()
		if d := a.Data(); d != nil {
			text += " " + hash(d.Bytes())
		}
		list = append(list, text)
	}
	return list
}

func checkConverted(t *testing.T, want, got *mapi.Message) {
	t.Helper()
	if got.Subject() != strings.TrimSpace(want.Subject()) {
		t.Errorf("subject %q, want %q", got.Subject(), want.Subject())
	}
	if len(got.Attachments) < len(want.Attachments) {
		t.Errorf("%d attachments, want %d", len(got.Attachments), len(want.Attachments))
	}
	hashes := map[string]bool{}
	for i := range got.Attachments {
		if d := got.Attachments[i].Data(); d != nil {
			hashes[hash(d.Bytes())] = true
		}
	}
	for i := range want.Attachments {
		a := &want.Attachments[i]
		if d := a.Data(); d != nil && d.Tag.Type() == mapi.TypeBinary && !hashes[hash(d.Bytes())] {
			t.Errorf("attachment %q of %d bytes came out differently", a.Name(), d.Len())
		}
	}
}
