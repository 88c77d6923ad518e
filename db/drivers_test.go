package db_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

var driverRaces = []check{
	{"CreateDriver", "a retried request makes a second driver", func(ctx context.Context, w *fixture) error {
		id := newID()
		return w.createdOnce(ctx, func(s *db.Raw) error { return w.createDriver(ctx, s, id, w.staff) })
	}},
	{"CreateDriver", "two drivers share one login", func(ctx context.Context, w *fixture) error {
		return first(
			w.loses(ctx, db.DriverUserTaken,
				func(s *db.Raw) error { return w.createDriver(ctx, s, newID(), w.staff) },
				func(s *db.Raw) error { return w.createDriver(ctx, s, newID(), w.staff) }),
			oneWins(together(manyCallers, func(int) error { return w.createDriver(ctx, w.Raw, newID(), w.hub) }),
				db.DriverUserTaken))
	}},
	{"EditDriver", clobbered, func(ctx context.Context, w *fixture) error {
		driver := w.driver(ctx, 1, 1)
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			return editDriver(ctx, s, w.dispatcher, driver, name, version)
		})
	}},
	{"EditDriver", editAndAssign, func(ctx context.Context, w *fixture) error {
		driver, id, off := w.driver(ctx, 1, 1), w.submitted(ctx), false
		waited, errs := w.behind(ctx, commit,
			func(s *db.Raw) error {
				_, err := s.DBTX().Exec(ctx,
					"SELECT FROM driver_slots WHERE tenant_id = $1 AND driver_id = $2 FOR UPDATE",
					w.tenant, driver.DriverID)
				return err
			},
			func(s *db.Raw) error { // it checks the driver's key when it has the slot
				return w.flush(ctx, s, db.TransitionNameAssign, ids(id), []db.Viewer{driver})
			},
			func(s *db.Raw) error { // another login is another key, the duty is the slot's
				_, err := s.EditDriver(ctx, db.EditDriverParams{
					TenantID: w.tenant, ID: driver.DriverID, Version: 1, OnDuty: &off, ViewerRole: w.dispatcher.Role,
					SetUserID: true, UserID: &w.hub.UserID,
				})
				return err
			})
		if !waited[0] || !waited[1] {
			return fmt.Errorf("the assign waited: %t, the edit: %t", waited[0], waited[1])
		}
		return first(errs...)
	}},
	{"LocateDrivers", "a late location overwrites a newer one", func(ctx context.Context, w *fixture) error {
		driver, base := w.driver(ctx, 1, 1), time.Now()
		at := func(seconds int) act {
			return func(s *db.Raw) error {
				return locate(ctx, s, driver, driver, float64(seconds), base.Add(time.Duration(seconds)*time.Second))
			}
		}
		if err := first(w.loses(ctx, db.NotFound, at(3), at(2)), w.loses(ctx, db.NotFound, at(4), at(4)),
			w.wins(ctx, commit, at(5), at(6))); err != nil {
			return err
		}
		together(manyCallers, func(i int) error { return at(10 + (i*7)%manyCallers)(w.Raw) })
		got := scan[float64](ctx, w.owner, "SELECT latitude FROM drivers WHERE tenant_id = $1 AND id = $2",
			w.tenant, driver.DriverID)
		if want := float64(10 + manyCallers - 1); got != want {
			return fmt.Errorf("the driver is at %v, want %v", got, want)
		}
		return nil
	}},
	{"LocateDrivers", "two batches deadlock on drivers", func(ctx context.Context, w *fixture) error {
		var drivers []uuid.UUID
		for range 6 {
			drivers = append(drivers, w.driver(ctx, 1, 1).DriverID)
		}
		at := time.Now()
		return w.locksInOrder(ctx, "drivers", "id", drivers, func(s *db.Raw, order []uuid.UUID) error {
			at = at.Add(time.Second)
			return locateAll(ctx, s, w.dispatcher, order, 3, at)
		})
	}},
}

const editAndAssign = "an edit and an assign of one driver wait for each other"

