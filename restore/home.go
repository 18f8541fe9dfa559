package restore

import (
	"context"
	"slices"
	"strings"

	"mailbrick/archive"
)

// homes finds the folders of items in the archive.
type homes struct {
	vault Vault
	lists map[homeKey]map[string]archive.Folder
	held  int // folders in them
	lines map[lineKey][]archive.Folder
}

// lineKey is all of a version that says where it was.
type lineKey struct {
	mailbox, id, path string
	from, to          uint32
}

type homeKey struct {
	mailbox string
	ordinal uint32
}

// maxHeld bounds how many folders are remembered. Items of all mailboxes come as they lie in the archive: one after another is
// of another mailbox.
const maxHeld = 1 << 13

// of gives the folders that an item was in, from the top down.
func (h *homes) of(ctx context.Context, v *archive.Version) ([]archive.Folder, error) {
	key := lineKey{v.Mailbox, v.FolderID, v.Folder, v.From, v.To}
	if line, ok := h.lines[key]; ok {
		return line, nil
	}
	line, err := h.find(ctx, v)
	if err != nil {
		return nil, err
	}
	if h.lines == nil || len(h.lines) == maxHeld {
		h.lines = map[lineKey][]archive.Folder{}
	}
	h.lines[key] = line
	return line, nil
}

// find looks up the folders of a version. It is visible in many snapshots, in which the folder may have had many names: the path that
// the version was read with decides.
func (h *homes) find(ctx context.Context, v *archive.Version) ([]archive.Folder, error) {
	names := splitPath(v.Folder)
	var found []archive.Folder
	last := v.To - 1 // of a living version it lies in the future: the folders as they are now
	for _, ordinal := range []uint32{last, v.From} {
		folders, err := h.list(ctx, homeKey{v.Mailbox, ordinal})
		if err != nil {
			return nil, err
		}
		line := lineage(folders, v.FolderID)
		if line != nil && (v.Folder == "" || archive.Path(folders, v.FolderID) == v.Folder) {
			return line, nil
		}
		if found == nil {
			found = line
		}
	}
	return renamed(found, names), nil
}

func (h *homes) list(ctx context.Context, key homeKey) (map[string]archive.Folder, error) {
	if folders, ok := h.lists[key]; ok {
		return folders, nil
	}
	folders, err := h.vault.Folders(ctx, archive.Snapshot{Mailbox: key.mailbox, Ordinal: key.ordinal})
	if err != nil {
		return nil, err
	}
	if h.held += 1 + len(folders); h.lists == nil || h.held > maxHeld {
		h.lists, h.held = map[homeKey]map[string]archive.Folder{}, 1+len(folders)
	}
	h.lists[key] = folders
	return folders, nil
}

// lineage is a folder with those above it, the top first; nil when it is not known. The roots are left out.
func lineage(folders map[string]archive.Folder, id string) []archive.Folder {
	line := []archive.Folder{}
	if _, ok := folders[id]; !ok {
		return nil
	}
	for range 256 { // deeper is a loop
		f, ok := folders[id]
		if !ok {
			break
		}
		if f.Name != "" && !isRoot(f.Kind) {
			line = append(line, f)
		}
		id = f.ParentID
	}
	slices.Reverse(line)
	return line
}

func isRoot(kind string) bool { return kind == "msgfolderroot" || kind == "root" }

// renamed gives a line the names of a path. Where they do not go together the path decides alone.
func renamed(line []archive.Folder, names []string) []archive.Folder {
	if len(names) == 0 {
		return line
	}
	if len(line) != len(names) {
		own := archive.Folder{}
		if len(line) > 0 {
			own = line[len(line)-1]
		}
		line = make([]archive.Folder, len(names))
		line[len(line)-1] = own
	}
	line = slices.Clone(line)
	for i, name := range names {
		line[i].Name = name
	}
	return line
}

// splitPath is the way back of archive.Path. Empty names are dropped.
func splitPath(path string) []string {
	var names []string
	var name strings.Builder
	end := func() {
		if name.Len() > 0 {
			names = append(names, name.String())
		}
		name.Reset()
	}
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path) && path[i+1] == '/':
			i++
			name.WriteByte('/')
		case path[i] == '/':
			end()
		default:
			name.WriteByte(path[i])
		}
	}
	end()
	return names
}

// joinPath is what people see of a line of folders.
func joinPath(names []string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = strings.ReplaceAll(name, "/", `\/`)
	}
	return strings.Join(escaped, "/")
}
