package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"mailbrick/archive"
	"mailbrick/index"
	"mailbrick/restore"
)

// backUp runs a backup of everybody and adds up what it did.
func (d *demo) backUp(ctx context.Context) (sum backupLine, err error) {
	start := time.Now()
	var people []string
	for _, p := range d.mail.people {
		people = append(people, d.mail.address(p))
	}
	err = runBackup(ctx, &backupOptions{common: d.quietly(), from: d.server, mailboxes: people, parallel: 2, each: func(l backupLine) error {
		sum.Items += l.Items
		sum.Added += l.Added
		sum.Changed += l.Changed
		sum.Removed += l.Removed
		sum.Failed += l.Failed
		sum.Requests += l.Requests
		sum.ExportedBytes += l.ExportedBytes
		sum.StoredBytes = max(sum.StoredBytes, l.StoredBytes)
		return nil
	}})
	sum.Seconds = time.Since(start).Seconds()
	return sum, err
}

func (l backupLine) figures() map[string]any {
	return map[string]any{"items": l.Items, "added": l.Added, "changed": l.Changed, "removed": l.Removed, "requests": l.Requests,
		"exported_bytes": l.ExportedBytes, "stored_bytes": l.StoredBytes, "seconds": l.Seconds}
}

func (d *demo) firstBackup(ctx context.Context) error {
	l, err := d.backUp(ctx)
	if err != nil {
		return err
	}
	d.before = time.Now()
	return d.figure("first backup", fmt.Sprintf("%d items, %s exported, %s stored (%.1f to 1), %d requests, %.1f s", l.Items,
		bytes(l.ExportedBytes), bytes(l.StoredBytes), float64(l.ExportedBytes)/float64(l.StoredBytes), l.Requests, l.Seconds), l.figures())
}

