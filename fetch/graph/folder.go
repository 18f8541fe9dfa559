package graph

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Folder is what a backup keeps of a folder. CommitTime and Deleted are its marks: while neither differs from last time,
// nothing in the folder has changed (PidTagLocalCommitTimeMax, PidTagDeletedCountTotal). They are "" where the server
// does not give them.
type Folder struct {
	ID, ParentID, Name, Class string
	WellKnown                 string // "inbox"; "" if it is none of those
	Total, Children           int    // Children is -1 if the server does not say
	Search                    bool   // a search folder: it holds nothing of its own
	CommitTime, Deleted       string
	Seen                      time.Time // when that was so, by the server's clock; zero if it does not tell
}

// Properties of folders that are asked for beside those of the API.
const (
	tagFolderType   = 0x3601
	tagCommitTime   = 0x670A
	tagDeletedTotal = 0x670B

	folderSearch = 2 // PidTagFolderType [MS-OXCFOLD] 2.2.2.2.2.11

	folderFields   = "id,displayName,parentFolderId,childFolderCount,totalItemCount,type,wellKnownName"
	folderExpanded = "singleValueExtendedProperties($filter=id eq 'Integer 0x3601' or id eq 'SystemTime 0x670A' or id eq 'Integer 0x670B')"
)

// Folder looks a folder up by id or well-known name. One that is not there, or may not be seen, is the zero Folder.
func (c *Client) Folder(ctx context.Context, idOrName string) (f Folder, err error) {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return f, err
	}
	op := &operation{
		name: "get folder", method: http.MethodGet,
		url: c.at(in(mailbox, "folders", idOrName), "$select", folderFields, "$expand", folderExpanded),
		read: func(s *scanner) (err error) {
			f, err = s.folder()
			return err
		},
	}
	err = c.call(ctx, op)
	f.Seen = op.date
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound && !errors.Is(err, ErrNotGraph) {
		return Folder{}, nil
	}
	return f, err
}

// page reads a collection, and gives the link to what follows.
func (c *Client) page(s *scanner, element func() error) (next string, err error) {
	found := false
	err = s.object(func(name string) (err error) {
		switch name {
		case "value":
			found = true
			return s.array(element)
		case "@odata.nextLink":
			next, err = s.text()
			return err
		}
		return s.skip()
	})
	if err != nil || next == "" {
		if err == nil && !found {
			err = s.syntax("no value in the answer")
		}
		return "", err
	}
	return next, c.own(next)
}

func (s *scanner) folder() (Folder, error) {
	f := Folder{Children: -1}
	err := s.object(func(name string) error { return s.folderMember(&f, name) })
	return f, s.folderRead(&f, err)
}

func (s *scanner) folderMember(f *Folder, name string) (err error) {
	switch name {
	case "id":
		f.ID, err = s.text()
	case "displayName":
		f.Name, err = s.text()
	case "parentFolderId":
		f.ParentID, err = s.text()
	case "type":
		f.Class, err = s.text()
	case "wellKnownName":
		f.WellKnown, err = s.text()
	case "totalItemCount":
		f.Total, err = s.count()
	case "childFolderCount":
		f.Children, err = s.count()
	case "singleValueExtendedProperties":
		err = s.properties(func(tag uint16, value string) {
			switch tag {
			case tagFolderType:
				f.Search = value == strconv.Itoa(folderSearch)
			case tagCommitTime:
				f.CommitTime = value
			case tagDeletedTotal:
				f.Deleted = value
			}
		})
	default:
		err = s.skip()
	}
	return err
}

func (s *scanner) folderRead(f *Folder, err error) error {
	if err == nil && f.ID == "" {
		err = s.syntax("a folder without an id")
	}
	f.WellKnown = strings.ToLower(f.WellKnown)
	return err
}

func (s *scanner) count() (int, error) {
	n, err := s.number()
	if err == nil && (n < 0 || n > 1<<40) {
		err = s.syntax("a count that is none")
	}
	return int(n), err
}

// properties reads [{"id":"Integer 0x3601","value":"2"}]. Servers write the numbers of tags as they like: 0x1A or 0x001a.
func (s *scanner) properties(each func(tag uint16, value string)) error {
	return s.array(func() error {
		var id, value string
		err := s.object(func(name string) (err error) {
			switch name {
			case "id":
				id, err = s.text()
			case "value":
				value, err = s.text()
			default:
				err = s.skip()
			}
			return err
		})
		_, number, _ := strings.Cut(id, " ")
		if tag, numErr := strconv.ParseUint(number, 0, 16); numErr == nil {
			each(uint16(tag), value)
		}
		return err
	})
}

// CreateFolder makes a folder below one, "" being the top, and gives that which is there already, if there is.
func (c *Client) CreateFolder(ctx context.Context, parentID, name, class string) (f Folder, err error) {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return f, err
	}
	if class == "" {
		class = "IPF.Note" // it must be given, and cannot be changed
	}
	body, err := json.Marshal(map[string]string{"displayName": name, "type": class})
	if err != nil {
		return f, err
	}
	parts := in(mailbox, "folders")
	if parentID != "" {
		parts = in(mailbox, "folders", parentID, "childFolders")
	}
	err = c.call(ctx, &operation{
		name: "create folder", method: http.MethodPost, url: c.at(parts), json: body,
		read: func(s *scanner) (err error) {
			f, err = s.folder()
			return err
		},
	})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		return c.existing(ctx, parentID, name, err)
	}
	return f, err
}

// existing finds the folder that kept another from being made.
func (c *Client) existing(ctx context.Context, parentID, name string, refusal error) (Folder, error) {
	list, err := c.level(ctx, parentID, 0)
	if err != nil {
		return Folder{}, err
	}
	for _, f := range list {
		if strings.EqualFold(f.Name, name) && !f.Search {
			return f.Folder, nil
		}
	}
	return Folder{}, refusal
}
