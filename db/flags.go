package db

import "context"

// SetFlag sets the flag of p, of v's tenant. It returns NotFound or StaleVersion if it was
// lost.
func (s *Store) SetFlag(ctx context.Context, v Viewer, p SetFlagParams) (Flag, error) {
	p.TenantID = v.TenantID
	row, err := s.q.SetFlag(ctx, p)
	return row, edited(ctx, s, err, func() ([]int64, error) {
		now, err := s.q.GetFlag(ctx, GetFlagParams{TenantID: v.TenantID, Name: p.Name})
		return []int64{now.Version}, err
	})
}
