package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

// patientRoles can see patients, each only those of their facilities.
var patientRoles = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff}

const withFacility = "Limited, whatever the role, to patients that a facility of your groups has treated or was " +
	"allowed to see. The read is audited: see list-patient-reads."

func (a *server) registerPatients() {
	register(a, operation{
		id: "create-patient", method: http.MethodPost, path: "/v1/patients",
		tag: "patients", status: http.StatusCreated,
		summary: "Create a patient", roles: patientRoles,
		about: "Requires that the facility is in one of your groups; it sees the patient from then on. Blanks " +
			"around the external id are ignored. The external id is also taken if it belongs to a patient who " +
			"does not allow the facility to see them. The answer is audited: see list-patient-reads.",
		codes: []db.Code{db.FacilityNotFound, db.ExternalIDTaken, db.IDReused}, also: []int{http.StatusOK},
	}, a.createPatient)
	register(a, operation{
		id: "list-patients", method: http.MethodGet, path: "/v1/patients", tag: "patients",
		summary: "List the patients that you see",
		about: "Ordered by id, unless they are searched by name, birth_date, phone or external_id. " + aboutNames +
			" " + withFacility,
		roles: patientRoles,
	}, a.listPatients)
	register(a, operation{
		id: "search-patients", method: http.MethodPost, path: "/v1/patients/search", tag: "patients",
		summary: "Search the patients that you see",
		about: "Answers what list-patients answers, and is recorded as it is. What is searched for is in the body, " +
			"and in no address, which proxies log and browsers keep: use it wherever a person types what is of a " +
			"patient. It changes nothing, so that it can be repeated. A next_cursor continues the search of the " +
			"session that got it. " + withFacility,
		roles: patientRoles, search: true,
	}, a.searchPatients)
	register(a, operation{
		id: "get-patient", method: http.MethodGet, path: "/v1/patients/{patient_id}", tag: "patients",
		summary: "Get a patient", about: withFacility, roles: patientRoles,
		codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getPatient)
	register(a, operation{
		id: "edit-patient", method: http.MethodPatch, path: "/v1/patients/{patient_id}", tag: "patients",
		summary: "Edit a patient",
		about: withFacility + " Blanks around the external id are ignored. Changing it requires that you see the " +
			"facility whose records it belongs to, and that the patient allows that facility to see them.",
		roles: patientRoles,
		codes: []db.Code{db.NotFound, db.Forbidden, db.ExternalIDTaken, db.StaleVersion, preconditionRequired},
	}, a.editPatient)
	register(a, operation{
		id: "get-pickup-patient", method: http.MethodGet, path: "/v1/pickups/{pickup_id}/patient", tag: "patients",
		summary: "Get the patient of a pickup",
		about: "Requires that you see the patient; the assigned driver sees only the name, until the pickup is " +
			"delivered. If the pickup has no patient, or you may not see them, the answer is not_found. The " +
			"read is audited.",
		roles: append([]db.UserRole{db.UserRoleDriver}, patientRoles...), codes: []db.Code{db.NotFound},
	}, a.getPickupPatient)
}

// NewPatient is the body of create-patient.
type NewPatient struct {
	ID         *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	FacilityID uuid.UUID  `json:"facility_id" format:"uuid"`
	ExternalID string     `json:"external_id,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"4711"`
	GivenName  string     `json:"given_name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Ada"`
	FamilyName string     `json:"family_name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Lovelace"`
	BirthDate  db.Date    `json:"birth_date"`
	Phone      E164       `json:"phone,omitempty" example:"+14155550123"`
}

// Resolve implements huma.ResolverWithPath.
func (n NewPatient) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	return checkBirthDate(inBody(at, "birth_date"), &n.BirthDate)
}

const birthDateExpected = "expected a date from 1800 on, and not in the future"

// checkBirthDate rejects an implausible birth date before it reaches the database. A missing one is not
// its concern.
func checkBirthDate(field string, d *db.Date) []error {
	if d == nil || *d == (db.Date{}) || isBirthDate(*d) {
		return nil
	}
	return []error{problem(db.ValidationFailed, field, field+": "+birthDateExpected+".")}
}

// isBirthDate reports whether a date is from 1800 on and not in the future. In the earliest time zone it is
// already tomorrow in UTC: of a day, ten hours are left for a clock that is behind.
func isBirthDate(d db.Date) bool {
	return d.Year() >= 1800 && !d.After(time.Now().Add(24*time.Hour))
}

type createPatientInput struct {
	CreateKey
	Body NewPatient
}

