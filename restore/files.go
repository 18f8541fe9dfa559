package restore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/opendir"
)

// Format is what a file target writes.
type Format string

const (
	Blob Format = "blob" // the exported bytes, .fts
	EML  Format = "eml"  // Internet mail, made from the properties
	MSG  Format = "msg"  // Outlook's file: all properties, as they are
)

func (f Format) extension() string {
	if f == Blob {
		return ".fts"
	}
	return "." + string(f)
}

// encoder writes a message in the format; nil where the bytes are written as they are.
func (f Format) encoder() func(io.Writer, *mapi.Message) error {
	switch f {
	case EML:
		return eml.Write
	case MSG:
		return msg.Write
	}
	return nil
}

// Files is the target that writes items into a folder, each into a file of its own. See the package doc for the names.
type Files struct {
	path   string
	format Format
	opts   Options
	names  map[pathKey]bool // given out

	// Nil in a dry run.
	out   *output
	spool *spool

	scanner fasttransfer.Scanner
}

// NewFiles makes a target of a folder, which is made if need be.
func NewFiles(folder string, format Format) *Files {
	return &Files{path: folder, format: format, names: map[pathKey]bool{}}
}

// Begin opens the folder.
func (f *Files) Begin(_ context.Context, o Options) (err error) {
	if f.format != Blob && f.format.encoder() == nil {
		return fmt.Errorf("format %q: blob, eml or msg is wanted", f.format)
	}
	f.opts = o
	if o.DryRun {
		return nil
	}
	if f.out, err = openOutput(f.path); err != nil {
		return fmt.Errorf("open the output folder: %w", err)
	}
	f.spool = &spool{top: f.out.top}
	return nil
}

// Place gives the item a name.
func (f *Files) Place(_ context.Context, item *Item) (*Result, error) {
	names := append(splitPath(f.opts.ToFolder), item.Version.Mailbox)
	for _, folder := range item.Home {
		names = append(names, folder.Name)
	}
	whole := item.Version.ID.String()
	id := whole[:shortID]
	for n := 1; ; n++ {
		item.Target = folderPath(names) + "/" + fileName(item, id) + f.format.extension()
		if f.claim(item.Target) {
			return nil, nil
		}
		id = fmt.Sprintf("%s-%d", whole, item.Version.From)
		if n > 1 { // the same version once more
			id = fmt.Sprintf("%s-%d-%d", whole, item.Version.From, n)
		}
	}
}

// claim says whether a path is free, and takes it. File systems differ in whether case tells names apart.
func (f *Files) claim(path string) bool {
	key := keyOf(path)
	if f.names[key] {
		return false
	}
	f.names[key] = true
	return true
}

// Put writes the files.
func (f *Files) Put(ctx context.Context, items []*Item, settle func(*Item, Result)) error {
	for _, item := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f.write(ctx, item)
		switch broken := errors.Join(f.out.err, f.spool.err); {
		case broken != nil:
			return fmt.Errorf("write into %s: %w", f.path, broken)
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			settle(item, Result{Status: Failed, Reason: err.Error()})
		default:
			settle(item, Result{Status: Restored})
		}
	}
	return nil
}

// write makes the file of an item; nothing stands under its name unless all of it does.
func (f *Files) write(ctx context.Context, item *Item) error {
	blob, err := item.Open(ctx)
	if err != nil {
		return fmt.Errorf("read from the archive: %w", err)
	}
	defer blob.Close()
	if encode := f.format.encoder(); encode != nil {
		return f.out.file(item.Target, nil, func(w io.Writer) error { return f.writeMessage(w, blob, encode) })
	}
	// Reading to the end proves the version's digest.
	return f.out.file(item.Target, item.Version.SHA256[:], func(w io.Writer) error {
		if _, err := io.Copy(w, blob); err != nil {
			return fmt.Errorf("read from the archive: %w", err)
		}
		return nil
	})
}

// keepAttachment is the longest value of a message held in memory while it is written.
const keepAttachment = 64 << 10

// messageRoom is how much memory is taken for a message while it is written. Fifty thousand recipients fit.
const messageRoom = 64 << 20

// writeMessage reads the whole blob, so that it is known to be sound, before it writes anything.
func (f *Files) writeMessage(w io.Writer, blob io.Reader, encode func(io.Writer, *mapi.Message) error) error {
	m := &mapi.Message{}
	f.spool.used = false
	report, err := f.scanner.Scan(blob, fasttransfer.Visitor{Message: m, Keep: keepAttachment, Room: messageRoom, Spool: f.spool})
	switch {
	case err != nil:
		return fmt.Errorf("read from the archive: %w", err)
	case report.State != fasttransfer.Complete:
		return fmt.Errorf("%v at byte %d (%s): no message can be made of it, the format blob gives its bytes", report.State, report.Offset, report.Reason)
	case report.LeftOut > 0:
		return fmt.Errorf("its recipients, attachments and properties take more than %d MiB of memory: no message can be made of it, the format blob gives its bytes", messageRoom>>20)
	}
	if err := encode(w, m); err != nil {
		return fmt.Errorf("write as %s: %w", f.format, err)
	}
	return nil
}

// Finish writes manifest and exceptions.
func (f *Files) Finish() error {
	if f.out == nil {
		return nil
	}
	err := errors.Join(f.spool.close(), f.out.finish())
	if err != nil {
		return fmt.Errorf("finish %s: %w", f.path, err)
	}
	return nil
}

// witness lists what is not there.
func (f *Files) witness(item *Item, r Result) error {
	if f.out == nil || r.Status != Failed {
		return nil
	}
	return f.out.exception(exception{ID: r.ID.String(), Version: item.Version.From, Mailbox: item.Version.Mailbox, Folder: item.Version.Folder,
		ItemID: item.Version.ItemID, Size: item.Version.Size, File: r.Target, Reason: r.Reason})
}

// spool keeps long values in a temporary file of the output folder, where the mail ends up anyway.
type spool struct {
	top  *opendir.Dir
	file *opendir.Draft // never published
	used bool           // by the present item
	err  error
}

// WriteAt makes the file when the first value comes.
func (s *spool) WriteAt(p []byte, off int64) (n int, err error) {
	if s.file == nil {
		s.file, s.err = s.top.Draft()
	}
	if s.err == nil && !s.used {
		s.used, s.err = true, s.file.Truncate(0)
	}
	if s.err != nil {
		return 0, s.err
	}
	n, s.err = s.file.WriteAt(p, off)
	return n, s.err
}

func (s *spool) ReadAt(p []byte, off int64) (n int, err error) {
	n, err = s.file.ReadAt(p, off)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
