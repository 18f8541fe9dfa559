package exchangetest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
)

// importItem makes an item of a stream, or new content of one that is there.
// Nothing tells a repeated create from another item: it makes a duplicate.
func (c *graphCall) importItem() *failure {
	body, f := c.readImport()
	if f != nil {
		return f
	}
	b := body.data
	if f = body.check(); f == nil {
		_, _, f = c.importTarget(body) // before the stream is looked at
	}
	if f != nil {
		discard(b)
		return f
	}
	rev, f := c.server.received(b)
	if f != nil {
		discard(b)
		return f
	}
	v, f := c.keep(body, rev)
	if f != nil {
		rev.discard()
		return f
	}
	return c.answer(http.StatusOK, object{
		{"@odata.context", c.importRoot() + "/$metadata#microsoft.graph.importMailboxItemResponse"},
		{"itemId", restID(v.id)},
		{"changeKey", shortKey(v.key)},
	})
}

// keep puts the content into the mailbox.
func (c *graphCall) keep(body importBody, rev *revision) (itemView, *failure) {
	m := c.box
	m.mu.Lock()
	defer m.mu.Unlock()
	to, it, f := c.importLocked(body)
	switch {
	case f != nil:
		return itemView{}, f
	case it != nil:
		m.reviseItem(it, rev, false)
	default:
		it = m.addItem(to, rev, false)
	}
	return m.viewItem(it), nil
}

func (c *graphCall) importTarget(body importBody) (*folder, *item, *failure) {
	c.box.mu.RLock()
	defer c.box.mu.RUnlock()
	return c.importLocked(body)
}

// importLocked finds the folder, and the item to update if one is named.
func (c *graphCall) importLocked(body importBody) (*folder, *item, *failure) {
	to, f := c.importFolder(body.folderID)
	if f != nil || body.mode == "create" {
		return to, nil, f
	}
	it, f := c.box.itemByID(body.itemID)
	switch {
	case f != nil:
		return nil, nil, f
	case it.folder != to:
		return nil, nil, notFound()
	}
	if key := c.box.viewItem(it).key; body.changeKey != key && body.changeKey != shortKey(key) {
		return nil, nil, fail("ErrorIrresolvableConflict")
	}
	return to, it, nil
}

// importFolder finds the folder by its id. One of another mailbox needs a session of that one.
func (c *graphCall) importFolder(text string) (*folder, *failure) {
	standard, ok := ewsID(text)
	id, f := parseID(standard)
	switch {
	case !ok:
		return nil, fail("ErrorInvalidIdMalformed")
	case f != nil:
		return nil, f
	case id.mailbox != c.box.guid:
		return nil, elsewhere(mailboxID(id.mailbox))
	}
	to := c.box.folders[id.folder]
	switch {
	case id.item != 0:
		return nil, fail("ErrorCannotUseItemIdForFolderId")
	case to == nil:
		return nil, notFound()
	case to.home() != c.box.part:
		return nil, elsewhere(c.box.partID(to.home()))
	case to.search:
		return nil, fail("ErrorInvalidFolderTypeForOperation")
	}
	return to, nil
}

func elsewhere(mailbox string) *failure {
	return fail("ImportElsewhere").say("Invalid import session. The target session is expected in mailbox " + mailbox)
}

// shortKey is a change key as imports answer it: without the kind of object and the length.
func shortKey(key string) string {
	b, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(b) < 8 {
		return key
	}
	return base64.StdEncoding.EncodeToString(b[8:])
}

// importBody is the body of an import.
type importBody struct {
	folderID, mode, itemID, changeKey string
	data                              blob // nil: not given
}

// check refuses what does not go together.
func (b importBody) check() *failure {
	invalid := fail("ErrorInvalidRequest")
	switch {
	case b.folderID == "":
		return invalid.say("FolderId is required.")
	case b.data == nil || b.data.size() == 0:
		return invalid.say("Data is required.")
	case b.mode != "create" && b.mode != "update":
		return invalid.say("Mode must be create or update.")
	case b.mode == "create" && (b.itemID != "" || b.changeKey != ""):
		return invalid.say("ItemId and ChangeKey must not be given to create an item.")
	case b.mode == "update" && (b.itemID == "" || b.changeKey == ""):
		return invalid.say("ItemId and ChangeKey are required to update an item.")
	}
	return nil
}

// readImport reads the body while it arrives; what Data holds goes to a spool, so that items of any size pass.
func (c *graphCall) readImport() (b importBody, f *failure) {
	limit := c.server.options.MaxImportBytes
	in := newJSONReader(http.MaxBytesReader(c.w, c.r.Body, limit))
	err := in.object(func(name string) error { return c.readImportMember(in, name, &b) })
	if err == nil {
		return b, nil
	}
	discard(b.data)
	b.data = nil
	var over *http.MaxBytesError
	var no *failure
	switch {
	case errors.As(err, &over):
		return b, fail("RequestEntityTooLarge")
	case errors.As(err, &no):
		return b, no
	case errors.Is(err, errJSON):
		return b, fail("BadRequest").say("Unable to read JSON request payload.")
	}
	c.server.options.Log.Error("import not read", "cause", err)
	return b, fail("ErrorInternalServerError")
}

func (c *graphCall) readImportMember(in *jsonReader, name string, b *importBody) error {
	texts := map[string]*string{"FolderId": &b.folderID, "Mode": &b.mode, "ItemId": &b.itemID, "ChangeKey": &b.changeKey}
	if name == "Data" {
		return c.readImportData(in, b)
	}
	to := texts[name]
	if to == nil {
		return fail("RequestBodyRead").say("The property '" + clipped(name) + "' does not exist on the type and cannot be sent.")
	}
	text, err := in.text(maxImportText)
	*to = text
	return err
}

const maxImportText = 4 << 10

func (c *graphCall) readImportData(in *jsonReader, b *importBody) error {
	s := &spool{files: c.server.files}
	sink := &dataSink{sink: &base64Sink{w: s}}
	err := in.copyText(sink)
	if err == nil {
		err = sink.close()
	}
	if err == nil {
		b.data, err = s.finish()
	}
	if err != nil {
		s.discard()
	}
	return err
}

// dataSink decodes base64, and takes the rest of what is not base64 without a word until its end.
type dataSink struct {
	sink *base64Sink
	bad  bool
}

func (d *dataSink) Write(p []byte) (int, error) {
	d.bad = d.bad || bytes.IndexByte(p, '&') >= 0 // which the sink takes for XML's
	if d.bad {
		return len(p), nil
	}
	_, err := d.sink.Write(p)
	if errors.Is(err, errBase64) {
		d.bad, err = true, nil
	}
	return len(p), err
}

func (d *dataSink) close() error {
	err := errBase64
	if !d.bad {
		err = d.sink.Close()
	}
	if errors.Is(err, errBase64) {
		return fail("ErrorInvalidRequest").say("Data is not base64.")
	}
	return err
}
