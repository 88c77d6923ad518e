package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

// patientRoles can see patients, each only those of their facilities.
var patientRoles = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff}

const withFacility = "Whatever the role, of the patients that a facility of your groups had to do with, or that " +
	"allowed it. " +
	"The read is recorded: see list-patient-reads."

func (a *server) registerPatients() {
	register(a, operation{
		id: "create-patient", method: http.MethodPost, path: "/v1/patients",
		tag: "patients", status: http.StatusCreated,
		summary: "Create a patient", roles: patientRoles,
		about: "For a facility of your groups, which sees them from then on. The external id is one without the " +
			"blanks around it. It is taken, too, if it " +
			"is that of a patient who does not allow the facility to see them. The answer is recorded: see " +
			"list-patient-reads.",
		codes: []db.Code{db.FacilityNotFound, db.ExternalIDTaken, db.IDReused}, also: []int{http.StatusOK},
	}, a.createPatient)
	register(a, operation{
		id: "list-patients", method: http.MethodGet, path: "/v1/patients", tag: "patients",
		summary: "List the patients that you see", about: "In the order of their ids. " + withFacility,
		roles: patientRoles,
	}, a.listPatients)
	register(a, operation{
		id: "get-patient", method: http.MethodGet, path: "/v1/patients/{patient_id}", tag: "patients",
		summary: "Get a patient", about: withFacility, roles: patientRoles,
		codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getPatient)
	register(a, operation{
		id: "edit-patient", method: http.MethodPatch, path: "/v1/patients/{patient_id}", tag: "patients",
		summary: "Edit a patient",
		about: withFacility + " The external id, without the blanks around it, is changed by who sees the facility " +
			"whose records " +
			"know them, while the patient allows that one to see them.", roles: patientRoles,
		codes: []db.Code{db.NotFound, db.Forbidden, db.ExternalIDTaken, db.StaleVersion, preconditionRequired},
	}, a.editPatient)
	register(a, operation{
		id: "get-pickup-patient", method: http.MethodGet, path: "/v1/pickups/{pickup_id}/patient", tag: "patients",
		summary: "Get the patient of a pickup",
		about: "For who sees the patient; whose driver it is reads the name alone, until it is delivered. " +
			"Where the pickup has none, or you may not know, it is not there. The read is recorded.",
		roles: append([]db.UserRole{db.UserRoleDriver}, patientRoles...), codes: []db.Code{db.NotFound},
	}, a.getPickupPatient)
}

// NewPatient is the body of create-patient.
type NewPatient struct {
	ID         *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"The caller's choice, to make a retry safe"`
	FacilityID uuid.UUID  `json:"facility_id" format:"uuid" doc:"The facility whose records know them"`
	ExternalID string     `json:"external_id,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" doc:"Their id in the records of the facility, and unique there" example:"4711"`
	GivenName  string     `json:"given_name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Ada"`
	FamilyName string     `json:"family_name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Lovelace"`
	BirthDate  db.Date    `json:"birth_date" doc:"From 1800 on, and not in the future"`
	Phone      string     `json:"phone,omitempty" pattern:"^\\+[1-9][0-9]{6,14}$" patternDescription:"an E.164 number" example:"+14155550123"`
}

// Resolve implements huma.ResolverWithPath.
func (n NewPatient) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	return checkBirthDate(inBody(at, "birth_date"), &n.BirthDate)
}

const birthDateExpected = "expected a day from 1800 on, and not in the future"

// checkBirthDate rejects an implausible birth date before it reaches the database. A missing one is not
// its concern.
func checkBirthDate(field string, d *db.Date) []error {
	if d == nil || *d == (db.Date{}) || isBirthDate(*d) {
		return nil
	}
	return []error{problem(db.ValidationFailed, field, field+": "+birthDateExpected+".")}
}

// isBirthDate reports whether a date is from 1800 on and not in the future. In the earliest time zone it is
// already tomorrow in UTC.
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
	row, replayed, err := a.store.CreateOnePatient(ctx, v, db.CreatePatientParams{
		ID: id, FacilityID: b.FacilityID, ExternalID: given(b.ExternalID),
		GivenName: b.GivenName, FamilyName: b.FamilyName,
		BirthDate: b.BirthDate, Phone: given(b.Phone), RequestDigest: d,
	})
	if err != nil {
		return nil, err
	}
	return createdRow(&row, "/v1/patients/"+row.ID.String(), etag(row.Version), replayed), nil
}

type listPatientsInput struct {
	ByID
	FacilityID uuid.UUID `query:"facility_id" format:"uuid" doc:"Only those that this facility sees"`
}

// listPatients reads no extra row beyond the page: it would be audited as read.
func (a *server) listPatients(ctx context.Context, v db.Viewer, in *listPatientsInput) (*ListOf[db.Patient], error) {
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

// PatientPath identifies a patient by their id in the path.
type PatientPath struct {
	PatientID uuid.UUID `path:"patient_id" format:"uuid"`
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
	return &Row[db.Patient]{tag, &row.Patient}, in.shown(tag)
}

// PatientEdit holds the members to change; omitted members keep their value, and null clears.
type PatientEdit struct {
	ExternalID Clearable[string] `json:"external_id,omitzero" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	GivenName  *string           `json:"given_name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	FamilyName *string           `json:"family_name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	BirthDate  *db.Date          `json:"birth_date,omitempty"`
	Phone      Clearable[string] `json:"phone,omitzero" pattern:"^\\+[1-9][0-9]{6,14}$" patternDescription:"an E.164 number"`
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
	row, err := a.store.EditOnePatient(ctx, v, db.EditPatientParams{
		ID: in.PatientID, Version: in.version,
		SetExternalID: b.ExternalID.Sent, ExternalID: b.ExternalID.Value,
		GivenName: b.GivenName, FamilyName: b.FamilyName, BirthDate: b.BirthDate,
		SetPhone: b.Phone.Sent, Phone: b.Phone.Value,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Patient]{etag(row.Version), &row}, nil
}

// mustSee returns NotFound unless the viewer sees the patient. It reads no patient data.
func (a *server) mustSee(ctx context.Context, v db.Viewer, patientID uuid.UUID) error {
	seen, err := a.seesPatient(ctx, v, patientID)
	if err == nil && !seen {
		return problem(db.NotFound, "", "")
	}
	return err
}

func (a *server) seesPatient(ctx context.Context, v db.Viewer, patientID uuid.UUID) (bool, error) {
	return a.store.SeesPatient(ctx,
		db.SeesPatientParams{TenantID: v.TenantID, PatientID: patientID, ViewerID: v.UserID})
}

// PickupPatient is the patient of a pickup, limited to what the viewer may see.
type PickupPatient struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	GivenName  string    `json:"given_name"`
	FamilyName string    `json:"family_name"`
	BirthDate  *db.Date  `json:"birth_date,omitempty" doc:"Not for drivers"`
	Phone      *string   `json:"phone,omitempty" doc:"E.164. Not for drivers" example:"+14155550123"`
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
