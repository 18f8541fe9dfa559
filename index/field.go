package index

import (
	"encoding/binary"
	"time"

	bleve "github.com/blevesearch/bleve_index_api"

	"mailbrick/fetch/mapi"
)

// Names of the fields in the word index.
const (
	fieldSubject     = "subject"
	fieldBody        = "body"
	fieldAttachments = "attachmentnames"
	fieldFrom        = "from"
	fieldTo          = "to"
	fieldCc          = "cc"
	fieldBcc         = "bcc"
	fieldSent        = "sent"
	fieldMarks       = "marks"
)

// Terms of fieldMarks: the message has an attachment, or nothing in a field.
const (
	markAttachment = "attachment"
	markNo         = "no:" // and the name of the field
)

// document is a message on its way into the word index.
type document struct {
	id     docID
	fields []*field
	bytes  int // of text
	places places
}

// newDocument lays out the fields of a message.
func newDocument(c *content, places places) *document {
	d := &document{id: c.id, places: places}
	d.text(fieldSubject, []string{c.subject})
	d.text(fieldBody, []string{c.body})
	d.text(fieldAttachments, c.attachments)
	d.people(fieldFrom, c.from)
	d.people(fieldTo, c.to)
	d.people(fieldCc, c.cc)
	d.people(fieldBcc, c.bcc)
	if !c.sent.IsZero() {
		d.add(fieldSent, bleve.IndexField|bleve.SkipFreqNorm, func(f *field) {
			day, tick := timeTerms(c.sent)
			f.put(day, 0)
			f.put(tick, 0)
		})
	}
	d.marks(c)
	return d
}

const withPositions = bleve.IndexField | bleve.IncludeTermVectors

func (d *document) add(name string, options bleve.FieldIndexingOptions, analyze func(*field)) {
	d.fields = append(d.fields, &field{name: name, options: options, analyze: analyze, places: d.places})
}

func (d *document) text(name string, values []string) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if d.bytes += size; size == 0 {
		return
	}
	d.add(name, withPositions, func(f *field) {
		s := splitter{emit: f.put, at: 1, unigram: true}
		for _, v := range values {
			s.split(v)
			s.at += gap
		}
	})
}

func (d *document) people(name string, list []mapi.Address) {
	if len(list) == 0 {
		return
	}
	for _, a := range list {
		d.bytes += len(a.Name) + len(a.Email)
	}
	d.add(name, withPositions, func(f *field) {
		s := splitter{emit: f.put, at: 1, unigram: true}
		for _, a := range list {
			s.split(a.Name)
			s.at++ // no phrase from the name into the address
			at := s.at
			s.split(a.Email)
			for _, atom := range atoms(a) {
				f.put([]byte(atom), at)
			}
			s.at += gap
		}
	})
}

func (d *document) marks(c *content) {
	d.add(fieldMarks, bleve.IndexField|bleve.SkipFreqNorm, func(f *field) {
		if c.hasAttachment {
			f.put([]byte(markAttachment), 0)
		}
		for name, empty := range c.empty() {
			if empty {
				f.put([]byte(markNo+name), 0)
			}
		}
	})
}

// field is one field of a document: it makes its terms when the word index asks.
type field struct {
	name    string
	options bleve.FieldIndexingOptions
	analyze func(*field)
	value   []byte // of the id field
	places  places

	numbers map[string]uint32 // of terms, while they are collected
	names   []string          // by number
	tokens  []token

	length int
	terms  bleve.TokenFrequencies
}

// token is a term at a place.
type token struct{ term, at uint32 }

// put adds a term at a place.
func (f *field) put(term []byte, at int) {
	n, ok := f.numbers[string(term)]
	if !ok {
		n = uint32(len(f.names))
		name := string(term)
		f.numbers[name] = n
		f.names = append(f.names, name)
	}
	f.tokens = append(f.tokens, token{n, uint32(at)})
}

