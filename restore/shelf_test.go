package restore

import (
	"hash/maphash"
	"testing"
)

func TestShelf(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	listed := found{itemRef: itemRef{id: "id"}, searchKey: key, messageID: "<m>", size: 100000}
	keyless := listed
	keyless.searchKey = nil
	for _, row := range []struct {
		name   string
		listed found
		sought identity
		want   bool
	}{
		{"by id", listed, identity{itemID: "id"}, true},
		{"ids differ by case", listed, identity{itemID: "ID"}, false},
		{"by search key", listed, identity{searchKey: key, messageID: "<other>", size: 1}, true},
		{"another search key", listed, identity{searchKey: []byte("other"), messageID: "<m>", size: 100000}, false},
		{"no search key here", listed, identity{messageID: "<m>", size: 110000}, true},
		{"no search key there", keyless, identity{searchKey: key, messageID: "<m>", size: 90000}, true},
		{"another size", keyless, identity{searchKey: key, messageID: "<m>", size: 50000}, false},
		{"another Message-ID", keyless, identity{searchKey: key, messageID: "<n>", size: 100000}, false},
		{"nothing to go by", found{itemRef: itemRef{id: "id"}}, identity{itemID: "x"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(maphash.MakeSeed())
			s.add(row.listed)
			if _, got := s.take(row.sought); got != row.want {
				t.Errorf("found %v, want %v", got, row.want)
			}
			if _, again := s.take(row.sought); again {
				t.Error("one item found twice")
			}
		})
	}
}
