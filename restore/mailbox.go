package restore

import (
	"context"
	"fmt"
	"strings"

	"mailbrick/archive"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/mapi/fasttransfer"
)

// Mailbox is the target that uploads items to an Exchange mailbox, by EWS or by Graph.
type Mailbox struct {
	server  exchange
	address string
	opts    Options
	viewer  *viewer
	tree    *tree
	uploads map[*Item]*upload // placed and not put yet
}

// NewMailbox makes a target of the mailbox that a client of EWS works on, which the address names.
func NewMailbox(client *ews.Client, address string) *Mailbox {
	return &Mailbox{server: byEWS{client}, address: strings.ToLower(address)}
}

// upload is an item on its way to the mailbox.
type upload struct {
	item *Item
	node *node
	sent *sight
	read bool // the read flag it shall have

	held     itemRef // the item as the mailbox has it; no id: not there yet
	err      error   // why it is not there, or not proven to be
	final    bool    // no use in trying again
	unsure   bool    // it may be there: look before sending again
	verified bool    // what was to be found out by verifying is found out

	differences []string
	warnings    []string
}

// Begin reads the folders.
func (m *Mailbox) Begin(ctx context.Context, o Options) (err error) {
	m.opts, m.viewer, m.uploads = o, newViewer(), map[*Item]*upload{}
	if m.tree, err = readTree(ctx, m.server, o.DryRun); err != nil {
		return fmt.Errorf("read the folders of %s: %w", m.address, err)
	}
	return nil
}

// Finish has nothing to do: every item is in the mailbox when it is settled.
func (m *Mailbox) Finish() error { return nil }

// Place reads the blob, so that damage shows before anything is sent, and looks whether the item is there already.
func (m *Mailbox) Place(ctx context.Context, item *Item) (*Result, error) {
	u := &upload{item: item}
	settled, err := m.prepare(ctx, u)
	switch {
	case m.stops(ctx, err):
		return nil, because(ctx, err)
	case err != nil:
		return &Result{Status: Failed, Reason: err.Error(), Warnings: u.warnings}, nil
	case settled != nil:
		return settled, nil
	}
	m.uploads[item] = u
	return nil, nil
}

func (m *Mailbox) prepare(ctx context.Context, u *upload) (settled *Result, err error) {
	if u.node, err = m.place(ctx, u); err != nil {
		return nil, err
	}
	u.item.Target = u.node.path()
	if u.sent, err = m.inspect(ctx, u.item); err != nil {
		return nil, err
	}
	shelf, err := m.shelf(ctx, u.node, u.item.Version.Associated)
	if err != nil {
		return nil, err
	}
	if m.opts.Mode == Skip {
		if reason, found := shelf.take(u.identity()); found {
			return &Result{Status: Skipped, Reason: reason}, nil
		}
	}
	m.warn(u, shelf)
	u.read = u.sent.read
	// A change of the read flag alone makes a version without a new blob: the summary has it.
	if u.item.summarized && u.sent.state == fasttransfer.Complete && readable(u.sent.class) {
		u.read = u.item.Summary.Read
	}
	return nil, nil
}

// place finds the folder.
func (m *Mailbox) place(ctx context.Context, u *upload) (*node, error) {
	home := u.item.Home
	if home == nil {
		home = []archive.Folder{{Name: "Restored"}}
		u.warnings = append(u.warnings, "the archive does not know its folder")
	}
	home = recovered(home)
	n, err := m.tree.place(ctx, home, m.opts.ToFolder)
	if err == nil {
		err = n.err
	}
	if err != nil || len(home) == 0 {
		return n, err
	}
	if class := home[len(home)-1].Class; class != "" && n.class != "" && !strings.EqualFold(class, n.class) {
		u.warnings = append(u.warnings, fmt.Sprintf("it was in a folder of class %s and goes to one of class %s", class, n.class))
	}
	return n, nil
}

func (m *Mailbox) inspect(ctx context.Context, item *Item) (*sight, error) {
	blob, err := item.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read from the archive: %w", err)
	}
	defer blob.Close()
	seen, err := m.viewer.look(blob)
	if err != nil {
		return nil, fmt.Errorf("read from the archive: %w", err)
	}
	return seen, nil
}

// warn says what a person should know before relying on the item.
func (m *Mailbox) warn(u *upload, held *shelf) {
	if u.sent.state != fasttransfer.Complete {
		u.warnings = append(u.warnings, fmt.Sprintf("restored as it is, though it could not be read: %s", u.sent.reason))
	}
	if u.sent.state == fasttransfer.Complete && u.sent.crowded {
		u.warnings = append(u.warnings, warnCrowded)
	}
	if u.sent.organizerCopy && !m.same(u.item.Version) {
		u.warnings = append(u.warnings, warnOrganizer)
	}
	if m.opts.Mode == New && isAppointment(u.sent.class) && held.holds(u.sent.searchKey) {
		u.warnings = append(u.warnings, warnTwice)
	}
}

// same says whether a version comes from the mailbox it goes to. Ids mean something in their own mailbox only.
func (m *Mailbox) same(v *archive.Version) bool { return strings.EqualFold(v.Mailbox, m.address) }

func (u *upload) identity() identity {
	return identity{u.item.Version.ItemID, u.sent.searchKey, u.sent.messageID, u.item.Version.Size}
}

// stops says whether an error is one that the next items would meet too. The client has waited and tried as long as makes
// sense before it gave one of a busy or broken server.
func (m *Mailbox) stops(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	switch m.server.sort(err) {
	case refused, full, busy, broken:
		return true
	}
	return false
}

// because is an error, or what ended the context: then the error is only a consequence.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