// Analyze makes the terms; part of bleve.Field, as are the rest.
func (f *field) Analyze() {
	f.numbers = map[string]uint32{}
	if f.analyze == nil {
		f.put(f.value, 0)
	} else {
		f.analyze(f)
	}
	f.settle()
	// The text is not needed any more, nor what was collected.
	f.analyze, f.numbers, f.names, f.tokens = nil, nil, nil, nil
}

// settle lays the tokens out as Bleve wants them, in slices that are just long enough.
func (f *field) settle() {
	f.length = len(f.tokens)
	list := make([]bleve.TokenFreq, len(f.names))
	counts := make([]int, len(f.names))
	for _, t := range f.tokens {
		counts[t.term]++
	}
	f.terms = make(bleve.TokenFrequencies, len(f.names))
	var locations []*bleve.TokenLocation
	if f.options.IncludeTermVectors() {
		locations = make([]*bleve.TokenLocation, len(f.tokens))
	}
	for i, name := range f.names {
		list[i].SetFrequency(counts[i])
		f.terms[name] = &list[i]
		if locations != nil {
			list[i].Locations, locations = locations[:0:counts[i]], locations[counts[i]:]
		}
	}
	if !f.options.IncludeTermVectors() {
		return
	}
	for _, t := range f.tokens {
		list[t.term].Locations = append(list[t.term].Locations, f.places.at(t.at))
	}
}

// places are locations that documents share: all that differs between them is the position, and Bleve only reads them.
type places []bleve.TokenLocation

func newPlaces() places {
	p := make(places, 1<<15)
	for i := range p {
		p[i].Position = i
	}
	return p
}

func (p places) at(position uint32) *bleve.TokenLocation {
	if position < uint32(len(p)) {
		return &p[position]
	}
	return &bleve.TokenLocation{Position: int(position)}
}

func (f *field) Name() string                                     { return f.name }
func (f *field) Value() []byte                                    { return f.value }
func (f *field) ArrayPositions() []uint64                         { return nil }
func (f *field) EncodedFieldType() byte                           { return 't' }
func (f *field) Options() bleve.FieldIndexingOptions              { return f.options }
func (f *field) AnalyzedLength() int                              { return f.length }
func (f *field) AnalyzedTokenFrequencies() bleve.TokenFrequencies { return f.terms }
func (f *field) NumPlainTextBytes() uint64                        { return uint64(len(f.value)) }

// ID is the document's name in the word index; part of bleve.Document, as are the rest.
func (d *document) ID() string { return string(d.id[:]) }

// AddIDField adds the field that the word index finds its documents by.
func (d *document) AddIDField() {
	d.fields = append(d.fields, &field{name: "_id", options: bleve.IndexField | bleve.StoreField, value: d.id[:]})
}

func (d *document) VisitFields(visit bleve.FieldVisitor) {
	for _, f := range d.fields {
		visit(f)
	}
}

func (d *document) Size() int                                  { return d.bytes }
func (d *document) VisitComposite(bleve.CompositeFieldVisitor) {}
func (d *document) HasComposite() bool                         { return false }
func (d *document) NumPlainTextBytes() uint64                  { return uint64(d.bytes) }
func (d *document) StoredFieldsBytes() uint64                  { return 0 }
func (d *document) Indexed() bool                              { return false }

// ticks counts microseconds since 1970.
func ticks(t time.Time) int64 { return t.UnixMicro() }

const ticksPerDay = 24 * 3600 * 1_000_000

// dayOf gives the day a tick is in, counted from 1970.
func dayOf(t int64) int64 {
	d := t / ticksPerDay
	if t%ticksPerDay < 0 {
		d--
	}
	return d
}

// timeTerms gives the two terms of a time: its day, for ranges of many days, and itself, for their ends.
func timeTerms(t time.Time) (day, tick []byte) {
	n := ticks(t)
	return timeTerm('d', dayOf(n)), timeTerm('t', n)
}

// timeTerm writes a number so that the order of terms is the order of numbers.
func timeTerm(kind byte, n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(n)^1<<63)
}
