package db

import "github.com/google/uuid"

// maxLooks is the number of entries of the index of users' names that one search looks at: 100 pages of the database,
// or 300 where names are long.
const maxLooks = 20_000

// maxPatientLooks is the number of entries that a search of patients looks at. These are spread over a table of
// millions of rows, so that each may take a page of its visibility map.
const maxPatientLooks = 2_000

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