// changes happen in Ann's mailbox: a message is lost, a new one comes in, some are read.
func (d *demo) changes(ctx context.Context) error {
	found, err := d.find(ctx, demoWord, "")
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("demo: %q finds %d messages, one was written", demoWord, len(found))
	}
	d.lost = found[0]
	ann := d.mail.address("ann")
	inbox, err := d.inbox(ctx, ann)
	if err != nil {
		return err
	}
	if err := d.soap(ctx, ann, fmt.Sprintf(`<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="%s"/></m:ItemIds></m:DeleteItem>`, d.lost.ItemID)); err != nil {
		return err
	}
	offer := "From: Dan <dan@fabrikam.example>\r\nTo: ann@contoso.example\r\nSubject: offer\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\n\r\nOur offer, as agreed.\r\n"
	create := fmt.Sprintf(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId><m:Items><t:Message><t:MimeContent CharacterSet="UTF-8">%s</t:MimeContent></t:Message></m:Items></m:CreateItem>`, base64.StdEncoding.EncodeToString([]byte(offer)))
	if err := d.soap(ctx, ann, create); err != nil {
		return err
	}
	const flagged = 5
	for _, v := range inbox[:flagged] {
		if v.ItemID == d.lost.ItemID {
			continue
		}
		if err := d.soap(ctx, ann, fmt.Sprintf(`<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange><t:ItemId Id="%s" ChangeKey="%s"/><t:Updates><t:SetItemField><t:FieldURI FieldURI="message:IsRead"/><t:Message><t:IsRead>false</t:IsRead></t:Message></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`, v.ItemID, v.ChangeKey)); err != nil {
			return err
		}
	}
	return d.figure("changes", "a message is deleted for good, one comes in, a few are marked unread", nil)
}

func (d *demo) secondBackup(ctx context.Context) error {
	l, err := d.backUp(ctx)
	if err != nil {
		return err
	}
	return d.figure("second backup", fmt.Sprintf("%d added, %d changed, %d removed: %s exported, %d requests, %.1f s", l.Added, l.Changed, l.Removed,
		bytes(l.ExportedBytes), l.Requests, l.Seconds), l.figures())
}

func (d *demo) thirdBackup(ctx context.Context) error {
	l, err := d.backUp(ctx)
	if err != nil {
		return err
	}
	return d.figure("nothing has changed", fmt.Sprintf("%d requests for %d mailboxes, %.2f s", l.Requests, len(d.mail.people), l.Seconds), l.figures())
}

func (d *demo) search(ctx context.Context) error {
	now, err := d.find(ctx, demoWord, "")
	if err != nil {
		return err
	}
	then, err := d.find(ctx, demoWord, d.before.UTC().Format(time.RFC3339Nano))
	if err != nil {
		return err
	}
	if len(now) != 0 || len(then) != 1 {
		return fmt.Errorf("demo: %q finds %d now and %d before the change, want 0 and 1", demoWord, len(now), len(then))
	}
	topic, err := d.find(ctx, `budget AND from:ann AND hasattachment:true`, "")
	if err != nil {
		return err
	}
	return d.figure("search", fmt.Sprintf("%q: %d now, %d as of before; budget AND from:ann AND hasattachment:true: %d", demoWord, len(now), len(then), len(topic)),
		map[string]any{"now": len(now), "before": len(then)})
}

func (d *demo) check(ctx context.Context) error {
	return d.withArchive(ctx, func(a *archive.Archive) error {
		r, err := a.Check(ctx, archive.CheckOptions{ReadAll: true})
		if err != nil {
			return err
		}
		s, err := a.Stats(ctx)
		if err != nil {
			return err
		}
		err = d.figure("verify", fmt.Sprintf("%d packs, %d chunks, %d item versions read to the last byte: %d errors; %s exported, %s stored",
			r.Packs, r.Chunks, r.Items, len(r.Errors), bytes(s.ExportedBytes), bytes(s.StoredBytes)),
			map[string]any{"errors": len(r.Errors), "exported_bytes": s.ExportedBytes, "stored_bytes": s.StoredBytes})
		if err == nil && len(r.Errors) > 0 {
			err = errDamageFound
		}
		return err
	})
}

// find gives what a query finds, now or at a moment.
func (d *demo) find(ctx context.Context, query, at string) (out []*archive.Version, err error) {
	o := d.quietly()
	err = o.withArchive(ctx, func(a *archive.Archive) error {
		return o.withIndex(ctx, a, func(x *index.Index) error {
			q, err := (&searchOptions{common: o, query: query, at: at}).plan(ctx, a, x)
			if err != nil {
				return err
			}
			out, err = collect(versionsOf(ctx, a, x.Search(ctx, q)))
			return err
		})
	})
	return out, err
}

// inbox is what the archive has of a mailbox's inbox.
func (d *demo) inbox(ctx context.Context, mailbox string) (out []*archive.Version, err error) {
	o := d.quietly()
	err = o.withArchive(ctx, func(a *archive.Archive) error {
		s, err := a.Latest(mailbox)
		if err == nil {
			out, err = collect(inFolder(a.Versions(ctx, s), "Inbox"))
		}
		return err
	})
	return out, err
}

func collect(items iter.Seq2[*archive.Version, error]) (out []*archive.Version, err error) {
	for v, err := range items {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// soap sends a request that a backup never sends: a user at work.
func (d *demo) soap(ctx context.Context, mailbox, body string) error {
	envelope := `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ` +
		`xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">` +
		`<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` + mailbox +
		`</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.server.url, strings.NewReader(envelope))
	if err != nil {
		return err
	}
	req.SetBasicAuth(d.server.sign.user, d.server.sign.password)
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && !strings.Contains(string(answer), ">NoError<") {
		err = fmt.Errorf("demo: the simulated Exchange answered %s", resp.Status)
	}
	return err
}

// scratch is a folder of the demo's.
func (d *demo) scratch(name string) string { return filepath.Join(d.dir, name) }

// bringBack puts the lost message back and shows that it can be found again.
func (d *demo) bringBack(ctx context.Context) error {
	var sum restore.Report
	o := d.quietly()
	err := o.withArchive(ctx, func(a *archive.Archive) error {
		var err error
		ro := &restoreOptions{common: o, server: d.server}
		sum, err = ro.into(ctx, a, d.lost.Mailbox, func(yield func(*archive.Version, error) bool) { yield(d.lost, nil) })
		return err
	})
	if err != nil {
		return err
	}
	if sum.Restored != 1 {
		return fmt.Errorf("demo: %d of 1 messages restored", sum.Restored)
	}
	if _, err := d.backUp(ctx); err != nil {
		return err
	}
	now, err := d.find(ctx, demoWord, "")
	if err != nil {
		return err
	}
	if len(now) != 1 {
		return fmt.Errorf("demo: %q finds %d messages after the restore", demoWord, len(now))
	}
	return d.figure("restore", "the lost message is back, compared with what was sent, and found again", nil)
}

func (d *demo) export(ctx context.Context) error {
	o := d.quietly()
	out := d.scratch("export")
	if err := runExport(ctx, o, &selection{query: "subject:contract"}, restore.NewFiles(out, restore.EML), false); err != nil {
		return err
	}
	files := 0
	err := filepath.WalkDir(out, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".eml" {
			files++
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.figure("export", fmt.Sprintf("subject:contract: %d .eml files with a SHA-256 manifest", files), map[string]any{"files": files})
}
