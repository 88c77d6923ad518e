package db

import "context"

// explainEdit returns why an edit matched no row, by a fresh read.
func (s *Store) explainEdit(ctx context.Context, v Viewer, p EditPickupParams) error {
	now, err := s.q.ExplainEditPickup(ctx, ExplainEditPickupParams{
		TenantID: v.TenantID, ID: p.ID, ViewerID: v.UserID, FacilityID: p.FacilityID, PatientID: p.PatientID,
		SetWindowStart: p.SetWindowStart, WindowStart: p.WindowStart,
		SetWindowEnd: p.SetWindowEnd, WindowEnd: p.WindowEnd,
		SetPickupLatitude: p.SetPickupLatitude, PickupLatitude: p.PickupLatitude,
		SetPickupLongitude: p.SetPickupLongitude, PickupLongitude: p.PickupLongitude, AccountID: p.AccountID,
	})
	switch {
	case err != nil:
		return Explain(err)
	case now.Version != p.Version:
		return refuse(StaleVersion, "version")
	case now.Status != PickupStatusDRAFT:
		return &Error{Code: NotEditable, Status: now.Status}
	case !now.PatientFound:
		return refuse(PatientNotFound, "patient_id")
	case !now.FacilityFound:
		return refuse(FacilityNotFound, "facility_id")
	case !now.AccountFound:
		return refuse(AccountNotFound, "account_id")
	case !now.AccountFits:
		return refuse(AccountNotForFacility, "account_id")
	case !now.WindowFits:
		return refuse(ValidationFailed, "window_end")
	case !now.PointFits:
		return refuse(ValidationFailed, "pickup_longitude")
	}
	return refuse(Overloaded, "") // created in between
}
