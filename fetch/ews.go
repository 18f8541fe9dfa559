package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mailbrick/fetch/ews"
)

// EWS makes a source of a mailbox on Exchange Web Services, of as much as is asked for. The client works on that mailbox.
func EWS(client *ews.Client, scope EWSScope) Source { return &ewsSource{client: client, scope: scope} }

type ewsSource struct {
	client *ews.Client
	scope  EWSScope
	trees  []ewsTree // as the last listing found them
}

func (s *ewsSource) Rest() time.Duration { return s.client.Rest() }

// pageSize is the most that Exchange gives at once.
const pageSize = 512

func (s *ewsSource) Changes(ctx context.Context, folderID, state string) (Page, error) {
	p, err := s.client.SyncFolderItems(ctx, folderID, state, pageSize)
	if err != nil {
		return Page{}, ewsError(err)
	}
	page := Page{State: p.State, Last: p.Last, Changes: make([]Change, 0, len(p.Changes))}
	for _, c := range p.Changes {
		change := Change{Ref: Ref{ItemID: c.Item.ID, ChangeKey: c.Item.ChangeKey, Size: c.Size, Associated: c.Associated}, Read: c.Read}
		switch c.Kind {
		case ews.Deleted:
			change.Kind = Deleted
		case ews.ReadFlag:
			change.Kind = Flagged
		}
		page.Changes = append(page.Changes, change)
	}
	return page, nil
}

func (s *ewsSource) Export(ctx context.Context, items []Ref, each func(int, Ref, io.Reader, error) error) error {
	refs := make([]ews.ItemRef, len(items))
	for i, it := range items {
		refs[i] = ews.ItemRef{ID: it.ItemID} // without the change key: the latest state is wanted, whatever it is by now
	}
	err := s.client.ExportItems(ctx, refs, func(n int, item ews.ItemRef, body io.Reader, err error) error {
		if err != nil {
			return each(n, items[n], nil, itemError(err))
		}
		got := items[n]
		if item.ChangeKey != "" {
			got.ChangeKey = item.ChangeKey
		}
		return each(n, got, &ewsBody{body}, nil)
	})
	return exportError(err)
}

// ewsBody gives the client's errors this package's meaning.
type ewsBody struct{ r io.Reader }

func (b *ewsBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = exportError(err)
	}
	return n, err
}

// exportError: an answer that is cut short, or a batch that was too much or that one item of it spoils, may come through
// item by item.
func exportError(err error) error {
	var e *ews.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ews.ErrTruncated):
		return fmt.Errorf("%w: %w", ErrAgain, err)
	case errors.As(err, &e) && e.Unanswered():
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	case e != nil && (e.Class() == ews.Shrink || e.Class() == ews.Item):
		return fmt.Errorf("%w: %w", ErrAgain, err)
	}
	return err
}

// itemError sorts the error of one item of an answer.
func itemError(err error) error {
	var e *ews.Error
	if !errors.As(err, &e) {
		return exportError(err)
	}
	switch {
	case e.Code == "ErrorItemNotFound":
		return fmt.Errorf("%w: %w", ErrGone, err)
	case e.Class() == ews.Auth:
		return err
	case e.Class() == ews.Item || e.Class() == ews.Bug || e.Class() == ews.Permanent: // were it the mailbox, its next page would say so
		return fmt.Errorf("%w: %w", ErrItem, err)
	}
	return fmt.Errorf("%w: %w", ErrAgain, err)
}

// ewsError sorts the error of a folder or of its changes.
func ewsError(err error) error {
	var e *ews.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case "ErrorInvalidSyncStateData":
		return fmt.Errorf("%w: %w", ErrStateLost, err)
	case "ErrorFolderNotFound", "ErrorSyncFolderNotFound", "ErrorItemNotFound":
		return fmt.Errorf("%w: %w", ErrGone, err)
	case "ErrorAccessDenied":
		return fmt.Errorf("%w: %w: %w", ErrFolder, ErrDenied, err)
	case "ErrorFolderCorrupt":
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return err
}
