package exchangetest

import (
	"encoding/base64"
	"io"

	"github.com/beevik/etree"
)

// exportItem opens the item's stream; the answer copies it as base64 while it is
// read, so that items of any size pass through.
func (c *call) exportItem(unit *etree.Element) (content, *failure) {
	v, f := c.view(unit)
	if f != nil {
		return nil, f
	}
	stream, err := v.rev.source.open()
	if err != nil {
		c.log("item not exported", "cause", "its source cannot be read")
		return nil, fail("ErrorItemCorrupt")
	}
	damage := damageOf(c.due, c.mailbox, c.unit, attr(unit, "Id"))
	if damage == "" {
		c.ticket.givesItem(v.id, v.key)
	}
	return func(x *xmlWriter) error {
		defer stream.Close()
		x.empty("m:ItemId", "Id", v.id, "ChangeKey", v.key)
		x.start("m:Data")
		err := damage.copy(x.Writer, stream, c.server.options.WrapData)
		if err != nil {
			return err
		}
		x.end()
		return nil
	}, nil
}

// damage is what was ordered to happen to an item's data; "" is nothing.
type damage Action

// damageOf is that of the i-th item of a request.
func damageOf(due []Fault, m *Mailbox, i int, id string) damage {
	for _, d := range due {
		switch d.Action {
		case ActionGarbage, ActionTruncateInside, ActionTruncateEnd:
			if d.hits(m, i, id) {
				return damage(d.Action)
			}
		}
	}
	return ""
}

func (d damage) copy(w io.Writer, stream io.Reader, columns int) error {
	if d == "" {
		return copyBase64(w, stream, columns)
	}
	data, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	if Action(d) == ActionGarbage {
		_, err := io.WriteString(w, base64.StdEncoding.EncodeToString([]byte("These bytes are no stream of a message.")))
		return err
	}
	if _, err := io.WriteString(w, base64.StdEncoding.EncodeToString(data[:len(data)/2/3*3])+truncationNotice); err != nil {
		return err
	}
	if Action(d) == ActionTruncateEnd {
		return errEnded
	}
	return nil
}

// copyBase64 encodes piece by piece, with line breaks after so many columns if any.
func copyBase64(w io.Writer, r io.Reader, columns int) error {
	if columns > 0 {
		w = &wrapper{w: w, columns: columns}
	}
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.CopyBuffer(struct{ io.Writer }{encoder}, struct{ io.Reader }{r}, make([]byte, 24<<10)); err != nil {
		return err
	}
	return encoder.Close()
}

// wrapper breaks text into lines.
type wrapper struct {
	w       io.Writer
	columns int
	at      int
}

func (b *wrapper) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if b.at == b.columns {
			if _, err := b.w.Write([]byte("\r\n")); err != nil {
				return n, err
			}
			b.at = 0
		}
		line := p[n:min(len(p), n+b.columns-b.at)]
		k, err := b.w.Write(line)
		n += k
		b.at += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
