package db

import "github.com/google/uuid"

// maxLooks is the number of entries of an index of names that one search looks at: 100 pages of the database, or
// 300 where names are long.
const maxLooks = 20_000

// Found is a page of what a search found.
type Found[T any] struct {
	Rows []T
	Next *FoundPlace // where the search goes on; nil at its end
}

// FoundPlace is a position in an index of names. It has a word of a name.
type FoundPlace struct {
	Term string
	ID   uuid.UUID
}
