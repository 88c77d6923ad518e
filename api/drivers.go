package api

import (
	"context"
	"encoding/binary"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerDrivers() {
	movers := []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleDriver}
	register(a, operation{
		id: "create-driver", method: http.MethodPost, path: "/v1/drivers", tag: "drivers", status: http.StatusCreated,
		summary: "Create a driver", about: "The driver is off duty unless on_duty is true.", roles: adminDispatch,
		codes: []db.Code{db.UserNotFound, db.DriverUserTaken, db.IDReused}, also: []int{http.StatusOK},
	}, a.createDriver)
	register(a, operation{
		id: "list-drivers", method: http.MethodGet, replicas: true, path: "/v1/drivers", tag: "drivers",
		summary: "List the drivers",
		about: "Newest first, or from near_latitude and near_longitude on by distance, those without a " +
			"location last; " +
			"drivers who move meanwhile can be on two pages or on none. A driver is busy while a pickup is " +
			"assigned to " +
			"them; otherwise free, if they are on duty, as dispatch-pickup takes them, or off_duty. Drivers only see " +
			"themselves.",
		roles: everyRole,
	}, a.listDrivers)
	register(a, operation{
		id: "get-driver", method: http.MethodGet, replicas: true, path: "/v1/drivers/{driver_id}", tag: "drivers",
		summary: "Get a driver", about: "Drivers only see themselves.", roles: everyRole,
		codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getDriver)
	register(a, operation{
		id: "edit-driver", method: http.MethodPatch, path: "/v1/drivers/{driver_id}", tag: "drivers",
		summary: "Edit a driver", about: "Drivers may only change their own on_duty.", roles: movers,
		codes: []db.Code{db.NotFound, db.UserNotFound, db.DriverUserTaken,
			db.StaleVersion, preconditionRequired, db.Forbidden},
	}, a.editDriver)
	register(a, operation{
		id: "locate-driver", method: http.MethodPut, path: "/v1/drivers/{driver_id}/location", tag: "drivers",
		summary: "Report a driver's location", shares: true,
		about: "The newest observation wins, whatever the order of arrival: an older one returns applied: " +
			"false.",
		roles: movers, codes: []db.Code{db.NotFound},
	}, a.locateDriver)
}

// NewDriver is the body of create-driver.
type NewDriver struct {
	ID        *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	Name      string     `json:"name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Grace"`
	UserID    *uuid.UUID `json:"user_id,omitempty" format:"uuid"`
	OnDuty    bool       `json:"on_duty,omitempty"`
	Latitude  *float64   `json:"latitude,omitempty" minimum:"-90" maximum:"90" dependentRequired:"longitude"`
	Longitude *float64   `json:"longitude,omitempty" minimum:"-180" maximum:"180" dependentRequired:"latitude"`
}

type createDriverInput struct {
	CreateKey
	Body NewDriver
}

func (a *server) createDriver(ctx context.Context, v db.Viewer, in *createDriverInput) (*Created[db.Driver], error) {
	b, d := in.Body, digest(v, "create-driver", in.Body)
	id, err := in.newID(v, "create-driver", 0, b.ID)
	if err != nil {
		return nil, err
	}
	row, replayed, err := a.store.CreateDriver(ctx, v, db.CreateDriverParams{
		ID: id, UserID: b.UserID, Name: b.Name, OnDuty: b.OnDuty,
		Latitude: b.Latitude, Longitude: b.Longitude, RequestDigest: d,
	})
	if err != nil {
		return nil, err
	}
	return createdRow(&row, "/v1/drivers/"+row.ID.String(), driverTag(row), replayed), nil
}

func driverTag(row db.Driver) string { return etag(row.Version, row.LocationVersion) }

func (a *server) driver(ctx context.Context, v db.Viewer, id uuid.UUID) (db.Driver, error) {
	return a.store.GetDriver(ctx,
		db.GetDriverParams{TenantID: v.TenantID, ID: id, ViewerRole: v.Role, ViewerDriverID: v.DriverID})
}

// ListedDriver is a driver in a list.
type ListedDriver struct {
	db.Driver
	DistanceMeters *float64 `json:"distance_meters" nullable:"true" minimum:"0" doc:"The distance from near_latitude and near_longitude; null without them, or if the driver's location is not known" example:"1250.5"`
}

type listDriversInput struct {
	Keyset
	State         string  `query:"state" enum:"free,busy,off_duty" doc:"Only drivers who do this now"`
	NearLatitude  float64 `query:"near_latitude" minimum:"-90" maximum:"90" doc:"Order by the distance from this point; with near_longitude" example:"37.7599"`
	NearLongitude float64 `query:"near_longitude" minimum:"-180" maximum:"180" doc:"Order by the distance from this point; with near_latitude" example:"-122.4148"`

	isNear        bool
	afterDistance float64 // in metres
	afterID       uuid.UUID
}

// Resolve implements huma.Resolver.
func (in *listDriversInput) Resolve(ctx huma.Context) []error {
	latitude, longitude := ctx.Query("near_latitude"), ctx.Query("near_longitude")
	switch {
	case latitude == "" && longitude == "":
		return in.Keyset.Resolve(ctx)
	case latitude == "":
		return []error{problem(db.ValidationFailed, "near_latitude", nearTogether)}
	case longitude == "":
		return []error{problem(db.ValidationFailed, "near_longitude", nearTogether)}
	}
	in.isNear, in.afterDistance = true, -1
	place, err := in.openOrdered(ctx, "?near="+latitude+","+longitude)
	if err != nil || place == "" {
		return asErrors(err)
	}
	if len(place) != 8+len(in.afterID) {
		return []error{badCursor()}
	}
	in.afterDistance = math.Float64frombits(binary.BigEndian.Uint64([]byte(place)))
	copy(in.afterID[:], place[8:])
	return nil
}

const nearTogether = "near_latitude and near_longitude are sent together, or neither."

func (a *server) listDrivers(ctx context.Context, v db.Viewer, in *listDriversInput) (*ListOf[ListedDriver], error) {
	if in.isNear {
		return a.listNearestDrivers(ctx, v, in)
	}
	rows, err := a.store.ListDrivers(ctx, db.ListDriversParams{
		TenantID: v.TenantID, ViewerRole: v.Role, ViewerDriverID: v.DriverID, State: given(in.State),
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	drivers := make([]ListedDriver, len(rows))
	for i, r := range rows {
		drivers[i].Driver = r
	}
	return pageOf(in.Limit, drivers, func(d ListedDriver) string { return in.after(d.CreatedAt, d.ID) }), nil
}

func (a *server) listNearestDrivers(
	ctx context.Context, v db.Viewer, in *listDriversInput,
) (*ListOf[ListedDriver], error) {
	rows, err := a.store.ListNearestDrivers(ctx, db.ListNearestDriversParams{
		TenantID: v.TenantID, ViewerRole: v.Role, ViewerDriverID: v.DriverID, State: given(in.State),
		NearLatitude: in.NearLatitude, NearLongitude: in.NearLongitude,
		AfterDistance: in.afterDistance, AfterID: in.afterID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	drivers := make([]ListedDriver, len(rows))
	for i, r := range rows {
		drivers[i].Driver = r.Driver
		if !math.IsInf(r.Distance, 0) {
			drivers[i].DistanceMeters = &rows[i].Distance
		}
	}
	return pageOf(in.Limit, drivers, func(d ListedDriver) string {
		distance := math.Inf(1)
		if d.DistanceMeters != nil {
			distance = *d.DistanceMeters
		}
		return in.cursor(string(append(binary.BigEndian.AppendUint64(nil, math.Float64bits(distance)), d.ID[:]...)))
	}), nil
}

// DriverPath identifies a driver by their id in the path.
type DriverPath struct {
	DriverID uuid.UUID `path:"driver_id" format:"uuid" doc:"The driver"`
}

type getDriverInput struct {
	DriverPath
	IfNoneMatch
}

func (a *server) getDriver(ctx context.Context, v db.Viewer, in *getDriverInput) (*Row[db.Driver], error) {
	row, err := a.driver(ctx, v, in.DriverID)
	if err != nil {
		return nil, err
	}
	tag := driverTag(row)
	return &Row[db.Driver]{tag, &row}, in.notModifiedIf(tag)
}

// DriverEdit holds the members to change; omitted members keep their value.
type DriverEdit struct {
	Name      *string              `json:"name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	UserID    Clearable[uuid.UUID] `json:"user_id,omitzero" format:"uuid" doc:"The user who logs in as this driver; null removes it"`
	OnDuty    *bool                `json:"on_duty,omitempty"`
	Latitude  *float64             `json:"latitude,omitempty" minimum:"-90" maximum:"90" dependentRequired:"longitude"`
	Longitude *float64             `json:"longitude,omitempty" minimum:"-180" maximum:"180" dependentRequired:"latitude"`
}

func (DriverEdit) isEdit() {}

type editDriverInput struct {
	DriverPath
	IfMatch
	Body DriverEdit
}

func (a *server) editDriver(ctx context.Context, v db.Viewer, in *editDriverInput) (*Row[db.Driver], error) {
	b := in.Body
	if v.Role == db.UserRoleDriver && (b.Name != nil || b.UserID.Sent || b.Latitude != nil) {
		return nil, problem(db.Forbidden, "", "Drivers may only change their own on_duty here; use locate-driver "+
			"for the location.")
	}
	if b == (DriverEdit{}) {
		row, err := a.driver(ctx, v, in.DriverID)
		return asSeen(in.IfMatch, row.Version, driverTag(row), &row, err)
	}
	row, err := a.store.EditDriver(ctx, v, db.EditDriverParams{
		ID: in.DriverID, Version: in.version,
		Name: b.Name, SetUserID: b.UserID.Sent, UserID: b.UserID.Value, OnDuty: b.OnDuty,
		Latitude: b.Latitude, Longitude: b.Longitude,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Driver]{driverTag(row), &row}, nil
}

// DriverLocation is one observation of a driver's position.
type DriverLocation struct {
	Latitude  float64 `json:"latitude" minimum:"-90" maximum:"90" example:"37.7599"`
	Longitude float64 `json:"longitude" minimum:"-180" maximum:"180" example:"-122.4148"`
	LocatedAt Time    `json:"located_at" doc:"The time of the observation; at most a minute ahead of the server's clock"`
}

type locateDriverInput struct {
	DriverPath
	Body DriverLocation
}

// LocatedDriver reports whether an observation was the newest.
type LocatedDriver struct {
	Applied bool      `json:"applied" doc:"False if a newer observation is known"`
	Driver  db.Driver `json:"driver" doc:"The driver as known now"`
}

type locatedOutput struct {
	ETag string `header:"ETag" doc:"Identifies the version of the driver, for If-Match and If-None-Match"`
	Body *LocatedDriver
}

// maxClockSkew is the accepted clock skew of a client: a time far in the future would win over all later
// observations.
const maxClockSkew = time.Minute

func (a *server) locateDriver(ctx context.Context, v db.Viewer, in *locateDriverInput) (*locatedOutput, error) {
	if time.Until(in.Body.LocatedAt.Time) > maxClockSkew {
		return nil, problem(db.ValidationFailed, "located_at", "located_at is in the future.")
	}
	row, applied, err := a.store.Locate(ctx, v, db.Location{
		DriverID: in.DriverID, Latitude: in.Body.Latitude, Longitude: in.Body.Longitude, At: in.Body.LocatedAt.Time,
	})
	if err == nil && !applied {
		row, err = a.driver(ctx, v, in.DriverID)
	}
	if err != nil {
		return nil, err
	}
	return &locatedOutput{driverTag(row), &LocatedDriver{applied, row}}, nil
}
