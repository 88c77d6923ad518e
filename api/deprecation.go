package api

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// deprecation declares that an operation, or a member, will be removed.
//
// A member declares it with the tags since, sunset and, if there is one, successor, which is the name of another
// member of its object:
//
//	Note string `json:"note" since:"2026-12-01" sunset:"2027-06-30" successor:"remark"`
type deprecation struct {
	since     time.Time // from when on it is discouraged
	sunset    time.Time // the last day on which it works
	successor string    // the id of the operation to use instead; "" for none
}

// deprecatedOn returns a deprecation, whose days are like 2027-06-30. Wrong days fail at start.
func deprecatedOn(since, sunset, successor string) *deprecation {
	from, err := time.Parse(time.DateOnly, since)
	if err != nil {
		panic(err)
	}
	until, err := time.Parse(time.DateOnly, sunset)
	if err != nil {
		panic(err)
	}
	if !from.Before(until) {
		panic(fmt.Sprintf("deprecated on %s, after its sunset on %s", since, sunset))
	}
	return &deprecation{from, until, successor}
}

// end is the moment from which on it may not work.
func (d *deprecation) end() time.Time { return d.sunset.AddDate(0, 0, 1) }

// describe returns a description that begins with the deprecation.
func (d *deprecation) describe(text string) string {
	note := fmt.Sprintf("Deprecated since %s, and removed after %s.", d.since.Format(time.DateOnly),
		d.sunset.Format(time.DateOnly))
	if d.successor != "" {
		note += " Use `" + d.successor + "` instead."
	}
	return strings.TrimSpace(note + "\n\n" + text)
}

// extensions are those by which oasdiff knows when it may be removed.
func (d *deprecation) extensions() map[string]any {
	return map[string]any{"x-sunset": d.sunset.Format(time.DateOnly)}
}

// headers are the descriptions of the headers of each answer.
func (d *deprecation) headers() map[string]*huma.Header {
	text := func(about string) *huma.Header {
		return &huma.Header{Description: about, Required: true, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return map[string]*huma.Header{
		"Deprecation": text("Since when the operation is deprecated: @ and seconds since 1970 (RFC 9745)"),
		"Sunset":      text("From when on it may not work (RFC 8594)"),
		"Link": text(
			"The documentation (deprecation) and, if there is one, what to use instead (successor-version)"),
	}
}

// declareOn adds the deprecation to the entry of an operation in the document.
func (d *deprecation) declareOn(op *huma.Operation) {
	op.Deprecated, op.Extensions = true, d.extensions()
	op.Description = d.describe(op.Description)
}

// tell is a middleware that adds the headers to each answer, errors included.
func (d *deprecation) tell(a *server, op operation) func(huma.Context, func(huma.Context)) {
	since, end := "@"+strconv.FormatInt(d.since.Unix(), 10), d.end().Format(http.TimeFormat)
	return func(ctx huma.Context, next func(huma.Context)) {
		ctx.SetHeader("Deprecation", since)
		ctx.SetHeader("Sunset", end)
		links := fmt.Sprintf(`</docs/operations/%s>; rel="deprecation"; type="text/html"`, op.id)
		if to := d.successorPath(a, ctx); to != "" {
			links += fmt.Sprintf(`, <%s>; rel="successor-version"`, to)
		}
		ctx.SetHeader("Link", links)
		next(ctx)
	}
}

// successorPath returns the path of the successor, with the parameters of this request; "" if there is none, or
// if it has others.
func (d *deprecation) successorPath(a *server, ctx huma.Context) string {
	operations := operationsOf(a.huma.OpenAPI())
	at := slices.IndexFunc(operations, func(o *huma.Operation) bool { return o.OperationID == d.successor })
	if at < 0 {
		return ""
	}
	path := operations[at].Path
	for _, p := range operations[at].Parameters {
		if value := ctx.Param(p.Name); p.In == "path" && value != "" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		}
	}
	if strings.Contains(path, "{") {
		return ""
	}
	return path
}

// deprecateMembers adds the deprecations that the types of schemas declare to their members.
func deprecateMembers(schemas huma.Registry) {
	for name, schema := range schemas.Map() {
		of := schemas.TypeFromRef("#/components/schemas/" + name)
		if of == nil || schema.Properties == nil {
			continue
		}
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct {
			continue
		}
		for _, field := range reflect.VisibleFields(of) {
			since, ok := field.Tag.Lookup("since")
			if !ok {
				continue
			}
			member, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			d := deprecatedOn(since, field.Tag.Get("sunset"), field.Tag.Get("successor"))
			property := schema.Properties[member]
			if d.successor != "" && schema.Properties[d.successor] == nil {
				panic(fmt.Sprintf("%s.%s has the successor %s, which is no member", name, member, d.successor))
			}
			property.Deprecated, property.Extensions = true, d.extensions()
			property.Description = d.describe(property.Description)
		}
	}
}
