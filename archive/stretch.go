package archive

import (
	"bytes"
	"cmp"
	"slices"

	"mailbrick/archive/pack"
)

// stretch is a run of a pack's bytes.
type stretch struct {
	name     pack.Name
	off, end int64
	data     []byte // once read
}

func (s *stretch) compare(o *stretch) int {
	return cmp.Or(bytes.Compare(s.name[:], o.name[:]), cmp.Compare(s.off, o.off), cmp.Compare(s.end, o.end))
}

// coalesce joins stretches to those that are to be read, in order of pack and place: over gaps of up to gap bytes, and over
// longer ones, the shortest first, while there are more than most. All gaps together have at most gapsMost bytes.
func coalesce(list []stretch, gap int64, most int) []stretch {
	list = slices.Clone(list)
	slices.SortFunc(list, func(s, o stretch) int { return s.compare(&o) })
	joined := joints(list, gap, most)
	out := list[:0]
	for i, s := range list {
		if i > 0 && joined[i] {
			last := &out[len(out)-1]
			last.end = max(last.end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}

// joints tells of each of the sorted stretches whether it is read together with the one before it.
func joints(list []stretch, gap int64, most int) []bool {
	var order []int
	between := make([]int64, len(list)) // from the furthest end before it in its pack
	var end int64
	for i, s := range list {
		if i > 0 && list[i-1].name == s.name {
			between[i] = max(s.off-end, 0)
			end = max(end, s.end)
			order = append(order, i)
		} else {
			end = s.end
		}
	}
	slices.SortStableFunc(order, func(i, k int) int { return cmp.Compare(between[i], between[k]) })
	joined := make([]bool, len(list))
	left, gaps := len(list), int64(0)
	for _, i := range order {
		if gaps += between[i]; gaps > gapsMost || between[i] > gap && left <= most {
			break
		}
		joined[i] = true
		left--
	}
	return joined
}
