// Package scale fills an empty database with pickups by the million, and with what belongs to
// them: patients, appointments, events, texts, entries, reads. All of it is generated in the
// database, so that ten million take minutes; the shape is the same at any size, so that what
// an operation costs can be compared between sizes:
//
//   - A tenant of 2,000 facilities has 70 % of all, another 20 %, and fifty small ones the rest.
//   - The busiest facility has 8 % of its tenant's pickups, the small clinic some 200 at any size,
//     spread over all the time there is, and the new clinic none.
//   - Four of five pickups are delivered, the others canceled; the newest 2,000 are open, in all
//     statuses, and so are the small clinic's last eight.
//   - A fifth of the pickups have their events, texts and entries, the small clinic's among them.
package scale

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var statements embed.FS

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// ErrNotEmpty says that the database has tenants already.
var ErrNotEmpty = errors.New("the database has tenants: it must be a migrated one without any")

// Smallest is the least number of pickups that all parts of the shape have room in.
const Smallest = 200

// Facilities is how many the large tenant has, unless told otherwise.
const Facilities = 2000

// Size says how much to load.
type Size struct {
	Pickups    int // of all tenants, at least Smallest; as many patients, half as many appointments and reads
	Facilities int // of the large tenant, at least 50; 0: Facilities
}

// Role says what a user of [World] is there for.
type Role int

// The users of the large tenant that matter, whose order is that of their ids.
const (
	Admin Role = iota
	Dispatcher
	Hub
	Driver      // has a pickup in each status in which a driver has one
	StaffOfOne  // of the small clinic
	StaffOfNew  // of the clinic without any pickup or patient
	StaffOfAll  // of all facilities
	StaffOfSome // of forty, the busiest among them
)

// PasswordHash is every user's: nobody can log in by a password, a session can be opened.
const PasswordHash = "none"

// World is the large tenant, and what there is in it to look at.
type World struct {
	TenantID uuid.UUID
	Slug     string
	Users    []uuid.UUID // by Role

	SmallClinic, NewClinic, BusiestClinic    uuid.UUID
	SmallAccount, UnusedAccount, BusyAccount uuid.UUID   // those of the clinics
	GroupOfAll, GroupOfOne                   uuid.UUID   // with all facilities; with the small clinic
	DriverID                                 uuid.UUID   // that of the user Driver
	PatientID                                uuid.UUID   // of the small clinic, read 500 times, with 100 consents
	Pickups                                  []uuid.UUID // the small clinic's, the oldest first, the last eight open
}

// Load fills the database of conn, which must be that of the tables' owner, and has the planner
// know what there is. said is told of each part before it begins; nil: nobody.
//
// It returns [ErrNotEmpty] if there are tenants. After another error, the database is as it was.
func Load(ctx context.Context, conn *pgx.Conn, size Size, said func(part string)) (*World, error) {
	if size.Facilities == 0 {
		size.Facilities = Facilities
	}
	if size.Pickups < Smallest || size.Facilities < 50 {
		return nil, fmt.Errorf("cannot load fewer than %d pickups or 50 facilities", Smallest)
	}
	if said == nil {
		said = func(string) {}
	}
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return fill(ctx, tx, size, said) }); err != nil {
		return nil, err
	}
	said("vacuum")
	if err := vacuum(ctx, conn); err != nil {
		return nil, err
	}
	return Look(ctx, conn)
}

// vacuum has each page marked whose rows all see, as it would be after a while: what reads an
// index alone would look at each row else. It tries some times.
func vacuum(ctx context.Context, conn *pgx.Conn) error {
	again := statement("vacuum")
	for range 10 {
		if _, err := conn.Exec(ctx, again); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, statement("visible")).Scan(&again); err != nil || again == "" {
			return err
		}
	}
	return nil
}

// fill is one transaction: under wal_level minimal, most of it is not written twice.
func fill(ctx context.Context, tx pgx.Tx, size Size, said func(string)) error {
	var tenants int
	if err := tx.QueryRow(ctx, statement("tenants")).Scan(&tenants); err != nil {
		return err
	}
	if tenants > 0 {
		return ErrNotEmpty
	}
	if _, err := tx.Exec(ctx, statement("settings"), size.Pickups, size.Facilities); err != nil {
		return err
	}
	for _, part := range []string{
		"prepare", "drop", "roots", "patients", "appointments", "pickups", "events", "entries", "restore",
	} {
		said(part)
		if _, err := tx.Exec(ctx, statement(part)); err != nil {
			return fmt.Errorf("loading %s: %w", part, err)
		}
	}
	return nil
}

// Look finds the world of a database that was loaded before.
func Look(ctx context.Context, conn *pgx.Conn) (*World, error) {
	w := World{}
	var facilities, accounts, groups []uuid.UUID
	if err := conn.QueryRow(ctx, statement("world")).Scan(
		&w.TenantID, &w.Slug, &w.Users, &facilities, &accounts, &groups, &w.DriverID, &w.PatientID, &w.Pickups,
	); err != nil {
		return nil, err
	}
	w.SmallClinic, w.NewClinic, w.BusiestClinic = facilities[0], facilities[1], facilities[2]
	w.SmallAccount, w.UnusedAccount, w.BusyAccount = accounts[0], accounts[1], accounts[2]
	w.GroupOfAll, w.GroupOfOne = groups[0], groups[1]
	return &w, nil
}