var driverRules = []check{
	{"EditDriver", "a driver edits another", func(ctx context.Context, w *fixture) error {
		one, other := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2)
		return first(
			refused(editDriver(ctx, w.Raw, one, other, "mine", 1), db.NotFound),
			editDriver(ctx, w.Raw, one, one, "mine", 1))
	}},
	{"EditDriver", "an edit moves the time of a location back", func(ctx context.Context, w *fixture) error {
		driver, ahead, place := w.driver(ctx, 1, 1), time.Now().Add(30*time.Second), 5.0
		w.must(locate(ctx, w.as, driver, driver, 3, ahead))
		row, err := w.EditDriver(ctx, db.EditDriverParams{
			TenantID: w.tenant, ID: driver.DriverID, Version: 1, ViewerRole: w.dispatcher.Role,
			Latitude: &place, Longitude: &place,
		})
		if err == nil && (*row.Latitude != place || row.LocatedAt.Before(ahead.Truncate(time.Microsecond))) {
			err = fmt.Errorf("at %v since %v", *row.Latitude, row.LocatedAt)
		}
		return err
	}},
	{"LocateDrivers", "a driver moves another", func(ctx context.Context, w *fixture) error {
		one, other := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2)
		return first(
			refused(locate(ctx, w.Raw, one, other, 3, time.Now().Add(time.Minute)), db.NotFound),
			locate(ctx, w.Raw, w.dispatcher, other, 3, time.Now().Add(time.Minute)))
	}},
	{"LocateDrivers", "a fleet under way fails no edit", func(ctx context.Context, w *fixture) error {
		driver := w.driver(ctx, 1, 1)
		w.must(locate(ctx, w.Raw, driver, driver, 3, time.Now().Add(time.Minute)))
		return editDriver(ctx, w.as, w.dispatcher, driver, "next", 1)
	}},
}

func (w *fixture) createDriver(ctx context.Context, s *db.Raw, id uuid.UUID, login db.Viewer) error {
	_, err := s.CreateDriver(ctx, db.CreateDriverParams{
		TenantID: w.tenant, ID: id, UserID: &login.UserID, Name: "Driver", RequestDigest: digest("driver"),
	})
	return err
}

func editDriver(ctx context.Context, s *db.Raw, by, of db.Viewer, name string, version int64) error {
	_, err := s.EditDriver(ctx, db.EditDriverParams{
		TenantID: of.TenantID, ID: of.DriverID, Name: &name, Version: version,
		ViewerRole: by.Role, ViewerDriverID: by.DriverID,
	})
	return err
}

func setDuty(ctx context.Context, s *db.Raw, driver db.Viewer, onDuty bool) error {
	_, err := s.EditDriver(ctx, db.EditDriverParams{
		TenantID: driver.TenantID, ID: driver.DriverID, OnDuty: &onDuty, Version: 1,
		ViewerRole: driver.Role, ViewerDriverID: driver.DriverID,
	})
	return err
}

func locate(ctx context.Context, s *db.Raw, by, of db.Viewer, latitude float64, at time.Time) error {
	return locateAll(ctx, s, by, []uuid.UUID{of.DriverID}, latitude, at)
}

// locateAll moves all drivers in one statement, and fails if one of them does not move.
func locateAll(
	ctx context.Context, s *db.Raw, by db.Viewer, drivers []uuid.UUID, latitude float64, at time.Time,
) error {
	p := db.LocateDriversParams{Ids: drivers}
	for range drivers {
		p.TenantIds = append(p.TenantIds, by.TenantID)
		p.ViewerRoles = append(p.ViewerRoles, string(by.Role))
		p.ViewerDriverIds = append(p.ViewerDriverIds, by.DriverID)
		p.Latitudes = append(p.Latitudes, latitude)
		p.Longitudes = append(p.Longitudes, 1)
		p.LocatedAts = append(p.LocatedAts, at)
	}
	rows, err := s.LocateDrivers(ctx, p)
	if err == nil && len(rows) < len(drivers) {
		err = pgx.ErrNoRows
	}
	return err
}
