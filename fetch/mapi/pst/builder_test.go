package pst

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/binary"
	"slices"

	"mailbrick/fetch/mapi"
)

// builder writes small files. Its limits are below those of the format, so that
// small files have all the structures of big ones.
type builder struct {
	format   Format
	l        layout
	crypt    byte
	compress bool
	version  uint16

	chunk     int // bytes of a data block
	fan       int // entries of a page or of a block that lists others
	heapBlock int // bytes of a block of a heap
	inHeap    int // the longest value in a heap

	out     []byte
	nextBID uint64
	nextNID uint32
	index   []block
	nodes   []nodeOf
	names   []mapi.Name
}

type nodeOf struct {
	node
	parent uint32
}

func newBuilder(f Format, crypt byte) *builder {
	b := &builder{format: f, l: layoutOf(f), crypt: crypt, chunk: 4000, fan: 1000, heapBlock: 3000, inHeap: 500,
		nextBID: 4, nextNID: 1, out: make([]byte, 0x1000)}
	b.version = map[Format]uint16{ANSI: 14, Unicode: 23, Unicode4K: 36}[f]
	return b
}

// tight makes trees of all levels out of little.
func (b *builder) tight() *builder {
	b.chunk, b.fan, b.heapBlock, b.inHeap = 64, 6, 256, 100
	return b
}

