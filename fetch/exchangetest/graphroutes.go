package exchangetest

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// graphRoute is one operation of Graph.
type graphRoute struct {
	method  string
	path    string // segments; {name} takes any
	name    string // for faults and counts
	options string // that its query may have
	allow   func(*graphCall) *failure
	do      func(*graphCall) *failure
}

const (
	listOptions = "$select $filter $top $skip $orderby $count $expand"
	getOptions  = "$select $expand"
)

// graphRoutes are the operations below v1.0 and beta; of two that match, the first counts.
func graphRoutes() []graphRoute {
	const box, folder = "admin/exchange/mailboxes/{mailbox}", "admin/exchange/mailboxes/{mailbox}/folders/{folder}"
	return []graphRoute{
		{"GET", "users/{user}/settings/exchange", "graph.settings", "", bearer, (*graphCall).settings},
		{"POST", "$batch", "graph.batch", "", bearer, (*graphCall).batch},
		{"POST", "users/{user}/translateExchangeIds", "graph.translateExchangeIds", "", bearer, (*graphCall).translateIDs},
		{"GET", box + "/folders", "graph.listFolders", listOptions, bearer, (*graphCall).listFolders},
		{"GET", box + "/folders/delta", "graph.folderDelta", "$select $deltatoken $skiptoken", bearer, (*graphCall).folderDelta},
		{"GET", folder, "graph.getFolder", getOptions, bearer, (*graphCall).getFolder},
		{"GET", folder + "/childFolders", "graph.listChildFolders", listOptions, bearer, (*graphCall).listFolders},
		{"GET", folder + "/items", "graph.listItems", listOptions, bearer, (*graphCall).listItems},
		{"GET", folder + "/items/delta", "graph.itemDelta", "$select $top $filter $orderby $deltatoken $skiptoken", bearer, (*graphCall).itemDelta},
		{"GET", folder + "/items/{item}", "graph.getItem", getOptions, bearer, (*graphCall).getItem},
		{"GET", folder + "/childFolders/delta", "graph.folderDelta", "$select $deltatoken $skiptoken", bearer, (*graphCall).folderDelta},
		{"POST", box + "/folders", "graph.createFolder", "", bearer, (*graphCall).createFolder},
		{"POST", folder + "/childFolders", "graph.createFolder", "", bearer, (*graphCall).createFolder},
		{"PATCH", folder, "graph.updateFolder", "", bearer, (*graphCall).updateFolder},
		{"PATCH", folder + "/childFolders/{child}", "graph.updateFolder", "", bearer, (*graphCall).updateFolder},
		{"DELETE", folder + "/$ref", "graph.deleteFolder", "", bearer, (*graphCall).deleteFolder},
		{"DELETE", folder + "/childFolders/{child}/$ref", "graph.deleteFolder", "", bearer, (*graphCall).deleteFolder},
		{"DELETE", folder + "/items/{item}", "graph.deleteItem", "disposalType", bearer, (*graphCall).deleteItem},
		{"POST", box + "/createImportSession", "graph.createImportSession", "", bearer, (*graphCall).createImportSession},
		{"POST", box + "/exportItems", "graph.exportItems", "", bearer, (*graphCall).exportItems},
	}
}

// find finds the operation of the path and takes the path's variables.
func (c *graphCall) find() *failure {
	segments, f := c.segments()
	if f != nil {
		return f
	}
	if c.importing(segments) {
		return nil
	}
	var others []string
	for _, route := range graphRoutes() {
		vars, ok := match(strings.Split(route.path, "/"), segments)
		switch {
		case ok && route.method == c.r.Method:
			c.route, c.vars = route, vars
			return nil
		case ok:
			others = append(others, route.method)
		}
	}
	if others != nil {
		c.w.Header().Set("Allow", strings.Join(others, ", "))
		return fail("MethodNotAllowed").say("Specified HTTP method is not allowed for the request target.")
	}
	return unknownSegment(segments)
}

// segments are those behind the root.
func (c *graphCall) segments() ([]string, *failure) {
	if strings.ContainsFunc(c.r.RequestURI, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\^`+"`{|}", r) }) {
		return nil, fail("BadRequest").say("The request has an invalid URL.") // http.sys lets none of them through
	}
	var list []string
	for s := range strings.SplitSeq(strings.TrimPrefix(c.r.URL.EscapedPath(), "/"), "/") {
		text, err := url.PathUnescape(s)
		if err != nil {
			return nil, fail("BadRequest")
		}
		list = append(list, text)
	}
	c.beta = list[0] == betaPath[1:]
	return list[1:], nil
}

// importing takes the address of an import, which is another service's.
func (c *graphCall) importing(segments []string) bool {
	root, path, _ := strings.Cut(strings.Join(segments, "/"), "/")
	id, found := strings.CutPrefix(path, "Mailboxes('")
	id, whole := strings.CutSuffix(id, "')/importItem")
	if root != importPath[5:] && root != importBeta[5:] || !found || !whole || c.r.Method != http.MethodPost {
		return false
	}
	c.beta = root == importBeta[5:]
	c.vars = map[string]string{"mailbox": id}
	c.route = graphRoute{name: "graph.importItem", options: "authtoken", allow: importer, do: (*graphCall).importItem}
	return true
}

func match(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	vars := map[string]string{}
	for i, p := range pattern {
		name, variable := strings.CutPrefix(p, "{")
		switch {
		case variable && segments[i] != "":
			vars[strings.TrimSuffix(name, "}")] = segments[i]
		case p != segments[i]:
			return nil, false
		}
	}
	return vars, true
}

// unknownSegment names the segment from which on no operation has such a path.
func unknownSegment(segments []string) *failure {
	most := 0
	for _, route := range graphRoutes() {
		pattern := strings.Split(route.path, "/")
		for n := min(len(pattern), len(segments)); n > most; n-- {
			if _, ok := match(pattern[:n], segments[:n]); ok {
				most = n
			}
		}
	}
	if most == len(segments) {
		return fail("BadRequest").say("The request path is not complete.")
	}
	return fail("RequestBroker--ParseUri").say("Resource not found for the segment '" + clipped(segments[most]) + "'.")
}

// checkBody refuses a body of another type than JSON. A request without one needs no type.
func (c *graphCall) checkBody() *failure {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodDelete || c.r.ContentLength == 0 {
		return nil
	}
	given := c.r.Header.Get("Content-Type")
	if given == "" {
		return fail("BadRequest").say("Write requests (excluding DELETE) must contain the Content-Type header declaration.")
	}
	if kind, _, err := mime.ParseMediaType(given); err != nil || kind != "application/json" {
		return fail("UnsupportedMediaType").say("A supported MIME type could not be found that matches the content type of the request.")
	}
	return nil
}
