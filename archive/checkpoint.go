package archive

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mailbrick/archive/journal"
)

const (
	checkpointHead = "mailbrick-checkpoint 1"
	checkpointTime = "2006-01-02T15:04:05.000Z"
)

// ErrCheckpoint says that a text is no checkpoint, or not as it was signed.
var ErrCheckpoint = errors.New("not a sound checkpoint")

// Checkpoint says what an archive's history was at a moment, for somebody who keeps it elsewhere: as long as the archive still has
// that record, nothing that came before it was changed or taken back. Its text is lines of ASCII, each ended by LF:
//
//	mailbrick-checkpoint 1
//	archive    the id in config
//	record     decimal, the number of the journal's last record
//	head       64 hexadecimal digits, the hash of that record (package journal)
//	time       of that record, RFC 3339 with milliseconds, UTC
//	writer     64 hexadecimal digits, the public key (Ed25519) of the machine that signs
//	signature  128 hexadecimal digits, of all lines before this one with their ends
//
// Each is the name, one space and the value; hexadecimal digits are lower-case.
type Checkpoint struct {
	Archive   string
	Number    uint64
	Head      [32]byte
	Time      time.Time
	Writer    [32]byte
	Signature [ed25519.SignatureSize]byte
}

// Checkpoint signs the journal's head. A machine that has written nothing yet announces itself first.
func (a *Archive) Checkpoint(ctx context.Context) (*Checkpoint, error) {
	key, err := a.signer()
	if err != nil {
		return nil, err
	}
	a.group.mu.Lock()
	defer a.group.mu.Unlock()
	if err := a.introduce(ctx, key); err != nil {
		return nil, fmt.Errorf("announce who signs: %w", err)
	}
	head := a.cat.headNow()
	c := &Checkpoint{Archive: a.config.ID, Number: head.Number, Head: head.Hash, Time: head.Time, Writer: [32]byte(key.Public().(ed25519.PublicKey))}
	c.Signature = [ed25519.SignatureSize]byte(ed25519.Sign(key, c.signed()))
	return c, nil
}

// introduce makes sure that the journal announces this machine. The group is locked.
func (a *Archive) introduce(ctx context.Context, key ed25519.PrivateKey) error {
	known, err := a.announced(key)
	if err != nil || known {
		return err
	}
	return a.group.append(ctx, &journal.Body{}, nil)
}

func (c *Checkpoint) signed() []byte {
	return fmt.Appendf(nil, "%s\narchive %s\nrecord %d\nhead %x\ntime %s\nwriter %x\n", checkpointHead, c.Archive, c.Number, c.Head, c.Time.UTC().Format(checkpointTime), c.Writer)
}

// Text is what to keep.
func (c *Checkpoint) Text() []byte { return fmt.Appendf(c.signed(), "signature %x\n", c.Signature) }

// ParseCheckpoint reads what Text wrote, and nothing else, and makes sure of the signature. Whose it is the archive knows.
func ParseCheckpoint(text []byte) (*Checkpoint, error) {
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if lines[0] != checkpointHead {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrCheckpoint, checkpointHead)
	}
	values := map[string]string{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, " ")
		values[name] = value
	}
	c := &Checkpoint{Archive: values["archive"]}
	var err error
	c.Number, err = strconv.ParseUint(values["record"], 10, 64)
	c.Time, _ = time.Parse(checkpointTime, values["time"])
	for name, to := range map[string][]byte{"head": c.Head[:], "writer": c.Writer[:], "signature": c.Signature[:]} {
		if b, hexErr := hex.DecodeString(values[name]); hexErr != nil || copy(to, b) != len(b) {
			err = errors.Join(err, fmt.Errorf("%w: %s", ErrCheckpoint, name))
		}
	}
	switch {
	case err != nil || !bytes.Equal(c.Text(), []byte(strings.Join(lines, "\n"))):
		return nil, fmt.Errorf("%w: a line is missing or not as it was written", ErrCheckpoint)
	case !ed25519.Verify(c.Writer[:], c.signed(), c.Signature[:]):
		return nil, fmt.Errorf("%w: its signature is not the writer's", ErrCheckpoint)
	}
	return c, nil
}

// against compares a record with a checkpoint that was made when it was the last.
func (c *Checkpoint) against(head journal.Head) error {
	if c != nil && c.Number == head.Number && (c.Head != head.Hash || !c.Time.Equal(head.Time)) {
		return fmt.Errorf("%w: record %d is not the one of the checkpoint: history was written anew", ErrRollback, head.Number)
	}
	return nil
}

// kept compares the whole archive with a checkpoint.
func (c *checker) kept(context.Context) error {
	p := c.o.Checkpoint
	switch {
	case p == nil || c.broken:
	case p.Archive != c.a.config.ID:
		c.damage(fmt.Errorf("%w: it is of archive %s, this is %s", ErrCheckpoint, p.Archive, c.a.config.ID))
	case p.Number > c.last.Number:
		c.damage(fmt.Errorf("%w: the checkpoint is of record %d, the last one is %d", ErrRollback, p.Number, c.last.Number))
	case !c.writers[p.Writer]:
		c.damage(fmt.Errorf("%w: it was signed by %s, whom no record announces", ErrCheckpoint, Fingerprint(p.Writer)))
	}
	return nil
}
