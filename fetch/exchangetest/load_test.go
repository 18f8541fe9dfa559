package exchangetest_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	dir := tree(t, map[string]string{
		"top.eml":                   message("top"),
		"inbox/1.eml":               message("one"),
		"Inbox2/2.eml":              message("two"),
		"Sent Items/3.eml":          message("three"),
		"Inbox/Projects/4.eml":      message("four"),
		"Inbox/Projects/Inbox/.DS":  "hidden",
		"Inbox/broken.eml":          "\x00\x01\x02 this is no mail",
		"Inbox/empty.eml":           "",
		"Calendar/appointment.eml":  message("five"),
		"Inbox/Projects/readme.txt": "no mail either\n",
	})
	if err := c.server.Load(box, dir); err != nil {
		t.Fatal(err)
	}
	m := c.server.AddMailbox(box)
	equal(t, "items", m.Items(), 6)
	var skipped []string
	for _, err := range m.Skipped() {
		skipped = append(skipped, filepath.Base(strings.Fields(err.Error())[1]))
	}
	equal(t, "skipped", skipped, []string{"readme.txt:", "broken.eml:", "empty.eml:"})
	for special, n := range map[string]int{"inbox": 1, "sentitems": 1, "msgfolderroot": 1, "calendar": 1, "drafts": 0} {
		equal(t, special, len(c.find(c.folder(special))), n)
	}
	equal(t, "folders", strings.Join(names(c.do(findFolders("Deep", "msgfolderroot", ""))), ","),
		"Calendar,Contacts,Deleted Items,Drafts,Inbox,Projects,Inbox,Journal,Junk Email,Notes,Outbox,Sent Items,Tasks,Inbox2")
	if err := c.server.Load("x@example.org", filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a tree that is not there was loaded")
	}
}

// TestFileGone: an item whose file went away is an error of that item.
func TestFileGone(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	dir := tree(t, map[string]string{"Inbox/1.eml": message("one"), "Inbox/2.eml": message("two")})
	if err := c.server.Load(box, dir); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "Inbox", "1.eml"))
	items := c.find(c.folder("inbox"))
	root, _ := c.export(items...)
	equal(t, "export", codes(root), []string{"NoError", "ErrorItemCorrupt"})
	equal(t, "get", codes(c.do(getItem(`<t:BaseShape>Default</t:BaseShape>`, items[0].item(), items[1].item()))), []string{"NoError", "ErrorContentConversionFailed"})
	c.ok(c.do(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:ParentFolderIds>` +
		distinguished("inbox") + `</m:ParentFolderIds></m:FindItem>`))
}

// TestLogTellsNoSecrets: operations and codes, never whose or about what.
func TestLogTellsNoSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := newClient(t, exchangetest.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	it := c.create("inbox", "zyzzyva")
	c.blob(it)
	c.fault(c.envelope("<m:zyzzyva/>"))
	c.mailbox = "zyzzyva@example.org"
	c.fault(c.envelope(getInbox))
	text := log.String()
	for _, secret := range []string{"zyzzyva", "anna", "@", it.id, "secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(text, "operation=ExportItems") || !strings.Contains(text, "code=ErrorInvalidRequest") {
		t.Error(text)
	}
}

// TestRealMail loads what the acceptance runs on.
func TestRealMail(t *testing.T) {
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("MAILBRICK_MAIL is not set: the unpacked mail of ../shared/data/mail.tar.xz")
	}
	c := newClient(t, exchangetest.Options{})
	root = filepath.Join(root, "enron")
	boxes, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range boxes {
		if err := c.server.Load(e.Name(), filepath.Join(root, e.Name())); err != nil {
			t.Fatal(err)
		}
		c.mailbox = e.Name()
		items := c.find(c.folder("inbox"))
		for len(items) > 0 {
			n := min(len(items), 100)
			found, blobs := c.export(items[:n]...)
			c.ok(found)
			for _, b := range blobs {
				scan(t, b)
			}
			items = items[n:]
		}
	}
}
