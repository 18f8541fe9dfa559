package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mailbrick/fetch/graph"
)

// GraphScope says what is asked for beside the primary mailbox's folders.
type GraphScope struct {
	Archive            *graph.Client // works on the archive mailbox; nil if that is not asked for
	Recoverable        bool
	Associated, Public bool // asked for, which Graph has not
}

// Graph makes a source of a mailbox on Microsoft Graph, of as much as is asked for. The client works on that mailbox.
func Graph(client *graph.Client, scope GraphScope) Source {
	return &graphSource{client: client, scope: scope, archived: map[string]bool{}}
}

type graphSource struct {
	client   *graph.Client
	scope    GraphScope
	parts    []Part          // as the last listing found them
	archived map[string]bool // by id: the folders of the archive mailbox
}

// The archive has the ids of EWS, so that a mailbox that moves from one protocol to the other stays the same.

// of gives the client for a folder.
func (s *graphSource) of(folderID string) *graph.Client {
	if s.archived[folderID] {
		return s.scope.Archive
	}
	return s.client
}

func (s *graphSource) Rest() time.Duration { return s.client.Rest() }

// plainState is the prefix of a state that is a place in a plain listing: a mailbox that is full takes no delta, since the
// server keeps something of it there.
const plainState = "list "

func (s *graphSource) Changes(ctx context.Context, folderID, state string) (Page, error) {
	client, folder := s.of(folderID), graph.FromEWS(folderID)
	link, plain := strings.CutPrefix(state, plainState)
	if !plain && state != "" && !strings.Contains(state, "://") {
		return Page{}, fmt.Errorf("%w: it is of another protocol", ErrStateLost)
	}
	if plain {
		p, err := client.ListItems(ctx, folder, link)
		return plainPage(p), graphError(err)
	}
	p, err := client.ChangedItems(ctx, folder, state)
	var e *graph.Error
	if errors.As(err, &e) && e.Class() == graph.Full {
		if state != "" {
			return Page{}, fmt.Errorf("%w: %w", ErrStateLost, err)
		}
		p, err = client.ListItems(ctx, folder, "")
		return plainPage(p), graphError(err)
	}
	if err != nil {
		return Page{}, graphError(err)
	}
	page := Page{State: p.Next, Changes: graphChanges(p.Items)}
	if p.Next == "" {
		page.State, page.Last = p.Delta, true
	}
	return page, nil
}

// plainPage is a page of a listing. Behind the last the beginning follows: the next run compares.
func plainPage(p graph.ItemPage) Page {
	page := Page{Changes: graphChanges(p.Items), Last: p.Next == ""}
	if !page.Last {
		page.State = plainState + p.Next
	}
	return page
}

// graphChanges gives each item once, as it was told last.
func graphChanges(items []graph.Listed) []Change {
	out := make([]Change, 0, len(items))
	at := make(map[string]int, len(items))
	for _, it := range items {
		c := Change{Ref: Ref{ItemID: graph.ToEWS(it.ID), ChangeKey: it.ChangeKey, Size: it.Size}}
		if it.Removed {
			c.Kind = Deleted
		}
		if i, told := at[c.ItemID]; told {
			out[i] = c
			continue
		}
		at[c.ItemID] = len(out)
		out = append(out, c)
	}
	return out
}

func (s *graphSource) Export(ctx context.Context, items []Ref, each func(int, Ref, io.Reader, error) error) error {
	refs := make([]graph.ItemRef, len(items))
	for i, it := range items {
		refs[i] = graph.ItemRef{ID: graph.FromEWS(it.ItemID), ChangeKey: it.ChangeKey}
	}
	called := false
	err := s.of(items[0].FolderID).ExportItems(ctx, refs, func(n int, item graph.ItemRef, body io.Reader, err error) error {
		called = true
		if err != nil {
			return each(n, items[n], nil, graphItemError(err))
		}
		got := items[n]
		if item.ChangeKey != "" {
			got.ChangeKey = item.ChangeKey
		}
		return each(n, got, &graphBody{body}, nil)
	})
	var e *graph.Error
	if len(items) == 1 && !called && errors.As(err, &e) {
		switch e.Class() { // of a request for one item, what is wrong with it is wrong with the item
		case graph.Gone, graph.Item, graph.Bug, graph.Moved:
			return each(0, items[0], nil, graphItemError(err))
		}
	}
	return graphExportError(err)
}

// graphBody gives the client's errors this package's meaning.
type graphBody struct{ r io.Reader }

func (b *graphBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = graphExportError(err)
	}
	return n, err
}

// graphExportError: an answer that is cut short, or a batch that was too much or that one item of it spoils, may come
// through item by item.
func graphExportError(err error) error {
	var e *graph.Error
	if errors.Is(err, graph.ErrTruncated) {
		return fmt.Errorf("%w: %w", ErrAgain, err)
	}
	if errors.As(err, &e) {
		if e.Unanswered() {
			return fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		switch e.Class() {
		case graph.Shrink, graph.Item, graph.Gone, graph.Bug, graph.Moved:
			return fmt.Errorf("%w: %w", ErrAgain, err)
		}
	}
	return err
}

// graphItemError sorts the error of one item of an answer.
func graphItemError(err error) error {
	var e *graph.Error
	if !errors.As(err, &e) {
		return graphExportError(err)
	}
	if e.Unanswered() {
		return graphExportError(err)
	}
	switch e.Class() {
	case graph.Gone:
		return fmt.Errorf("%w: %w", ErrGone, err)
	case graph.Auth:
		return err
	case graph.Item, graph.Bug, graph.Moved, graph.Full, graph.Permanent: // were it the mailbox, its next page would say so
		return fmt.Errorf("%w: %w", ErrItem, err)
	}
	return fmt.Errorf("%w: %w", ErrAgain, err)
}

// graphError sorts the error of a folder or of its changes.
func graphError(err error) error {
	var e *graph.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Class() == graph.Resync:
		return fmt.Errorf("%w: %w", ErrStateLost, err)
	case e.Class() == graph.Gone:
		return fmt.Errorf("%w: %w", ErrGone, err)
	case strings.EqualFold(e.Code, "ErrorAccessDenied"):
		return fmt.Errorf("%w: %w: %w", ErrFolder, ErrDenied, err)
	case e.Class() == graph.Item:
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return err
}

// graphFolder is a folder as the archive knows it. Its mark is the time of the last change, the number of deletions and
// that of items. A time in whole seconds that is not over yet is no mark: more may follow within it.
func graphFolder(f graph.Folder) Folder {
	out := Folder{ID: graph.ToEWS(f.ID), ParentID: graph.ToEWS(f.ParentID), Name: f.Name, Class: f.Class, Kind: f.WellKnown, Total: f.Total}
	if at, err := time.Parse(time.RFC3339Nano, f.CommitTime); err == nil && f.Deleted != "" {
		fine := strings.ContainsRune(f.CommitTime, '.')
		if fine || f.Seen.Sub(at) >= 2*time.Second {
			out.Mark = fmt.Sprintf("%s %s %d", f.CommitTime, f.Deleted, f.Total)
		}
	}
	return out
}

// Parts are the trees and what lies across them.
func (s *graphSource) Parts() []Part { return slices.Clone(s.parts) }
