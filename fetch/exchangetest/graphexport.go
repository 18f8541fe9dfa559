package exchangetest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
)

const (
	maxExportIDs = 20
	maxGraphBody = 4 << 20 // of a request but an import's
)

// readJSON reads a body that is an object with those members and no others, spelled so.
func (c *graphCall) readJSON(names ...string) (map[string]json.RawMessage, *failure) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxGraphBody))
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		return nil, fail("RequestEntityTooLarge")
	}
	var o map[string]json.RawMessage
	if err != nil || json.Unmarshal(raw, &o) != nil || o == nil {
		return nil, fail("BadRequest").say("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	for name := range o {
		if !slices.Contains(names, name) {
			return nil, fail("RequestBodyRead").say("The property '" + clipped(name) + "' does not exist on the type and cannot be sent.")
		}
	}
	return o, nil
}

// exportItems answers the streams of items, one after the other as they are read.
func (c *graphCall) exportItems() *failure {
	o, f := c.readJSON("itemIds")
	if f != nil {
		return f
	}
	var ids []string
	if json.Unmarshal(o["itemIds"], &ids) != nil {
		return fail("BadRequest").say("The parameter 'itemIds' is a collection of texts.")
	}
	if len(ids) == 0 || len(ids) > maxExportIDs {
		return fail("ErrorInvalidRequest").say("The number of item ids must be between 1 and 20.")
	}
	return c.stream(http.StatusOK, func(w *bufio.Writer) error {
		w.WriteString(`{"@odata.context":`)
		w.Write(appendJSON(nil, c.context("Collection(microsoft.graph.exportItemResponse)")))
		w.WriteString(`,"value":[`)
		for i, id := range ids {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := c.exportOne(w, i, id); err != nil {
				return err
			}
		}
		_, err := w.WriteString("]}")
		return err
	})
}

// exportOne writes one entry: an item's stream, or why there is none.
func (c *graphCall) exportOne(w *bufio.Writer, i int, id string) error {
	if err := c.r.Context().Err(); err != nil {
		return err
	}
	if err := c.item(); err != nil {
		return err
	}
	v, stream, f := c.openItem(i, id)
	if f != nil {
		_, err := w.Write(appendJSON(nil, c.exportError(id, f)))
		return err
	}
	defer stream.Close()
	head := appendJSON(nil, object{{"itemId", id}, {"changeKey", v.key}})
	w.Write(head[:len(head)-1])
	if !c.orders(ActionNoData, i, id) {
		w.WriteString(`,"data":"`)
		damage := damageOf(c.due, c.box.Mailbox, i, id)
		if damage == "" {
			c.ticket.givesItem(v.id, v.key)
		}
		if err := damage.copy(w, stream, 0); err != nil {
			return err
		}
		w.WriteByte('"')
	}
	return w.WriteByte('}')
}

// openItem finds an item and opens its stream.
func (c *graphCall) openItem(i int, id string) (v itemView, stream io.ReadCloser, f *failure) {
	for _, d := range c.due {
		if d.Action == ActionItemError && d.hits(c.box.Mailbox, i, id) {
			return v, nil, fail(d.Code)
		}
	}
	c.box.mu.RLock()
	it, f := c.box.itemByID(id)
	if f == nil {
		v = c.box.viewItem(it)
	}
	c.box.mu.RUnlock()
	if f != nil && f.code == "PermanentRedirect" {
		f = fail("ErrorArchiveFolderMovedPermanently").say(c.mailboxURL(c.box.partID(partAuxiliary)) + "/exportItems")
	}
	if f != nil {
		return v, nil, f
	}
	stream, err := v.rev.source.open()
	if err != nil {
		return v, nil, fail("ErrorItemCorrupt")
	}
	return v, stream, nil
}

// orders says whether a fault was ordered for the i-th item.
func (c *graphCall) orders(a Action, i int, id string) bool {
	return slices.ContainsFunc(c.due, func(d Fault) bool { return d.Action == a && d.hits(c.box.Mailbox, i, id) })
}

// exportError is the entry of an item that has no stream. Exchange Online spells
// the member in two ways; here they take turns.
func (c *graphCall) exportError(id string, f *failure) object {
	if c.server.graph.errors.next()%2 == 0 {
		return object{{"itemId", id}, {"Error", object{{"message", f.text}, {"code", f.code}}}}
	}
	return object{{"itemId", id}, {"error", object{{"code", f.code}, {"message", f.text}}}}
}
