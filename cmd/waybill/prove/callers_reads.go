package prove

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// reading is a GET that succeeds.
type reading struct {
	by   user
	path string
}

// operations is what is read of a path's operations in the document.
type operations map[string]struct {
	Parameters []struct {
		In       string `json:"in"`
		Required bool   `json:"required"`
	} `json:"parameters"`
	Responses map[string]struct {
		Content map[string]any `json:"content"`
	} `json:"responses"`
}

// readsOf returns a read for each GET of the server's document that one of the users may make. The parts of a
// path that vary are the first row of the list before them.
func readsOf(ctx context.Context, c *client, users []user) (all []reading, err error) {
	var document struct {
		Paths map[string]operations `json:"paths"`
	}
	if err := (user{client: c}).get(ctx, "/openapi.json").into(&document); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		if !document.Paths[path].readable() {
			continue
		}
		if r, ok := readOf(ctx, users, path); ok {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the document has nothing that can be read")
	}
	return all, nil
}

// readable reports whether there is a GET that ends, and asks for nothing but its path.
func (o operations) readable() bool {
	get, ok := o["get"]
	if !ok {
		return false
	}
	for _, p := range get.Parameters {
		if p.Required && p.In != "path" {
			return false
		}
	}
	for _, answer := range get.Responses {
		for content := range answer.Content {
			if strings.HasPrefix(content, "text/event-stream") {
				return false
			}
		}
	}
	return true
}

// readOf finds a user who may read a path, with the ids of rows that there are.
func readOf(ctx context.Context, users []user, template string) (r reading, ok bool) {
	for _, u := range users {
		path, ok := filledPath(ctx, u, template)
		if ok && u.do(ctx, http.MethodGet, path, nil).ok() {
			return reading{u, path}, true
		}
	}
	return reading{}, false
}

func filledPath(ctx context.Context, u user, template string) (path string, ok bool) {
	for part := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		if strings.HasPrefix(part, "{") {
			rows, err := list[struct{ ID, Name string }](ctx, u, path)
			if err != nil || len(rows) == 0 {
				return "", false
			}
			if part = rows[0].ID; part == "" {
				part = rows[0].Name
			}
		}
		path += "/" + part
	}
	return path, true
}
