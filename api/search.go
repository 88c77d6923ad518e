package api

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

const aboutNames = "With name, ordered by the word found, and a row is found if each word of name is the beginning of " +
	"a word of the row's name, in any order: case, accents and the kind of apostrophe do not matter, and hyphens " +
	"divide words. Of a name, the first twelve words and 32 characters of each are searched. A request looks at a " +
	"limited number of names: where many begin like one word of name and few like another, a page can have fewer " +
	"items than limit, or none, although next_cursor says that the list goes on."

// SearchName is a name that rows are searched by. It is not logged.
type SearchName string

// Schema implements huma.SchemaProvider.
func (SearchName) Schema(huma.Registry) *huma.Schema {
	return patternedText(`\S`, "text that is not blank", 1, 200)
}

// SearchPaging paginates a list newest first, or what is found in it by a name, by (term, id).
type SearchPaging struct {
	Keyset

	search    SearchName // "" if none is
	afterTerm string
	afterID   uuid.UUID
}

// Resolve hides that of Keyset, which does not know what is searched: see resolve.
func (*SearchPaging) Resolve(huma.Context) []error { return nil }

// resolve opens the cursor of what is found by a name, "" for the list. A cursor belongs to its name: the order
// depends on it.
func (p *SearchPaging) resolve(ctx huma.Context, name SearchName) []error {
	if p.search = name; name == "" {
		return p.Keyset.Resolve(ctx)
	}
	place, err := p.openOrdered(ctx, "?name="+string(name))
	if err != nil || place == "" {
		return asErrors(err)
	}
	if len(place) <= len(p.afterID) || !isText(place[len(p.afterID):]) {
		return []error{badCursor()}
	}
	copy(p.afterID[:], place)
	p.afterTerm = place[len(p.afterID):]
	return nil
}

// cursorAfter encodes where a search goes on, "" if nowhere.
func (p SearchPaging) cursorAfter(next *db.FoundPlace) string {
	if next == nil {
		return ""
	}
	return p.cursor(string(next.ID[:]) + next.Term)
}
