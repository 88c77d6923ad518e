package db

import "context"

// DeactivateOneUser deactivates the user that p names and ends their sessions. Who is
// inactive already is shown as they are. LastAdmin for the only active admin.
func (s *Store) DeactivateOneUser(ctx context.Context, p GetUserParams) (User, error) {
	row, err := s.DeactivateUser(ctx, DeactivateUserParams{TenantID: p.TenantID, ID: p.ID})
	if !NoRow(err) {
		return row.User, err
	}
	user, err := s.GetUser(ctx, p)
	if err == nil && user.isAdmin() {
		return User{}, refuse(LastAdmin, "")
	}
	return user, err
}

// ReactivateOneUser lets the user that p names log in again. Who is active already is shown
// as they are.
func (s *Store) ReactivateOneUser(ctx context.Context, p GetUserParams) (User, error) {
	user, err := s.ReactivateUser(ctx, ReactivateUserParams{TenantID: p.TenantID, ID: p.ID})
	if NoRow(err) {
		return s.GetUser(ctx, p)
	}
	return user, err
}

// EditOneUser edits a user for v. NotFound, StaleVersion, EmailTaken, or LastAdmin where the
// edit would take the role from the only active admin.
func (s *Store) EditOneUser(ctx context.Context, v Viewer, p EditUserParams) (User, error) {
	p.TenantID, p.ViewerID, p.ViewerRole = v.TenantID, v.UserID, v.Role
	user, err := s.EditUser(ctx, p)
	return user, Edited(err, func() error {
		now, err := s.GetUser(ctx,
			GetUserParams{TenantID: v.TenantID, ID: p.ID, ViewerID: v.UserID, ViewerRole: v.Role})
		if err == nil && now.Version == p.Version && p.Role != nil && now.isAdmin() {
			return refuse(LastAdmin, "role")
		}
		return err
	})
}

// isAdmin tells whether the user is an admin who can log in: what the database counts where
// it keeps the last one.
func (u User) isAdmin() bool { return u.Active && u.Role == UserRoleAdmin }
