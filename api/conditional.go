package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// An ETag is the editable version of a row and, if relative or newest-wins writes change parts of it, a
// counter of those changes: "7" or "7-42". It covers everything that the answer shows; If-Match
// compares only the version in it, so that a busy account or a moving fleet does not fail every edit.

func etag(version int64, moves ...int64) string {
	tag := strconv.AppendInt(append(make([]byte, 0, 48), '"'), version, 10)
	if len(moves) > 0 {
		tag = strconv.AppendInt(append(tag, '-'), moves[0], 10)
	}
	return string(append(tag, '"'))
}

// entityTags parses a list of ETags (RFC 9110, 8.8.3), and returns the text between their quotes. The
// weak marker (W/) is ignored: a proxy that compresses an answer makes its ETag weak, and the version
// in it stays valid.
func entityTags(list string) (opaque []string, ok bool) {
	for rest := strings.Trim(list, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		rest, ok = strings.CutPrefix(strings.TrimPrefix(rest, "W/"), `"`)
		end := strings.IndexByte(rest, '"')
		if !ok || end < 0 || strings.ContainsFunc(rest[:end], func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, false
		}
		opaque, rest = append(opaque, rest[:end]), strings.TrimLeft(rest[end+1:], " \t")
		if rest != "" && rest[0] != ',' {
			return nil, false
		}
	}
	return opaque, len(opaque) > 0
}

// versionIn returns the version in one of our ETags.
func versionIn(opaque string) (version int64, ok bool) {
	number, moves, several := strings.Cut(opaque, "-")
	if several && !isNumber(moves) || !isNumber(number) {
		return 0, false
	}
	version, err := strconv.ParseInt(number, 10, 64)
	return version, err == nil && version > 0
}

// isNumber reports whether text is a whole number in the form that etag writes.
func isNumber(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n >= 0 && strconv.FormatInt(n, 10) == text
}

// ifMatch parses the version in an If-Match header.
func ifMatch(header string) (version int64, err error) {
	refuse := func(what string) (int64, error) { return 0, problem(db.ValidationFailed, "If-Match", what) }
	tags, ok := entityTags(header)
	switch {
	case !ok:
		return refuse("If-Match is not an ETag: send it exactly as received, including its quotes.")
	case len(tags) > 1:
		return refuse("If-Match accepts one ETag: that of the version that was read.")
	}
	version, ok = versionIn(tags[0])
	if !ok {
		return refuse("If-Match is not an ETag of this API: send it exactly as received.")
	}
	return version, nil
}

// IfMatch is the precondition of an edit (optimistic locking): it is required, so that an edit cannot
// overwrite a version that its caller has not read.
type IfMatch struct {
	Tag string `header:"If-Match" doc:"The ETag of the row that the edit is based on; required. A weak ETag (W/) is accepted" example:"\"7\""`

	version int64
}

// Resolve implements huma.Resolver.
func (m *IfMatch) Resolve(huma.Context) []error {
	switch strings.TrimSpace(m.Tag) {
	case "":
		return []error{problem(preconditionRequired, "If-Match", "")}
	case "*":
		return []error{problem(preconditionRequired, "If-Match",
			"If-Match: * does not identify a version: send the ETag of the row that was read.")}
	}
	var err error
	m.version, err = ifMatch(m.Tag)
	return asErrors(err)
}

// OptionalIfMatch is the precondition of a transition or a delete: without it, or with *, the version does not matter.
type OptionalIfMatch struct {
	Tag string `header:"If-Match" doc:"The ETag of the row as it was read, so that a late duplicate of an earlier request is rejected. A weak ETag (W/) is accepted" example:"\"7\""`

	version int64
}

// Resolve implements huma.Resolver.
func (m *OptionalIfMatch) Resolve(huma.Context) []error {
	if m.Tag == "" || strings.TrimSpace(m.Tag) == "*" {
		return nil
	}
	var err error
	m.version, err = ifMatch(m.Tag)
	return asErrors(err)
}

func asErrors(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// IfNoneMatch lets a client revalidate its cached answer.
type IfNoneMatch struct {
	Tags string `header:"If-None-Match" doc:"ETags of cached answers, or *: the answer is 304 if one of them is current"`

	have []string
}

// Resolve implements huma.Resolver.
func (m *IfNoneMatch) Resolve(huma.Context) []error {
	var ok bool
	if m.Tags == "" || strings.TrimSpace(m.Tags) == "*" {
		return nil
	}
	if m.have, ok = entityTags(m.Tags); !ok {
		return []error{problem(db.ValidationFailed, "If-None-Match",
			"If-None-Match is not a list of ETags: send them exactly as received, including their quotes.")}
	}
	return nil
}

// fresh reports whether the client already has the row that tag identifies (RFC 9110: weak comparison).
// Foreign ETags match nothing.
func (m IfNoneMatch) fresh(tag string) bool {
	return strings.TrimSpace(m.Tags) == "*" || slices.Contains(m.have, strings.Trim(tag, `"`))
}

// notModified is the answer 304: the client already has the content.
type notModified struct{ tag string }

func (n notModified) Error() string           { return "not modified" }
func (n notModified) GetStatus() int          { return http.StatusNotModified }
func (n notModified) GetHeaders() http.Header { return http.Header{"ETag": {n.tag}} }

func isNotModified(err error) bool {
	var n notModified
	return errors.As(err, &n)
}

// notModifiedIf returns notModified if the client has the row, otherwise nil.
func (m IfNoneMatch) notModifiedIf(tag string) error {
	if m.Tags != "" && m.fresh(tag) {
		return notModified{tag}
	}
	return nil
}

// Row is an answer with one row.
type Row[T any] struct {
	ETag string `header:"ETag" doc:"Identifies the version of the answer, for If-Match and If-None-Match"`
	Body *T
}

// asSeen answers an empty edit with the row, if its version is that of the If-Match header. Nothing is
// written, and the version does not change.
func asSeen[T any](m IfMatch, version int64, tag string, row *T, err error) (*Row[T], error) {
	if err != nil {
		return nil, err
	}
	if version != m.version {
		stale := problem(db.StaleVersion, "If-Match", "")
		stale.CurrentETag = tag
		return nil, stale
	}
	return &Row[T]{tag, row}, nil
}