func (b *builder) word(out []byte, v uint64) []byte {
	if b.l.id == 4 {
		return binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	return binary.LittleEndian.AppendUint64(out, v)
}

func u16(b []byte, v int) []byte    { return binary.LittleEndian.AppendUint16(b, uint16(v)) }
func u32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

func (b *builder) trailer(head uint16, crc uint32, bid uint64, off int) []byte {
	t := u16(u16(nil, int(head)), int(signature(bid, int64(off))))
	if b.l.id == 4 {
		return u32(u32(t, uint32(bid)), crc)
	}
	return binary.LittleEndian.AppendUint64(u32(t, crc), bid)
}

func (b *builder) align(n int) {
	for len(b.out)%n != 0 {
		b.out = append(b.out, 0)
	}
}

// block writes a block and gives its BID.
func (b *builder) block(content []byte, list bool) uint64 {
	bid := b.nextBID
	b.nextBID += 4
	if list {
		bid |= 2
	}
	data := slices.Clone(content)
	if !list && b.crypt == cryptPermute {
		for i, c := range data {
			data[i] = wheelR[c]
		}
	} else if !list {
		reveal(b.crypt, bid, data, 0)
	}
	if b.compress {
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		z.Write(data)
		z.Close()
		if packed.Len() < len(data) {
			data = packed.Bytes()
		}
	}
	b.align(b.l.blockAlign)
	at := block{bid: bid, off: int64(len(b.out)), stored: len(data), size: len(content)}
	b.out = append(b.out, data...)
	for (len(b.out)-int(at.off)+b.l.blockTrailer)%b.l.blockAlign != 0 {
		b.out = append(b.out, 0)
	}
	b.out = append(b.out, b.trailer(uint16(len(data)), checksum(data), bid, int(at.off))...)
	if b.format == Unicode4K {
		b.out = u32(u16(u16(b.out, 0), len(content)), 0)
	}
	b.index = append(b.index, at)
	return bid
}

// data writes a data tree with those leaves.
func (b *builder) data(leaves ...[]byte) uint64 {
	type branch struct {
		bid  uint64
		size int
	}
	var level []branch
	for _, l := range leaves {
		level = append(level, branch{b.block(l, false), len(l)})
	}
	for height := byte(1); len(level) > 1; height++ {
		var above []branch
		for part := range slices.Chunk(level, b.fan) {
			list, total := []byte{}, 0
			for _, c := range part {
				list, total = b.word(list, c.bid), total+c.size
			}
			head := u32(u16([]byte{1, height}, len(part)), uint32(total))
			above = append(above, branch{b.block(append(head, list...), true), total})
		}
		level = above
	}
	if len(level) == 0 {
		return 0
	}
	return level[0].bid
}

// value writes a value as a data tree.
func (b *builder) value(data []byte) uint64 {
	return b.data(slices.Collect(slices.Chunk(data, max(b.chunk, len(data)/(b.fan*b.fan)+1)))...)
}

func (b *builder) subnodes(list []node) uint64 {
	if len(list) == 0 {
		return 0
	}
	slices.SortFunc(list, func(x, y node) int { return cmp.Compare(x.nid, y.nid) })
	write := func(level byte, count int, entries []byte) uint64 {
		head := u16([]byte{2, level}, count)
		if b.l.id == 8 {
			head = u32(head, 0)
		}
		return b.block(append(head, entries...), true)
	}
	var top []byte
	var last uint64
	parts := 0
	for part := range slices.Chunk(list, b.fan) {
		var entries []byte
		for _, n := range part {
			entries = b.word(b.word(b.word(entries, uint64(n.nid)), n.data), n.sub)
		}
		last = write(0, len(part), entries)
		top = b.word(b.word(top, uint64(part[0].nid)), last)
		parts++
	}
	if parts == 1 {
		return last
	}
	return write(1, parts, top)
}

// heapOf is a heap being built.
type heapOf struct {
	b      *builder
	blocks [][][]byte
	room   int
	kind   byte
	root   uint32
	subs   []node
}

func (b *builder) heap(kind byte) *heapOf {
	return &heapOf{b: b, kind: kind, blocks: [][][]byte{nil}, room: b.heapBlock}
}

func (h *heapOf) add(item []byte) uint32 {
	if len(item) == 0 {
		return 0
	}
	if h.room < len(item) {
		h.blocks, h.room = append(h.blocks, nil), h.b.heapBlock
	}
	h.room -= len(item)
	last := len(h.blocks) - 1
	h.blocks[last] = append(h.blocks[last], item)
	return uint32(last)<<(5+h.b.l.itemBits) | uint32(len(h.blocks[last]))<<5
}

// records adds a B-tree.
func (h *heapOf) records(key int, list [][]byte) uint32 {
	value := 6
	if len(list) > 0 {
		value = len(list[0]) - key
	}
	slices.SortFunc(list, func(x, y []byte) int { return cmp.Compare(h.key(x, key), h.key(y, key)) })
	level, height := list, byte(0)
	for {
		var above [][]byte
		for part := range slices.Chunk(level, h.b.fan) {
			above = append(above, u32(slices.Clone(part[0][:key]), h.add(slices.Concat(part...))))
		}
		if len(above) <= 1 {
			hid := uint32(0)
			if len(above) == 1 {
				hid = binary.LittleEndian.Uint32(above[0][key:])
			}
			return h.add(u32([]byte{kindBTree, byte(key), byte(value), height}, hid))
		}
		level = above
		height++
	}
}

func (h *heapOf) key(r []byte, n int) uint64 {
	var k [8]byte
	copy(k[:], r[:n])
	return binary.LittleEndian.Uint64(k[:])
}

// write gives the node of the heap.
func (h *heapOf) write(nid uint32) node {
	var leaves [][]byte
	for i, items := range h.blocks {
		data := u16(nil, 0)
		if i == 0 {
			data = u32(u32(append(data, heapSignature, h.kind), h.root), 0)
		}
		offsets := u16(nil, len(data))
		for _, item := range items {
			data = append(data, item...)
			offsets = u16(offsets, len(data))
		}
		binary.LittleEndian.PutUint16(data, uint16(len(data)))
		leaves = append(leaves, append(u16(u16(data, len(items)), 0), offsets...))
	}
	return node{nid, h.b.data(leaves...), h.b.subnodes(h.subs)}
}

// hnid puts a value into the heap or beside it.
func (h *heapOf) hnid(data []byte) uint32 {
	if len(data) <= h.b.inHeap {
		return h.add(data)
	}
	return h.sub(node{nid: h.b.fresh(0x1F), data: h.b.value(data)})
}

func (h *heapOf) sub(n node) uint32 {
	h.subs = append(h.subs, n)
	return n.nid
}

func (b *builder) fresh(kind uint32) uint32 {
	b.nextNID++
	return b.nextNID<<5 | kind
}

// id is the id of a property in this file.
func (b *builder) id(p *mapi.Property) int {
	if p.Name == nil {
		return int(p.Tag.ID())
	}
	i := slices.Index(b.names, *p.Name)
	if i < 0 {
		i = len(b.names)
		b.names = append(b.names, *p.Name)
	}
	return mapi.FirstNamed + i
}

// stored is a value as files have it: without terminators and counts.
func stored(p *mapi.Property) []byte {
	t, data := p.Tag.Type(), p.Bytes()
	layout, _ := t.Layout()
	switch end := terminator(t &^ mapi.MultiValue); layout {
	case mapi.LayoutFixedMV:
		return data[4:]
	case mapi.LayoutVarMV:
		members := mapi.Members(data)
		offsets, values := u32(nil, uint32(len(members))), []byte{}
		for _, m := range members {
			offsets = u32(offsets, uint32(4+4*len(members)+len(values)))
			values = append(values, m[:len(m)-len(end)]...)
		}
		return append(offsets, values...)
	case mapi.LayoutVariable:
		return data[:len(data)-len(end)]
	}
	return data
}

// cell is the value as it stands in n bytes, or the HNID of it.
func (h *heapOf) cell(p *mapi.Property, n int) []byte {
	data := stored(p)
	layout, width := p.Tag.Type().Layout()
	switch {
	case p.Tag == tagObject:
		return u32(nil, h.add(u32(u32(nil, h.sub(node{nid: h.b.fresh(0x1F), data: h.b.value(data)})), uint32(len(data)))))
	case layout == mapi.LayoutFixed && width <= n, p.Tag.Type() == mapi.TypeBool:
		return append(data, make([]byte, 8)...)[:n]
	}
	return u32(nil, h.hnid(data))
}

// properties fills a heap with a bag.
func (h *heapOf) properties(bag mapi.Bag, more ...[]byte) {
	list := more
	for i := range bag {
		p := &bag[i]
		list = append(list, append(u16(u16(nil, h.b.id(p)), int(p.Tag.Type())), h.cell(p, 4)...))
	}
	h.root = h.records(2, list)
}

// table writes bags as rows with those ids, else their numbers; they are in blocks
// of their own where there are more than three.
func (b *builder) table(nid uint32, rows []mapi.Bag, ids []uint32) node {
	h := b.heap(kindTable)
	type col struct {
		tag mapi.Tag
		id  int
	}
	columns := []col{{mapi.MakeTag(rowID, mapi.TypeInt32), rowID}, {mapi.MakeTag(rowVer, mapi.TypeInt32), rowVer}}
	for _, r := range rows {
		for i := range r {
			if c := (col{r[i].Tag, b.id(&r[i])}); !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	slices.SortStableFunc(columns[2:], func(x, y col) int { return cmp.Compare(cellSize(y.tag), cellSize(x.tag)) })
	ends := map[int]int{}
	desc, width := []byte{}, 0
	at := make([]int, len(columns))
	for i, c := range columns {
		at[i] = width
		n := cellSize(c.tag)
		desc = append(u16(u32(desc, uint32(mapi.MakeTag(uint16(c.id), c.tag.Type()))), width), byte(n), byte(i))
		width += n
		ends[n] = width
	}
	exists := width
	width += (len(columns) + 7) / 8
	var matrix, index [][]byte
	for n, r := range rows {
		row := make([]byte, width)
		set := func(i int, cell []byte) {
			copy(row[at[i]:at[i]+cellSize(columns[i].tag)], cell)
			row[exists+i/8] |= 0x80 >> (i % 8)
		}
		id := uint32(n)
		if ids != nil {
			id = ids[n]
		}
		set(0, u32(nil, id))
		set(1, u32(nil, 7))
		for i := range r {
			k := slices.Index(columns, col{r[i].Tag, b.id(&r[i])})
			set(k, h.cell(&r[i], cellSize(r[i].Tag)))
		}
		matrix = append(matrix, row)
		entry := u32(u32(nil, id), uint32(n))
		if b.format == ANSI {
			entry = entry[:6]
		}
		index = append(index, entry)
	}
	info := append([]byte{kindTable, byte(len(columns))}, u16(u16(u16(u16(nil, ends[4]), ends[2]), exists), width)...)
	info = u32(info, h.records(4, index))
	if len(rows) > 3 {
		var leaves [][]byte
		for part := range slices.Chunk(matrix, 2) {
			leaves = append(leaves, append(slices.Concat(part...), 0xEE)) // no row crosses blocks
		}
		info = u32(info, h.sub(node{nid: b.fresh(0x1F), data: b.data(leaves...)}))
	} else {
		info = u32(info, h.add(slices.Concat(matrix...)))
	}
	h.root = h.add(append(u32(info, 0), desc...))
	return h.write(nid)
}

func cellSize(tag mapi.Tag) int {
	layout, width := tag.Type().Layout()
	switch {
	case tag.Type() == mapi.TypeBool:
		return 1
	case layout == mapi.LayoutFixed && width <= 8:
		return width
	}
	return 4
}

// message writes a message as a node.
func (b *builder) message(nid uint32, m *mapi.Message) node {
	h := b.heap(kindContext)
	if m.Recipients != nil {
		h.sub(b.table(nidRecipients, m.Recipients, nil))
	}
	var ids []uint32
	for _, a := range m.Attachments {
		ids = append(ids, h.sub(b.attachment(&a)))
	}
	if len(ids) > 0 {
		const nidAttachments = 0x671
		h.sub(b.table(nidAttachments, make([]mapi.Bag, len(ids)), ids))
	}
	h.properties(m.Properties)
	return h.write(nid)
}

func (b *builder) attachment(a *mapi.Attachment) node {
	h := b.heap(kindContext)
	var more [][]byte
	if a.Embedded != nil {
		inside := h.sub(b.message(b.fresh(typeMessage), a.Embedded))
		more = append(more, u32(u16(u16(nil, int(mapi.PidTagAttachData)), int(mapi.TypeObject)), h.add(u32(u32(nil, inside), 0))))
	}
	h.properties(a.Properties, more...)
	return h.write(b.fresh(typeAttachment))
}

// add puts a node into the file.
func (b *builder) add(n node, parent uint32) uint32 {
	b.nodes = append(b.nodes, nodeOf{n, parent})
	return n.nid
}

func (b *builder) bag(nid uint32, bag mapi.Bag) node {
	h := b.heap(kindContext)
	h.properties(bag)
	return h.write(nid)
}

func (b *builder) folder(parent uint32, name, class string) uint32 {
	const contentCount, unreadCount, subfolders = 0x3602, 0x3603, 0x360A // by which other readers know a folder
	bag := mapi.Bag{b.text(mapi.PidTagDisplayName, name), mapi.NewInt32(contentCount, 1), mapi.NewInt32(unreadCount, 0),
		mapi.NewBool(subfolders, true)}
	if class != "" {
		bag = append(bag, b.text(idContainerClass, class))
	}
	return b.add(b.bag(b.fresh(typeFolder), bag), parent)
}

// text is a string as the format has them.
func (b *builder) text(id uint16, s string) mapi.Property {
	if b.format == ANSI {
		return newProperty(mapi.MakeTag(id, mapi.TypeString8), append([]byte(s), 0))
	}
	p := mapi.NewText(id, s)
	p.Tag = mapi.MakeTag(id, mapi.TypeUnicode)
	return p
}

// root adds what every file has and gives the top folder that people see.
func (b *builder) root() uint32 {
	b.add(b.bag(nidRoot, nil), nidRoot)
	top := b.folder(nidRoot, "Top", "")
	id := append(make([]byte, 20), u32(nil, top)...)
	b.add(b.bag(nidStore, mapi.Bag{mapi.NewBinary(idIPMSubtree, id)}), 0)
	return top
}

func (b *builder) nameMap() node {
	var sets, entries, texts []byte
	for i, n := range b.names {
		key, word := n.LID, 0
		switch n.Set {
		case mapi.SetPublicStrings():
			word = setPublicStrings << 1
		default:
			word = (setFirstListed + len(sets)/16) << 1
			sets = append(sets, n.Set[:]...)
		}
		if n.Text != "" {
			key, word = uint32(len(texts)), word|1
			text := mapi.NewText(0, n.Text).Data
			texts = append(u32(texts, uint32(len(text)-2)), text[:len(text)-2]...)
		}
		entries = u16(u16(u32(entries, key), word), i)
	}
	return b.bag(nidNames, mapi.Bag{mapi.NewBinary(idNameSets, sets), mapi.NewBinary(idNameEntries, entries), mapi.NewBinary(idNameTexts, texts)})
}

// pages writes a B-tree of entries by rising keys and gives its root.
func (b *builder) pages(kind byte, size int, entries [][]byte) ref {
	for level := 0; ; level++ {
		var above [][]byte
		fan := min(b.fan, b.l.counts/size, 255)
		var last ref
		for part := range slices.Chunk(entries, fan) {
			b.align(b.l.page)
			last = ref{b.nextBID, int64(len(b.out))}
			b.nextBID += 4
			page := make([]byte, b.l.counts, b.l.page)
			copy(page, slices.Concat(part...))
			if b.format == Unicode4K {
				page = append(u16(u16(page, len(part)), fan), byte(size), byte(level))
			} else {
				page = append(page, byte(len(part)), byte(fan), byte(size), byte(level))
			}
			page = append(page, make([]byte, b.l.pageTrailer-len(page))...)
			page = append(page, b.trailer(uint16(kind)<<8|uint16(kind), checksum(page), last.bid, int(last.off))...)
			b.out = append(b.out, append(page, make([]byte, b.l.page-len(page))...)...)
			above = append(above, b.word(b.word(slices.Clone(part[0][:b.l.id]), last.bid), uint64(last.off)))
		}
		if len(above) == 1 {
			return last
		}
		entries, size = above, 3*b.l.id
	}
}

// file finishes the file.
func (b *builder) file() []byte {
	b.add(b.nameMap(), 0)
	var nodes, blocks [][]byte
	slices.SortFunc(b.nodes, func(x, y nodeOf) int { return cmp.Compare(x.nid, y.nid) })
	for _, n := range b.nodes {
		e := b.word(b.word(b.word(nil, uint64(n.nid)), n.data), n.sub)
		e = u32(e, n.parent)
		nodes = append(nodes, append(e, make([]byte, b.l.id-4)...))
	}
	slices.SortFunc(b.index, func(x, y block) int { return cmp.Compare(x.bid, y.bid) })
	for _, k := range b.index {
		e := u16(b.word(b.word(nil, k.bid), uint64(k.off)), k.stored)
		if b.format == Unicode4K {
			e = u16(e, k.size)
		}
		e = u16(e, 2)
		blocks = append(blocks, append(e, make([]byte, 3*b.l.id-len(e))...))
	}
	nbt := b.pages(kindNodes, len(nodes[0]), nodes)
	bbt := b.pages(kindBlocks, len(blocks[0]), blocks)
	b.header(nbt, bbt)
	return b.out
}

func (b *builder) header(nbt, bbt ref) {
	h := b.out[:headerSize]
	copy(h, magic)
	copy(h[8:], "SM")
	binary.LittleEndian.PutUint16(h[10:], b.version)
	h[b.l.crypt] = b.crypt
	roots := b.word(b.word(nil, nbt.bid), uint64(nbt.off))
	copy(h[b.l.roots:], b.word(b.word(roots, bbt.bid), uint64(bbt.off)))
	binary.LittleEndian.PutUint32(h[4:], checksum(h[crcFrom:crcFrom+crcPartial]))
	if b.format != ANSI {
		binary.LittleEndian.PutUint32(h[crcFrom+crcFull:], checksum(h[crcFrom:crcFrom+crcFull]))
	}
}