func (a *server) createPatient(ctx context.Context, v db.Viewer, in *createPatientInput) (*Created[db.Patient], error) {
	b := in.Body
	b.ExternalID = trimID(b.ExternalID)
	d := digest(v, "create-patient", b)
	id, err := in.newID(v, "create-patient", 0, b.ID)
	if err != nil {
		return nil, err
	}
	row, replayed, err := a.store.CreatePatient(ctx, v, db.CreatePatientParams{
		ID: id, FacilityID: b.FacilityID, ExternalID: given(b.ExternalID),
		GivenName: b.GivenName, FamilyName: b.FamilyName,
		BirthDate: b.BirthDate, Phone: given(string(b.Phone)), RequestDigest: d,
	})
	if err != nil {
		return nil, err
	}
	return createdRow(&row, "/v1/patients/"+row.ID.String(), etag(row.Version), replayed), nil
}

type listPatientsInput struct {
	ByID
	FacilityID uuid.UUID  `query:"facility_id" format:"uuid" doc:"Only patients that this facility sees"`
	Name       SearchName `query:"name" doc:"Only patients with these words, or beginnings of words, in their names" example:"love ada"`
	BirthDate  Day        `query:"birth_date" doc:"Only patients born on this day" example:"1990-05-17"`
	Phone      E164       `query:"phone" doc:"Only patients with this number; encode its + as %2B" example:"+14155550123"`
	ExternalID string     `query:"external_id" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" doc:"Only patients with this id in the records of their facility; blanks around it are ignored" example:"4711"`

	birthDate string // "" if not sent
	found     searchPlace
}

// Resolve implements huma.Resolver.
func (in *listPatientsInput) Resolve(ctx huma.Context) (errs []error) {
	if errs = checkBirthDate("birth_date", &in.BirthDate.Date); errs != nil {
		return errs
	}
	in.ExternalID = trimID(in.ExternalID)
	if in.BirthDate != (Day{}) {
		in.birthDate = in.BirthDate.String()
	}
	words := url.Values{"name": {string(in.Name)}, "birth_date": {in.birthDate}, "phone": {string(in.Phone)},
		"external_id": {in.ExternalID}}
	if in.Name == "" && in.birthDate == "" && in.Phone == "" && in.ExternalID == "" {
		return in.ByID.Resolve(ctx)
	}
	in.found, errs = in.openSearch(ctx, words.Encode())
	return errs
}

