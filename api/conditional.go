package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// An ETag is the editable version of a row and, where parts of it move by relative
// or newest-wins writes, a counter of those moves: "7" or "7-42". It covers all that
// the answer shows; If-Match compares the version in it alone, so that a busy
// account or a fleet under way does not fail every edit.

func etag(version int64, moves ...int64) string {
	tag := strconv.AppendInt(append(make([]byte, 0, 48), '"'), version, 10)
	if len(moves) > 0 {
		tag = strconv.AppendInt(append(tag, '-'), moves[0], 10)
	}
	return string(append(tag, '"'))
}

// noVersion is one that no row has: an ETag that was not ours matches none.
const noVersion = -1

func versionIn(tag string) int64 {
	inner, quoted := strings.CutPrefix(strings.TrimSpace(tag), `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	number, _, _ := strings.Cut(inner, "-")
	version, err := strconv.ParseInt(number, 10, 64)
	if !quoted || !closed || err != nil || version < 1 || strconv.FormatInt(version, 10) != number {
		return noVersion
	}
	return version
}

// IfMatch is the precondition of an edit: required, so that nobody overwrites what
// they have not seen.
type IfMatch struct {
	Tag string `header:"If-Match" doc:"The ETag of the row as it was read; required" example:"\"7\""`

	version int64
}

// Resolve implements huma.Resolver.
func (m *IfMatch) Resolve(huma.Context) []error {
	if m.Tag == "" || strings.TrimSpace(m.Tag) == "*" {
		return []error{problem(preconditionRequired, "If-Match", "")}
	}
	var err error
	m.version, err = parseIfMatch(m.Tag)
	return asErrors(err)
}

// OptionalIfMatch is the precondition of a transition: without one, the status alone
// decides.
type OptionalIfMatch struct {
	Tag string `header:"If-Match" doc:"The ETag of the pickup as it was read: a late duplicate of an earlier round then loses" example:"\"7\""`

	version int64
}

// Resolve implements huma.Resolver.
func (m *OptionalIfMatch) Resolve(huma.Context) []error {
	if m.Tag == "" || strings.TrimSpace(m.Tag) == "*" {
		return nil
	}
	var err error
	m.version, err = parseIfMatch(m.Tag)
	return asErrors(err)
}

func parseIfMatch(tag string) (int64, error) {
	if strings.Contains(tag, ",") {
		return 0, problem(db.ValidationFailed, "If-Match", "If-Match takes one ETag.")
	}
	return versionIn(tag), nil
}

func asErrors(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// IfNoneMatch lets a client keep what it has.
type IfNoneMatch struct {
	Tags string `header:"If-None-Match" doc:"ETags that the client has: 304 if one of them is still good"`
}

// fresh tells whether the client has what tag names (RFC 9110: weak comparison).
func (m IfNoneMatch) fresh(tag string) bool {
	for have := range strings.SplitSeq(m.Tags, ",") {
		have = strings.TrimSpace(have)
		if have == "*" || strings.TrimPrefix(have, "W/") == tag {
			return true
		}
	}
	return false
}

// notModified answers 304: the client has what the answer would show.
type notModified struct{ tag string }

func (n notModified) Error() string           { return "not modified" }
func (n notModified) GetStatus() int          { return http.StatusNotModified }
func (n notModified) GetHeaders() http.Header { return http.Header{"ETag": {n.tag}} }

func isNotModified(err error) bool {
	var n notModified
	return errors.As(err, &n)
}

// shown answers a read: the row, or 304 if the client has it.
func (m IfNoneMatch) shown(tag string) error {
	if m.Tags != "" && m.fresh(tag) {
		return notModified{tag}
	}
	return nil
}

// Row is the answer with one row.
type Row[T any] struct {
	ETag string `header:"ETag" doc:"Names what this answer shows; for If-Match and If-None-Match"`
	Body *T
}

// edited tells what became of an edit that compared a version: where it matched no
// row, a fresh read says whether there is one.
func edited(err error, read func() error) error {
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	return problem(db.StaleVersion, "If-Match", "")
}
