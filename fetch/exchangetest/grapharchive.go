package exchangetest

import (
	"errors"
	"net/http"
	"strings"

	"mailbrick/fetch/mapi"
)

// Graph has a mailbox id for each part of what is one Mailbox here: the primary
// mailbox, its archive, and the auxiliary archive where folders go when the
// archive is full. The archives are of the beta only.
const (
	partPrimary   = ""
	partArchive   = "archive" // and the prefix of distinguished names
	partAuxiliary = "auxiliary"
)

// MoveToAuxiliaryArchive moves a folder at the top of the archive, with all in
// and below it, to an auxiliary archive. Ids stay. Graph sends who asks for it
// at the archive elsewhere; EWS does not tell the two apart.
func (m *Mailbox) MoveToAuxiliaryArchive(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	top := m.special["archivemsgfolderroot"]
	if top == nil {
		return errors.New("move to auxiliary archive: no archive")
	}
	f := top.child(name)
	if f == nil {
		return errors.New("move to auxiliary archive: no such folder")
	}
	f.auxiliary = true
	return nil
}

// home is the part that a folder is in.
func (f *folder) home() string {
	for ; f.parent != nil; f = f.parent {
		if f.auxiliary {
			return partAuxiliary
		}
	}
	if f.special == "archiveroot" {
		return partArchive
	}
	return partPrimary
}

// partGUID is the GUID of a part as its MBX id has it.
func (m *Mailbox) partGUID(part string) mapi.GUID {
	if part == partPrimary {
		return m.guid
	}
	return guidOf(part, strings.ToLower(m.address))
}

func (m *Mailbox) hasArchive() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.special["archiveroot"] != nil
}

// partOf is the part of that GUID, if it is one of this mailbox.
func (m *Mailbox) partOf(guid mapi.GUID) (graphBox, bool) {
	for _, p := range []string{partPrimary, partArchive, partAuxiliary} {
		if m.partGUID(p) == guid {
			return graphBox{m, mailboxID(guid), p}, true
		}
	}
	return graphBox{}, false
}

// partID is the id of another part of the mailbox.
func (b graphBox) partID(part string) string { return mailboxID(b.partGUID(part)) }

// named finds a folder of the part by its well-known name.
func (b graphBox) named(name string) *folder {
	if b.part != partPrimary {
		name = partArchive + name
	}
	return b.special[name]
}

// wellKnown is the name of a folder within its part.
func wellKnown(special, home string) string {
	if home == partPrimary {
		return special
	}
	return strings.TrimPrefix(special, partArchive)
}

// claims refuses a folder of another part.
func (b graphBox) claims(f *folder) *failure {
	switch home := f.home(); {
	case home == b.part:
		return nil
	case home == partAuxiliary && b.part == partArchive:
		return fail("PermanentRedirect")
	}
	return notFound()
}

// redirect sends the client to the auxiliary archive.
func (c *graphCall) redirect() {
	behind := strings.SplitN(c.r.URL.EscapedPath(), "/", 7)[6] // "", beta, admin, exchange, mailboxes, id
	to := c.mailboxURL(c.box.partID(partAuxiliary)) + "/" + behind
	if c.r.URL.RawQuery != "" {
		to += "?" + c.r.URL.RawQuery
	}
	c.w.Header().Set("Location", to)
	c.w.WriteHeader(http.StatusPermanentRedirect)
}

// roots are the folders that a listing of the part begins with.
func (b graphBox) roots() (list []*folder) {
	if b.part == partAuxiliary {
		b.named("msgfolderroot").walk(func(f *folder) {
			if f.auxiliary {
				list = append(list, f)
			}
		})
		return list
	}
	list = append(list, b.named("msgfolderroot").children...)
	if finder := b.named("searchfolders"); finder != nil {
		list = append(list, finder.children...)
	}
	return list
}
