package pst

import (
	"encoding/binary"
	"slices"

	"mailbrick/fetch/mapi"
)

// column is a TCOLDESC [MS-PST] 2.3.4.2.
type column struct {
	tag  mapi.Tag
	at   int // in a row
	size int
	bit  int // that says whether a row has it
}

// table is a table context [MS-PST] 2.3.4.
type table struct {
	context
	columns []column
	width   int // of a row
	exists  int // where in a row the bits begin
	rows    uint32
}

// Properties of the rows of a table that say nothing of the object [MS-PST] 2.3.4.4.1.
const (
	rowID  = 0x67F2 // PidTagLtpRowId
	rowVer = 0x67F3 // PidTagLtpRowVer
)

// table reads a table and visits its rows in their order. Rows that cannot be
// read are left out with a warning.
func (in *reader) table(n node, visit func(mapi.Bag)) error {
	h, err := in.heap(n.data)
	if err != nil {
		return err
	}
	t := &table{context: context{heap: h}}
	if t.subs, err = in.subnodes(n.sub); err != nil {
		in.failed(err, "table")
	}
	index, err := t.header()
	if err != nil {
		return err
	}
	places := t.places(index)
	i := 0
	return t.eachRow(func(row []byte) bool {
		if len(places) > 0 && places[0] == i {
			visit(t.row(row))
			places = places[1:]
		}
		i++
		return len(places) > 0
	})
}

// header reads TCINFO [MS-PST] 2.3.4.1 and gives the HID of the row index.
func (t *table) header() (index uint32, err error) {
	info, err := t.item(t.root)
	if err != nil {
		return 0, err
	}
	const fixed = 22
	if t.kind != kindTable || len(info) < fixed || info[0] != kindTable || len(info) < fixed+8*int(info[1]) {
		return 0, damaged("heap item %#x: not a table", t.root)
	}
	t.exists, t.width = int(binary.LittleEndian.Uint16(info[6:])), int(binary.LittleEndian.Uint16(info[8:]))
	if t.width == 0 || t.exists > t.width {
		return 0, damaged("a table with rows of %d bytes", t.width)
	}
	t.rows = binary.LittleEndian.Uint32(info[14:])
	for i := range int(info[1]) {
		d := info[fixed+8*i:]
		col := column{mapi.Tag(binary.LittleEndian.Uint32(d)), int(binary.LittleEndian.Uint16(d[4:])), int(d[6]), int(d[7])}
		if col.at+col.size > t.width || t.exists+col.bit/8 >= t.width {
			t.in.warn("column %v: not in the rows", col.tag)
			continue
		}
		t.columns = append(t.columns, col)
	}
	return binary.LittleEndian.Uint32(info[10:]), nil
}

// places are the numbers of the rows that count, rising [MS-PST] 2.3.4.3.1.
func (t *table) places(index uint32) []int {
	width := 4
	if t.in.f.format == ANSI {
		width = 2
	}
	var places []int
	err := t.records(index, 4, width, func(b []byte) {
		n := int(binary.LittleEndian.Uint16(b[4:]))
		if width == 4 {
			n = int(binary.LittleEndian.Uint32(b[4:]))
		}
		if len(places) < maxObjects {
			places = append(places, n)
		}
	})
	if err != nil {
		t.in.failed(err, "row index")
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// eachRow visits the rows until it is told to stop: no row crosses blocks [MS-PST] 2.3.4.4.
func (t *table) eachRow(visit func([]byte) bool) error {
	data, s, err := t.source(t.rows)
	if s == nil {
		t.rowsOf(data, visit)
		return err
	}
	for i := range s.leaves {
		data, err := t.in.loadLeaf(s.leaves[i].block)
		if err != nil {
			return err
		}
		if !t.rowsOf(data, visit) {
			return nil
		}
	}
	return err
}

func (t *table) rowsOf(data []byte, visit func([]byte) bool) bool {
	for ; len(data) >= t.width; data = data[t.width:] {
		if !visit(data[:t.width]) {
			return false
		}
	}
	return true
}

// row reads the cells of a row that are there [MS-PST] 2.3.4.4.1.
func (t *table) row(row []byte) mapi.Bag {
	bag := make(mapi.Bag, 0, len(t.columns))
	for _, col := range t.columns {
		if row[t.exists+col.bit/8]&(0x80>>(col.bit%8)) == 0 || col.tag.ID() == rowID || col.tag.ID() == rowVer {
			continue
		}
		if p, ok := t.property(col.tag, row[col.at:col.at+col.size]); ok {
			bag = append(bag, p)
		}
	}
	return bag
}
