package exchangetest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
)

const maxTranslateIDs = 1000

// translateIDs changes ids of one type into another. Immutable ids are not modelled.
func (c *graphCall) translateIDs() *failure {
	o, f := c.readJSON("inputIds", "sourceIdType", "targetIdType")
	if f != nil {
		return f
	}
	var ids []string
	var from, to string
	if json.Unmarshal(o["inputIds"], &ids) != nil || json.Unmarshal(o["sourceIdType"], &from) != nil || json.Unmarshal(o["targetIdType"], &to) != nil {
		return fail("BadRequest").say("inputIds, sourceIdType and targetIdType are required.")
	}
	types := []string{"entryId", "ewsId", "restId"}
	if !slices.Contains(types, from) || !slices.Contains(types, to) {
		return fail("ErrorInvalidRequest").say("The id type is not supported.")
	}
	if len(ids) == 0 || len(ids) > maxTranslateIDs {
		return fail("ErrorInvalidRequest").say("The number of ids must be between 1 and 1000.")
	}
	list := make([]object, 0, len(ids))
	for _, id := range ids {
		list = append(list, c.translate(id, from, to))
	}
	return c.answer(http.StatusOK, object{{"@odata.context", c.context("Collection(microsoft.graph.convertIdResult)")}, {"value", list}})
}

func (c *graphCall) translate(text, from, to string) object {
	id, f := c.box.readID(text, from)
	if f != nil {
		return object{{"sourceId", text}, {"errorDetails", object{{"code", f.code}, {"message", f.text}}}}
	}
	return object{{"sourceId", text}, {"targetId", id.typed(to)}}
}

// readID reads an id of a type.
func (b graphBox) readID(text, kind string) (objectID, *failure) {
	switch kind {
	case "restId":
		return b.ownID(text)
	case "ewsId":
		id, f := parseID(text)
		if f == nil && id.mailbox != b.guid {
			f = b.foreign(text)
		}
		return id, f
	}
	entry, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return objectID{}, fail("ErrorInvalidIdMalformed")
	}
	id, f := parseEntry(b.guid, entry)
	if f == nil && id.typed("entryId") != text {
		f = fail("ErrorInvalidIdMalformed")
	}
	return id, f
}

// typed writes an id of a type.
func (id objectID) typed(kind string) string {
	switch kind {
	case "restId":
		return restID(id.String())
	case "ewsId":
		return id.String()
	}
	return base64.StdEncoding.EncodeToString(id.entry())
}
