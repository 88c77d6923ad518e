package docs

import (
	"cmp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// operation is an operation of the document, or a webhook.
type operation struct {
	*huma.Operation
	Tag     string
	Webhook bool // a request that the reader receives
}

// page is the path of its page.
func (op *operation) page() string { return "/docs/operations/" + op.OperationID }

// ofTag is 1 for an operation whose path begins with its tag, and otherwise 0.
func (op *operation) ofTag() int {
	if strings.HasPrefix(op.Path+"/", "/v1/"+op.Tag+"/") {
		return 1
	}
	return 0
}

// operationsOf returns the operations in the order in which they are shown: first those whose path begins with
// their tag, then by path; of a path, what creates comes first.
func operationsOf(document *huma.OpenAPI) (all []*operation) {
	add := func(path string, item *huma.PathItem, webhook bool) {
		for _, at := range []struct {
			method string
			op     *huma.Operation
		}{{"GET", item.Get}, {"POST", item.Post}, {"PUT", item.Put}, {"PATCH", item.Patch}, {"DELETE", item.Delete}} {
			if at.op == nil {
				continue
			}
			op := *at.op
			op.Method, op.Path = at.method, path
			all = append(all, &operation{&op, op.Tags[0], webhook})
		}
	}
	for path, item := range document.Paths {
		add(path, item, false)
	}
	for _, item := range document.Webhooks {
		add("", item, true)
	}
	rank := func(op *operation) int {
		return slices.Index([]string{"POST", "GET", "PUT", "PATCH", "DELETE"}, op.Method)
	}
	slices.SortFunc(all, func(a, b *operation) int {
		return cmp.Or(cmp.Compare(b.ofTag(), a.ofTag()), strings.Compare(a.Path, b.Path), cmp.Compare(rank(a), rank(b)),
			strings.Compare(a.OperationID, b.OperationID))
	})
	return all
}
