package exchangetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
)

// revision is what an item holds. It does not change once it is in a mailbox.
type revision struct {
	number uint64 // of the change that made it: the change key
	class  string
	read   bool
	length int64 // item:Size
	source source
	facts  *facts
}

// facts are what listings show of a revision, found at the first need.
type facts struct {
	once sync.Once
	mapi.Summary
	created    time.Time
	modified   time.Time
	categories []string
	err        error
}

// source makes an item's stream and its property tree.
type source interface {
	// open gives the export stream, the same bytes every time.
	open() (io.ReadCloser, error)
	// message gives the tree; values longer than keep may be left out.
	message(keep int64) (*mapi.Message, error)
	// edited is the source with its message changed.
	edited(edit func(*mapi.Message)) (source, error)
}

func newRevision(s source, class string, length int64, read bool) *revision {
	return &revision{source: s, class: class, length: length, read: read, facts: &facts{}}
}

// clone is the same content for another item or change.
func (r *revision) clone() *revision {
	c := *r
	return &c
}

// summary is short and cached; see facts.
func (r *revision) summary() (*facts, error) {
	f := r.facts
	f.once.Do(func() {
		m, err := r.source.message(64 << 10)
		if err != nil {
			f.err = err
			return
		}
		f.Summary = mapi.Summarize(m)
		f.created, _ = m.Properties.Time(mapi.PidTagCreationTime)
		f.modified, _ = m.Properties.Time(mapi.PidTagLastModificationTime)
		f.categories = m.Properties.TextsNamed(mapi.NameCategories())
	})
	return f, f.err
}

// fileSource is a message in a file, made into a stream whenever one is asked for.
type fileSource struct {
	path     string
	key      mapi.GUID // the search key
	modified time.Time // of the file
	read     bool
	edits    []func(*mapi.Message)
	cache    *streamCache
}

func (s *fileSource) open() (io.ReadCloser, error) {
	data, err := s.cache.get(s, s.build)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (s *fileSource) build() ([]byte, error) {
	m, err := s.message(math.MaxInt64)
	if err != nil {
		return nil, err
	}
	m, _ = fasttransfer.Encodable(m) // a damaged winmail.dat may have what no stream can carry
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		return nil, fmt.Errorf("encode %s: %w", s.path, err)
	}
	return b.Bytes(), nil
}

func (s *fileSource) message(int64) (*mapi.Message, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := eml.Read(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	stamp(m, s.key, s.modified)
	setRead(m, s.read)
	for _, edit := range s.edits {
		edit(m)
	}
	return m, nil
}

func (s *fileSource) edited(edit func(*mapi.Message)) (source, error) {
	c := *s
	c.edits = append(slices.Clip(s.edits), edit)
	return &c, nil
}

// stamp adds what a store adds to a message that it takes in: a search key,
// times, a class.
func stamp(m *mapi.Message, key mapi.GUID, modified time.Time) {
	p := &m.Properties
	if t := m.Received(); !t.IsZero() {
		modified = t
	}
	if p.Find(mapi.PidTagMessageDeliveryTime) == nil {
		p.Set(mapi.NewTime(mapi.PidTagMessageDeliveryTime, modified))
	}
	for _, id := range []uint16{mapi.PidTagCreationTime, mapi.PidTagLastModificationTime} {
		if p.Find(id) == nil {
			p.Set(mapi.NewTime(id, modified))
		}
	}
	if p.Find(mapi.PidTagSearchKey) == nil {
		p.Set(mapi.NewBinary(mapi.PidTagSearchKey, key[:]))
	}
	if p.Find(mapi.PidTagMessageClass) == nil {
		p.Set(mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"))
	}
}

func setRead(m *mapi.Message, read bool) {
	flags, _ := m.Properties.Int32(mapi.PidTagMessageFlags)
	if flags &^= mapi.FlagRead; read {
		flags |= mapi.FlagRead
	}
	m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, flags))
}

// blobSource is a stream that lies ready.
type blobSource struct {
	blob  blob
	files *spools
}

func (s *blobSource) open() (io.ReadCloser, error) { return s.blob.open() }

func (s *blobSource) message(keep int64) (*mapi.Message, error) {
	m, _, err := s.scan(fasttransfer.Visitor{Keep: keep})
	return m, err
}

func (s *blobSource) scan(v fasttransfer.Visitor) (*mapi.Message, fasttransfer.Report, error) {
	r, err := s.blob.open()
	if err != nil {
		return nil, fasttransfer.Report{}, err
	}
	defer r.Close()
	v.Message = &mapi.Message{}
	report, err := fasttransfer.Scan(r, v)
	return v.Message, report, err
}

// edited writes the stream anew; long values go from file to file.
func (s *blobSource) edited(edit func(*mapi.Message)) (source, error) {
	temporary, err := s.files.create()
	if err != nil {
		return nil, err
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	m, _, err := s.scan(fasttransfer.Visitor{Spool: temporary})
	if err != nil {
		return nil, err
	}
	edit(m)
	return encodeBlob(m, s.files)
}

func encodeBlob(m *mapi.Message, files *spools) (*blobSource, error) {
	out := &spool{files: files}
	if err := fasttransfer.Encode(out, m, fasttransfer.EncodeOptions{}); err != nil {
		out.discard()
		return nil, err
	}
	b, err := out.finish()
	if err != nil {
		return nil, err
	}
	return &blobSource{b, files}, nil
}

// searchKey is the key of a message that has none of its own.
func searchKey(purpose string, parts ...string) (g mapi.GUID) {
	h := sha256.New()
	for _, p := range append([]string{purpose}, parts...) {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	copy(g[:], h.Sum(nil))
	return g
}
