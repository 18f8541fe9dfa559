package restore

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// foldersOf is a mailbox of which only the folders are asked for.
type foldersOf struct {
	exchange
	all []folder
}

func (x foldersOf) folders(context.Context) (folder, []folder, error) {
	return folder{id: "root", kind: rootKind}, x.all, nil
}

// TestFoldersInACircle: whatever parents a server names, every folder lies below the root and has a path.
func TestFoldersInACircle(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ list, want string }{
		"a tree":               {"a:root b:a c:b", "a a/b a/b/c"},
		"children first":       {"c:b b:a a:root", "a a/b a/b/c"},
		"no parent":            {"a:x b:a", "a a/b"},
		"its own parent":       {"a:a b:a", "a a/b"},
		"two in each other":    {"a:b b:a", "a a/b|b b/a"},
		"beside a tree":        {"d:root a:b b:a e:d", "a a/b d d/e|b b/a d d/e"},
		"below a circle":       {"a:b b:a c:b", "a a/b a/b/c|b b/a b/c"},
		"the root once more":   {"root:a a:root", "a a/root|root root/a"},
		"the root, by itself":  {"root:root a:root", "root root/a"},
		"of one name and kind": {"inbox:b b:inbox", "b b/inbox|inbox inbox/b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var list []folder
			for _, word := range strings.Fields(row.list) {
				id, parent, _ := strings.Cut(word, ":")
				list = append(list, folder{id: id, parentID: parent, name: id, kind: map[bool]string{true: id}[id == "inbox"]})
			}
			tree, err := readTree(t.Context(), foldersOf{all: list}, true)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			queue := []*node{tree.root}
			for ; len(queue) > 0 && len(paths) < 10; queue = queue[1:] {
				for _, n := range queue[0].children {
					paths = append(paths, n.path())
					queue = append(queue, n)
				}
			}
			slices.Sort(paths)
			if got := strings.Join(paths, " "); !slices.Contains(strings.Split(row.want, "|"), got) {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}
