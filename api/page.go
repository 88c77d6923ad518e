package api

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

// Page is one page of a list, newest first unless its operation says otherwise. It has no total count,
// which would read the whole table.
type Page[T any] struct {
	Items      []T    `json:"items" maxItems:"200" doc:"The rows of the page, in the order of the list"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Pass it as cursor to get the next page; absent on the last page"`
}

// ListOf is an answer with one page of a list.
type ListOf[T any] struct {
	Body *Page[T]
}

// Paging has the query parameters of every list.
type Paging struct {
	Limit  int32  `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The maximum number of items"`
	Cursor string `query:"cursor" doc:"The next_cursor of the previous page"`

	list   []byte      // identifies the list in its cursors
	sealed cipher.AEAD // encrypts what its cursors say besides; nil if they say it in clear
}

// open returns the position that the cursor encodes, "" for the beginning. A cursor belongs to one
// list: in another list it would silently skip rows.
func (p *Paging) open(ctx huma.Context) (place string, err error) { return p.openOrdered(ctx, "") }

// openOrdered is open for a list whose order depends on order, by which its cursors are told from those of the
// same list in another.
func (p *Paging) openOrdered(ctx huma.Context, order string) (place string, err error) {
	u := ctx.URL()
	sum := sha256.Sum256([]byte(u.Path + order))
	p.list = sum[:4]
	if p.Cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	place, found := strings.CutPrefix(string(raw), string(p.list))
	if err == nil && p.sealed != nil {
		var opened []byte
		opened, err = p.sealed.Open(nil, nil, []byte(place), p.list)
		place = string(opened)
	}
	if err != nil || !found || place == "" {
		return "", badCursor()
	}
	return place, nil
}

// cursor encodes a position in the list; open decodes it.
func (p Paging) cursor(place string) string {
	if p.sealed != nil {
		place = string(p.sealed.Seal(nil, nil, []byte(place), p.list))
	}
	return base64.RawURLEncoding.EncodeToString(append(slices.Clip(p.list), place...))
}

// Keyset paginates rows by (created_at, id), newest first.
type Keyset struct {
	Paging

	before   time.Time
	beforeID uuid.UUID
}

// endOfTime sorts after every row.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Resolve implements huma.Resolver.
func (k *Keyset) Resolve(ctx huma.Context) []error {
	place, err := k.open(ctx)
	if err != nil {
		return asErrors(err)
	}
	return k.resume(place)
}

// resume continues after a position, "" for the beginning.
func (k *Keyset) resume(place string) []error {
	if k.before, k.beforeID = endOfTime, uuid.Max; place == "" {
		return nil
	}
	if len(place) != 8+len(k.beforeID) {
		return []error{badCursor()}
	}
	k.before = time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(place)))).UTC()
	copy(k.beforeID[:], place[8:])
	if k.before.After(endOfTime) || k.before.Year() < 1 {
		return []error{badCursor()}
	}
	return nil
}

// more returns the limit plus one: the extra row shows whether there is a next page.
func (p Paging) more() int32 { return p.Limit + 1 }

// pageOf removes the extra row, and builds the cursor from the last remaining one.
func pageOf[T any](limit int32, rows []T, cursor func(T) string) *ListOf[T] {
	page := &Page[T]{Items: rows}
	if len(rows) > int(limit) {
		page.Items = rows[:limit]
		page.NextCursor = cursor(rows[limit-1])
	}
	return &ListOf[T]{page}
}

func (k Keyset) after(created time.Time, id uuid.UUID) string {
	return k.cursor(string(append(binary.BigEndian.AppendUint64(nil, uint64(created.UnixMicro())), id[:]...)))
}

func badCursor() *Problem {
	return problem(db.ValidationFailed, "cursor", "The cursor is not from this list.")
}
