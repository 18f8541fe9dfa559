package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailbrick/archive"
)

// Cover says what a run did about a part of a mailbox.
type Cover string

const (
	Covered  Cover = "covered"
	NotAsked Cover = "not asked for"
	NotThere Cover = "not there"
	Refused  Cover = "refused"
	Apart    Cover = "a mailbox of their own" // public folders
)

// Parts of a mailbox, by the names that users and scripts see.
const (
	PartPrimary            = "primary"
	PartArchive            = "archive"
	PartRecoverable        = "recoverable items"
	PartArchiveRecoverable = "recoverable items of the archive"
	PartAssociated         = "associated"
	PartPublic             = "public folders"
)

// Part is a part of a mailbox and what became of it.
type Part struct {
	Name   string `json:"part"`
	State  Cover  `json:"state"`
	Reason string `json:"reason,omitempty"` // why it is refused, or where it is

	// Root is the kind of the part's uppermost folder; "" where the part is no tree. What is known below it stays as it is
	// while the part is not asked for or refused.
	Root string `json:"-"`
}

// Scoped is a source that covers more or less of a mailbox, as it was asked to and as the server lets it. Parts says so
// once Folders has returned.
type Scoped interface{ Parts() []Part }

// FolderGap is a folder that could not be read, though its part is covered.
type FolderGap struct {
	Folder string    `json:"folder"`
	Cause  string    `json:"cause"`
	Since  time.Time `json:"since"`
	Failed bool      `json:"failed,omitempty"` // it counts as a failure; else the server need not let anybody read it
}

// Coverage is what a run covered of a mailbox and what it did not, beside the items that failed.
type Coverage struct {
	Parts   []Part      `json:"parts"`             // none: the source is not one that has parts
	Gaps    []FolderGap `json:"gaps,omitempty"`    // by folder
	Skipped []string    `json:"skipped,omitempty"` // folders left out by Include and Exclude, each with all below it
}

// Missing tells of what was asked for and is not there in full.
func (c Coverage) Missing() (out []string) {
	for _, p := range c.Parts {
		if p.State == Refused {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s: refused: %s", p.Name, p.Reason), ": "))
		}
	}
	for _, g := range c.Gaps {
		if !g.Failed {
			out = append(out, fmt.Sprintf("folder %s: %s", g.Folder, g.Cause))
		}
	}
	return out
}

func (c Coverage) part(name string) *Part {
	for i := range c.Parts {
		if c.Parts[i].Name == name {
			return &c.Parts[i]
		}
	}
	return nil
}

func (c Coverage) refused() bool {
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return p.State == Refused })
}

const coverageKey = "coverage"

// scope asks the source for its parts, and the sink for what was said before.
func (r *run) scope() error {
	value, err := r.sink.Cursor(coverageKey)
	if err != nil {
		return err
	}
	if value != nil {
		if err := json.Unmarshal(value, &r.before); err != nil {
			return fmt.Errorf("cursor of the coverage: %w", err)
		}
	}
	if s, ok := r.source.(Scoped); ok {
		r.result.Coverage.Parts = s.Parts()
	}
	for i, p := range r.result.Coverage.Parts {
		if was := r.before.part(p.Name); p.State == NotThere && was != nil && was.State == Covered {
			r.result.Coverage.Parts[i].State, r.result.Coverage.Parts[i].Reason = Refused, notAnyMore
		}
	}
	return nil
}

// notAnyMore: all items of a part would be gone by one word of the server.
const notAnyMore = "the server says that it is not there, though it was; that is believed when the next run is told the same"

// outOfScope says whether a folder lies in a part that this run does not look at: what is known there stays.
func (r *run) outOfScope(known map[string]archive.Folder, id string) bool {
	p := r.partOf(known, id)
	return p != nil && (p.State == NotAsked || p.State == Refused)
}

// partOf is the part that a folder lies in, by the nearest root above it; nil when that is none's.
func (r *run) partOf(known map[string]archive.Folder, id string) *Part {
	for range maxDepth {
		f, ok := known[id]
		if !ok {
			return nil
		}
		for i, p := range r.result.Coverage.Parts {
			if p.Root != "" && p.Root == f.Kind {
				return &r.result.Coverage.Parts[i]
			}
		}
		id = f.ParentID
	}
	return nil
}

// associated says whether associated items are wanted, and whether the source tells them apart at all.
func (r *run) associated() (wanted, told bool) {
	p := r.result.Coverage.part(PartAssociated)
	return p == nil || p.State == Covered, p != nil
}

// gap records a folder that could not be read. Beside the primary mailbox, whose folders are the user's, servers have
// folders that nobody is let into: that is said, and is no failure. Nor is one that went after it was listed, unless the next
// run finds it listed again.
func (r *run) gap(id string, cause error) {
	p := r.partOf(r.known, id)
	g := FolderGap{Folder: archive.Path(r.known, id), Cause: cause.Error(), Failed: p == nil || p.Name == PartPrimary || !errors.Is(cause, ErrDenied)}
	g.Since = r.o.Clock().UTC().Truncate(time.Second)
	again := false
	for _, was := range r.before.Gaps {
		if was.Folder == g.Folder {
			g.Since, again = was.Since, true
		}
	}
	g.Failed = g.Failed && (again || !errors.Is(cause, ErrGone))
	r.result.Coverage.Gaps = append(r.result.Coverage.Gaps, g)
	if g.Failed {
		r.result.Failures = append(r.result.Failures, Failure{Folder: g.Folder, Cause: g.Cause, Since: g.Since})
	}
}

// skip notes a folder that is left out, unless the one above it is.
func (r *run) skip(path string) {
	if len(r.result.Coverage.Skipped) == 0 || !within(path, r.result.Coverage.Skipped) {
		r.result.Coverage.Skipped = append(r.result.Coverage.Skipped, path)
	}
}

// keepCoverage puts it into the archive, where Recorded finds it.
func (r *run) keepCoverage() error {
	c := &r.result.Coverage
	slices.SortFunc(c.Gaps, func(a, b FolderGap) int { return cmp.Compare(a.Folder, b.Folder) })
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return r.sink.SetCursor(coverageKey, value)
}

// Records is the part of an archive that Recorded reads.
type Records interface {
	Cursors(ctx context.Context, mailbox, prefix string) (map[string][]byte, error)
}

// Recorded gives what the last run of a mailbox covered, and the items that are still to be had, as Result said them.
// The folders are the mailbox's. A mailbox whose last run is older than this record has no parts.
func Recorded(ctx context.Context, from Records, mailbox string, folders map[string]archive.Folder) (c Coverage, failures []Failure, err error) {
	rows, err := from.Cursors(ctx, mailbox, coverageKey)
	if err != nil {
		return c, nil, err
	}
	if value := rows[coverageKey]; value != nil {
		if err := json.Unmarshal(value, &c); err != nil {
			return c, nil, fmt.Errorf("cursor of the coverage: %w", err)
		}
	}
	if rows, err = from.Cursors(ctx, mailbox, failedKey); err != nil {
		return c, nil, err
	}
	failed, err := failuresOf(rows)
	return c, listed(failed, folders), err
}