// listPatients reads no extra row beyond the page: it would be audited as read.
func (a *server) listPatients(ctx context.Context, v db.Viewer, in *listPatientsInput) (*ListOf[db.Patient], error) {
	if in.found.isSearch {
		return a.findPatients(ctx, v, in)
	}
	rows, err := a.store.As(v).ListPatients(ctx, db.ListPatientsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, FacilityID: given(in.FacilityID),
		AfterID: in.after, MaxRows: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	page := &Page[db.Patient]{Items: make([]db.Patient, len(rows))}
	for i, r := range rows {
		page.Items[i] = r.Patient
		if r.More {
			page.NextCursor = in.cursor(string(r.Patient.ID[:]))
		}
	}
	return &ListOf[db.Patient]{page}, nil
}

func (a *server) findPatients(ctx context.Context, v db.Viewer, in *listPatientsInput) (*ListOf[db.Patient], error) {
	found, err := a.store.FindPatients(ctx, v, db.FindPatientsParams{
		FacilityID: given(in.FacilityID), Name: string(in.Name), BirthDate: in.birthDate, Phone: string(in.Phone),
		ExternalID: in.ExternalID,
		AfterTerm:  in.found.term, AfterID: in.found.id, MaxRows: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return foundPage(in.Paging, found), nil
}

// PatientSearch is the body of search-patients.
type PatientSearch struct {
	FacilityID uuid.UUID `json:"facility_id,omitempty" format:"uuid" doc:"Only patients that this facility sees"`
	Name       string    `json:"name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"400" doc:"Only patients with these words, or beginnings of words, in their names" example:"love ada"`
	BirthDate  db.Date   `json:"birth_date,omitempty" doc:"Only patients born on this day" example:"1990-05-17"`
	Phone      E164      `json:"phone,omitempty" doc:"Only patients with this number" example:"+14155550123"`
	ExternalID string    `json:"external_id,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" doc:"Only patients with this id in the records of their facility; blanks around it are ignored" example:"4711"`
	Limit      int32     `json:"limit,omitempty" minimum:"1" maximum:"200" default:"50" doc:"The maximum number of items"`
	Cursor     string    `json:"cursor,omitempty" minLength:"1" doc:"The next_cursor of the previous page"`
}

type searchPatientsInput struct {
	Body PatientSearch

	list listPatientsInput
}

// Resolve implements huma.Resolver.
func (in *searchPatientsInput) Resolve(ctx huma.Context) []error {
	b := in.Body
	in.list = listPatientsInput{FacilityID: b.FacilityID, Name: SearchName(b.Name), BirthDate: Day{b.BirthDate},
		Phone: b.Phone, ExternalID: b.ExternalID}
	in.list.Limit, in.list.Cursor = cmp.Or(b.Limit, 50), b.Cursor
	return in.list.Resolve(ctx)
}

func (a *server) searchPatients(
	ctx context.Context, v db.Viewer, in *searchPatientsInput,
) (*ListOf[db.Patient], error) {
	return a.listPatients(ctx, v, &in.list)
}

// PatientPath identifies a patient by their id in the path.
type PatientPath struct {
	PatientID uuid.UUID `path:"patient_id" format:"uuid" doc:"The patient"`
}

type getPatientInput struct {
	PatientPath
	IfNoneMatch
}

func (a *server) getPatient(ctx context.Context, v db.Viewer, in *getPatientInput) (*Row[db.Patient], error) {
	row, err := a.store.As(v).GetPatient(ctx, db.GetPatientParams{
		TenantID: v.TenantID, ID: in.PatientID, ViewerID: v.UserID, Operation: "get-patient",
	})
	if err != nil {
		return nil, err
	}
	tag := etag(row.Patient.Version)
	return &Row[db.Patient]{tag, &row.Patient}, in.notModifiedIf(tag)
}

// PatientEdit holds the members to change; omitted members keep their value, and null clears.
type PatientEdit struct {
	ExternalID Clearable[string] `json:"external_id,omitzero" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	GivenName  *string           `json:"given_name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	FamilyName *string           `json:"family_name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	BirthDate  *db.Date          `json:"birth_date,omitempty"`
	Phone      Clearable[E164]   `json:"phone,omitzero"`
}

// Resolve implements huma.ResolverWithPath.
func (e PatientEdit) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	return checkBirthDate(inBody(at, "birth_date"), e.BirthDate)
}

func (PatientEdit) isEdit() {}

type editPatientInput struct {
	PatientPath
	IfMatch
	Body PatientEdit
}

func (a *server) editPatient(ctx context.Context, v db.Viewer, in *editPatientInput) (*Row[db.Patient], error) {
	b := in.Body
	if b == (PatientEdit{}) {
		row, err := a.store.As(v).GetPatient(ctx, db.GetPatientParams{
			TenantID: v.TenantID, ID: in.PatientID, ViewerID: v.UserID, Operation: "edit-patient",
		})
		return asSeen(in.IfMatch, row.Patient.Version, etag(row.Patient.Version), &row.Patient, err)
	}
	if id := b.ExternalID.Value; id != nil {
		*id = trimID(*id)
	}
	row, err := a.store.EditPatient(ctx, v, db.EditPatientParams{
		ID: in.PatientID, Version: in.version,
		SetExternalID: b.ExternalID.Sent, ExternalID: b.ExternalID.Value,
		GivenName: b.GivenName, FamilyName: b.FamilyName, BirthDate: b.BirthDate,
		SetPhone: b.Phone.Sent, Phone: (*string)(b.Phone.Value),
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Patient]{etag(row.Version), &row}, nil
}

// PickupPatient is the patient of a pickup, limited to what the viewer may see.
type PickupPatient struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	GivenName  string    `json:"given_name"`
	FamilyName string    `json:"family_name"`
	BirthDate  *db.Date  `json:"birth_date,omitempty" doc:"Not visible to drivers"`
	Phone      *string   `json:"phone,omitempty" doc:"E.164. Not visible to drivers" example:"+14155550123"`
}

type pickupPatientOutput struct{ Body *PickupPatient }

func (a *server) getPickupPatient(ctx context.Context, v db.Viewer, in *PickupPath) (*pickupPatientOutput, error) {
	row, err := a.store.As(v).GetPickupPatient(ctx, db.GetPickupPatientParams{
		TenantID: v.TenantID, PickupID: in.PickupID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	})
	if err != nil {
		return nil, err
	}
	return &pickupPatientOutput{&PickupPatient{row.ID, row.GivenName, row.FamilyName, row.BirthDate, row.Phone}}, nil
}
