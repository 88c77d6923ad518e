package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

const aboutNames = "With name, ordered by the word found: a row is found if each word of name is the beginning of " +
	"a word of the row's name, in any order. Case, accents and the kind of apostrophe do not matter, and hyphens " +
	"divide words. Of a name, the first twelve words are searched. A request looks at a limited number of names: " +
	"where many begin like one word of name and few like another, a page can have fewer items than limit, or none, " +
	"although next_cursor says that the list goes on."

// SearchName is a name that rows are searched by. It is not logged.
type SearchName string

// Schema implements huma.SchemaProvider.
func (SearchName) Schema(huma.Registry) *huma.Schema {
	return patternedText(`\S`, "text that is not blank", 1, 400)
}

// searchPlace is a position in what was found by a search: (term, id).
type searchPlace struct {
	isSearch bool // whether the list is searched, and not listed in its own order
	term     string
	id       uuid.UUID
}

// openSearch opens the cursor of a search for some words. A cursor belongs to them, since the order depends on them,
// and to the session that got it: it has a word of a name, or a number, and nobody else can read it.
func (p *Paging) openSearch(ctx huma.Context, words string) (s searchPlace, errs []error) {
	s.isSearch = true
	p.sealed = sealerOf(ctx)
	place, err := p.openOrdered(ctx, "?"+words)
	if err != nil || place == "" {
		return s, asErrors(err)
	}
	if len(place) <= len(s.id) || !isText(place[len(s.id):]) {
		return s, []error{badCursor()}
	}
	copy(s.id[:], place)
	s.term = place[len(s.id):]
	return s, nil
}

// sealerOf returns what encrypts the cursors of a request's session, by a key that is derived from its token and the
// tenant's secret: all servers have it, nothing is stored, and nobody else opens one, the session's user among them.
func sealerOf(ctx huma.Context) cipher.AEAD {
	mac := hmac.New(sha256.New, viewerOf(ctx.Context()).DigestKey)
	mac.Write([]byte("cursors of searches\x00" + string(tokenOf(ctx.Context()))))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // of the length of a key alone
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // of another block size than that of AES
	}
	return sealer
}

// foundPage is the page of what a search found.
func foundPage[T any](p Paging, found db.Found[T]) *ListOf[T] {
	page := &Page[T]{Items: found.Rows}
	if found.Next != nil {
		page.NextCursor = p.cursor(string(found.Next.ID[:]) + found.Next.Term)
	}
	return &ListOf[T]{page}
}
