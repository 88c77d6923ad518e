// Package sql holds the handwritten SQL: the migrations, embedded for the
// programs that run them, and the queries, from which sqlc writes package db.
package sql

import "embed"

// Migrations are goose files, one subject each, in the folder "migrations". A
// merged file never changes: what comes later gets a file of its own.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Backfills are statements that fill in rows in batches, in the folder "backfills". Its README.md says what
// they take and return.
//
//go:embed backfills
var Backfills embed.FS

// Queries are the sources of package db, one file a noun, in the folder
// "queries". Tests read them: the mutation test takes guards out of them.
//
//go:embed queries/*.sql
var Queries embed.FS
