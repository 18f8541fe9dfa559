package exchangetest

import (
	"bytes"
	"io"
	"os"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// checkUpload refuses an update that does not say of what. [MS-OXWSBTRF] R233, R234, R241, R242: a SOAP fault
func (c *call) checkUpload() *failure {
	for _, unit := range partsOf("Items")(c.body) {
		if attr(unit, "CreateAction") != "CreateNew" && child(unit, "ItemId") == nil {
			return fail("ErrorInvalidRequest")
		}
	}
	return nil
}

func (c *call) uploadItem(unit *etree.Element) (content, *failure) {
	if _, _, f := c.uploadTarget(unit); f != nil {
		return nil, f
	}
	b := c.take(child(unit, "Data").Text())
	rev, f := c.server.received(b)
	if f != nil {
		discard(b)
		return nil, f
	}
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	to, old, f := c.uploadTargetLocked(unit)
	switch {
	case f != nil:
		rev.discard()
		return nil, f
	case old != nil:
		m.reviseItem(old, rev, false)
	default:
		old = m.addItem(to, rev, isTrue(attr(unit, "IsAssociated")))
	}
	v := m.viewItem(old)
	return func(x *xmlWriter) error {
		x.empty("m:ItemId", "Id", v.id, "ChangeKey", v.key)
		return nil
	}, nil
}

func (c *call) uploadTarget(unit *etree.Element) (*folder, *item, *failure) {
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	return c.uploadTargetLocked(unit)
}

// uploadTargetLocked finds the folder, and the item to update if there is one.
func (c *call) uploadTargetLocked(unit *etree.Element) (*folder, *item, *failure) {
	to, f := c.folderOf(child(unit, "ParentFolderId"), "ErrorFolderNotFound")
	switch {
	case f != nil:
		return nil, nil, f
	case to.search:
		return nil, nil, fail("ErrorInvalidFolderTypeForOperation")
	}
	action := attr(unit, "CreateAction")
	if action == "CreateNew" {
		return to, nil, nil // [MS-OXWSBTRF] R227: an ItemId sent nevertheless is ignored
	}
	it, _, f := c.itemOf(child(unit, "ItemId"))
	if f != nil && f.code != "ErrorItemNotFound" {
		return nil, nil, f
	}
	if f == nil && it.folder == to {
		return to, it, nil
	}
	if action == "Update" {
		return nil, nil, fail("ErrorItemNotFound") // [MS-OXWSBTRF] R231
	}
	return to, nil, nil // [MS-OXWSBTRF] R235
}

// received makes content of an uploaded stream and stamps it.
func (s *Server) received(b blob) (*revision, *failure) {
	source := &blobSource{b, s.files}
	m, report, err := source.scan(fasttransfer.Visitor{Keep: 64 << 10})
	switch {
	case err != nil:
		return nil, fail("ErrorInternalServerError")
	case report.State != fasttransfer.Complete:
		return nil, fail("ErrorCorruptData")
	}
	if p := m.Properties.Find(mapi.PidTagLastModificationTime); p != nil && p.Tag.Type() == mapi.TypeTime {
		if err := restamp(b, p, s.options.Clock()); err != nil {
			return nil, fail("ErrorInternalServerError")
		}
	}
	class := m.Class()
	if class == "" {
		class = "IPM.Note"
	}
	return newRevision(source, class, b.size(), m.Read()), nil
}

// restamp overwrites the time of the last modification in a stream and leaves
// every other byte as it is. The value is found by its tag and old value, which
// stand together: no writer lets them straddle two buffers. A stream whose
// writer did stays as it is.
func restamp(b blob, old *mapi.Property, now time.Time) error {
	pattern := append([]byte{0x40, 0x00, 0x08, 0x30}, old.Data...)
	stamp := mapi.NewTime(mapi.PidTagLastModificationTime, now).Data
	switch b := b.(type) {
	case memoryBlob:
		if at := bytes.Index(b, pattern); at >= 0 {
			copy(b[at+4:], stamp)
		}
	case fileBlob:
		return restampFile(b.path, pattern, stamp)
	}
	return nil
}

func restampFile(path string, pattern, stamp []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for off, held := int64(0), 0; ; {
		n, err := io.ReadFull(f, buf[held:])
		window := buf[:held+n]
		if at := bytes.Index(window, pattern); at >= 0 {
			_, err := f.WriteAt(stamp, off+int64(at)+4)
			return err
		}
		if err != nil {
			return nil // all read and not found
		}
		held = copy(buf, window[len(window)-len(pattern)+1:])
		off += int64(len(window) - held)
	}
}
