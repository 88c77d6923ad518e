package db

import "context"

// CreatePhoneNumber adds the number of p to a user of v's tenant. replayed says that an
// earlier attempt of the same request did. It returns IDReused if another request did,
// UserNotFound or PhoneNumberTaken.
func (s *Store) CreatePhoneNumber(
	ctx context.Context, v Viewer, p CreatePhoneNumberParams,
) (_ PhoneNumber, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreatePhoneNumber(ctx, p)
	return created(ctx, s, row, err, p.RequestDigest, func() (PhoneNumber, []byte, error) {
		known, err := s.q.GetPhoneNumber(ctx, GetPhoneNumberParams{TenantID: v.TenantID, ID: p.ID})
		return known, known.RequestDigest, err
	})
}

// DeletePhoneNumber removes a number from a user of v's tenant. It returns NotFound if it is
// not there.
func (s *Store) DeletePhoneNumber(ctx context.Context, v Viewer, p DeletePhoneNumberParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.DeletePhoneNumber(ctx, p)
	return s.removed(ctx, n, err)
}
