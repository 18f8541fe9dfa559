package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"mailbrick/fetch/ews"
)

// EWSPublicFolders makes a source of the public folders that the client's mailbox sees. There is no synchronization of
// them: folders are listed level by level, and a folder whose mark changed is listed whole and compared. The items of a
// folder lie in a mailbox of the domain that the folder names. [MS-OXWSSYNC] knows none; ews.md §13.
func EWSPublicFolders(client *ews.Client, domain string, associated bool) Source {
	return &publicSource{ewsSource: ewsSource{client: client, scope: EWSScope{Associated: associated}}, domain: domain, homes: map[string]string{}, begun: map[string]bool{}}
}

type publicSource struct {
	ewsSource
	domain string
	homes  map[string]string // by folder: the address of the mailbox that holds its items
	begun  map[string]bool   // folders whose listing began in this run
	root   Cover
	reason string
}

// Kind keeps the public folders from being taken for a mailbox.
func (s *publicSource) Kind() string { return PartPublic }

// Parts: there is but one tree.
func (s *publicSource) Parts() []Part {
	associated := Part{Name: PartAssociated, State: NotAsked}
	if s.scope.Associated {
		associated.State = Covered
	}
	return []Part{{Name: PartPublic, State: s.root, Reason: s.reason, Root: publicFolderRoot}, associated}
}

// Folders takes a request for the root and one for each folder that has others below it.
func (s *publicSource) Folders(ctx context.Context) ([]Folder, error) {
	s.root, s.reason = Covered, ""
	roots, refused, err := s.client.LookUp(ctx, ews.FolderRef{Distinguished: publicFolderRoot})
	switch {
	case err != nil:
		return nil, err
	case refused[0] != nil && refusal(refused[0]):
		s.root, s.reason = Refused, refused[0].Error()
		return nil, nil
	case refused[0] != nil:
		return nil, refused[0]
	case roots[0].ID == "":
		s.root = NotThere
		return nil, nil
	}
	top := ewsFolder(roots[0])
	top.Name, top.ParentID, top.Kind = "", "", publicFolderRoot
	out := []Folder{top}
	return out, s.below(ctx, &out)
}

// below lists what lies below the last folder of out, level by level.
func (s *publicSource) below(ctx context.Context, out *[]Folder) error {
	for next, children := 0, []int{1}; next < len(*out); next++ {
		if children[next] == 0 {
			continue
		}
		list, err := s.client.ChildFolders(ctx, ews.FolderRef{ID: (*out)[next].ID})
		if err != nil {
			if next > 0 && refusal(err) {
				(*out)[next].Closed = true // what is known below it stays
				continue
			}
			return err
		}
		for _, f := range list {
			if f.Search {
				continue
			}
			folder := ewsFolder(f)
			folder.Kind = ""
			*out, children = append(*out, folder), append(children, f.Children)
			if f.Replica != "" && s.domain != "" {
				s.homes[f.ID] = f.Replica + "@" + s.domain
			}
		}
	}
	return nil
}

// publicState is where a listing stands.
type publicState struct {
	Offset     int    `json:"offset"`
	Last       string `json:"last,omitempty"`       // the item before the offset
	Associated bool   `json:"associated,omitempty"` // these are listed after the others
	Again      int    `json:"again,omitempty"`      // how often the folder had changed meanwhile
	Done       bool   `json:"done,omitempty"`
}

// maxAgain is how often a listing begins anew because the folder changed under it.
const maxAgain = 5

// Changes lists a folder; a list that was complete cannot be followed. Each page begins with the last item of the one
// before: where that is another, the folder has changed and what moved across the border would be missed.
func (s *publicSource) Changes(ctx context.Context, folderID, state string) (Page, error) {
	var at publicState
	if state != "" {
		// A list that another run began is not gone on with: what it told of may be gone.
		if err := json.Unmarshal([]byte(state), &at); err != nil || at.Done || !s.begun[folderID] {
			return Page{}, ErrStateLost
		}
	}
	s.begun[folderID] = true
	client, err := s.client.Routed(s.homes[folderID])
	if err != nil {
		return Page{}, err
	}
	p, err := client.ListItems(ctx, folderID, max(at.Offset-1, 0), at.Associated)
	if err != nil {
		return Page{}, ewsError(err)
	}
	if at.Last != "" && (len(p.Items) == 0 || p.Items[0].Item.ID != at.Last) {
		if at = (publicState{Again: at.Again + 1}); at.Again > maxAgain {
			return Page{}, fmt.Errorf("%w: it changes while it is listed", ErrFolder)
		}
		return at.page(nil)
	}
	changes := make([]Change, len(p.Items))
	for i, it := range p.Items {
		changes[i].Ref = Ref{ItemID: it.Item.ID, ChangeKey: it.Item.ChangeKey, Size: it.Size, Associated: at.Associated}
	}
	return at.after(p, s.scope.Associated).page(changes)
}

// after is the state behind a page.
func (at publicState) after(p ews.ListPage, associated bool) publicState {
	switch {
	case !p.Last:
		at.Offset, at.Last = p.Next, ""
		if n := len(p.Items); n > 0 {
			at.Last = p.Items[n-1].Item.ID
		}
	case associated && !at.Associated:
		at = publicState{Associated: true, Again: at.Again}
	default:
		at = publicState{Done: true}
	}
	return at
}

func (at publicState) page(changes []Change) (Page, error) {
	state, err := json.Marshal(at)
	return Page{Changes: changes, State: string(state), Last: at.Done}, err
}

// Export asks the mailbox that holds the folder's items.
func (s *publicSource) Export(ctx context.Context, items []Ref, each func(int, Ref, io.Reader, error) error) error {
	home := ""
	if len(items) > 0 {
		home = s.homes[items[0].FolderID]
	}
	client, err := s.client.Routed(home)
	if err != nil {
		return err
	}
	return (&ewsSource{client: client}).Export(ctx, items, each)
}

// PublicFoldersName is what the public folders that an address sees are called as a mailbox.
func PublicFoldersName(address string) string {
	if _, domain, ok := strings.Cut(address, "@"); ok && domain != "" {
		return PartPublic + " of " + strings.ToLower(domain)
	}
	return PartPublic
}
