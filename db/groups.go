package db

import "context"

// CreateGroup creates the group of p, of v's tenant. replayed says that an earlier attempt
// of the same request did. It returns IDReused if another request did.
func (s *Store) CreateGroup(ctx context.Context, v Viewer, p CreateGroupParams) (_ Group, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreateGroup(ctx, p)
	return created(ctx, s, row, err, p.RequestDigest, func() (Group, []byte, error) {
		known, err := s.q.GetGroup(ctx, GetGroupParams{TenantID: v.TenantID, ID: p.ID})
		return known, known.RequestDigest, err
	})
}

// EditGroup edits the group of p, of v's tenant. It returns NotFound or StaleVersion if it
// was lost.
func (s *Store) EditGroup(ctx context.Context, v Viewer, p EditGroupParams) (Group, error) {
	p.TenantID = v.TenantID
	row, err := s.q.EditGroup(ctx, p)
	return row, edited(ctx, s, err, func() ([]int64, error) {
		now, err := s.q.GetGroup(ctx, GetGroupParams{TenantID: v.TenantID, ID: p.ID})
		return []int64{now.Version}, err
	})
}

// AddGroupMember adds a user to a group of v's tenant. It does nothing if they are a member.
func (s *Store) AddGroupMember(ctx context.Context, v Viewer, p AddGroupMemberParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.AddGroupMember(ctx, p)
	return s.changed(ctx, n, err)
}

// RemoveGroupMember removes a user from a group of v's tenant. It returns NotFound if they
// are no member.
func (s *Store) RemoveGroupMember(ctx context.Context, v Viewer, p RemoveGroupMemberParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.RemoveGroupMember(ctx, p)
	return s.removed(ctx, n, err)
}

// AddGroupFacility adds a facility to a group of v's tenant. It does nothing if it is there.
func (s *Store) AddGroupFacility(ctx context.Context, v Viewer, p AddGroupFacilityParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.AddGroupFacility(ctx, p)
	return s.changed(ctx, n, err)
}

// RemoveGroupFacility removes a facility from a group of v's tenant. It returns NotFound if
// it is not there.
func (s *Store) RemoveGroupFacility(ctx context.Context, v Viewer, p RemoveGroupFacilityParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.RemoveGroupFacility(ctx, p)
	return s.removed(ctx, n, err)
}
