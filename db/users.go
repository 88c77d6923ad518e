package db

import (
	"cmp"
	"context"

	"github.com/google/uuid"
)

// CreateUser creates the user of p, of v's tenant. replayed says that an earlier attempt of the same request
// did. The digest does not include the password: verify compares it with the stored one unless that was
// changed. It returns IDReused if another request created the user, or EmailTaken.
func (s *Store) CreateUser(
	ctx context.Context, v Viewer, p CreateUserParams, verify func(hash string) (bool, error),
) (_ User, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreateUser(ctx, p)
	return created(ctx, s, row, err, p.RequestDigest, func() (User, []byte, error) {
		known, err := s.q.GetUser(ctx, getUserParams(v, p.ID))
		if err != nil {
			return known, nil, err
		}
		match, err := verify(known.PasswordHash)
		if known.PasswordEpoch == 1 && !match {
			return known, nil, err
		}
		return known, known.RequestDigest, err
	})
}

func getUserParams(v Viewer, id uuid.UUID) GetUserParams {
	return GetUserParams{TenantID: v.TenantID, ID: id, ViewerID: v.UserID, ViewerRole: v.Role}
}

// FindUsers finds users of v's tenant by their names, p.MaxRows of them. If p.Name has no word, it finds nobody.
func (s *Store) FindUsers(ctx context.Context, v Viewer, p FindUsersParams) (Found[User], error) {
	p.MaxLooks = maxLooks
	return s.findUsers(ctx, v, p)
}

func (s *Store) findUsers(ctx context.Context, v Viewer, p FindUsersParams) (found Found[User], err error) {
	p.TenantID, p.ViewerID, p.ViewerRole = v.TenantID, v.UserID, v.Role
	limit := int(p.MaxRows)
	p.MaxRows++ // one more shows whether there is a next page
	rows, err := s.q.FindUsers(ctx, p)
	found.Rows = make([]User, 0, len(rows))
	var last *FoundPlace
	for _, r := range rows {
		if r.Fits && len(found.Rows) == limit {
			found.Next = last
			break
		}
		if last = (&FoundPlace{r.Term, r.User.ID}); r.IsLast {
			found.Next = last
		}
		if r.Fits {
			found.Rows = append(found.Rows, r.User)
		}
	}
	return found, err
}

// DeactivateUser deactivates a user for v and ends their sessions. It returns an inactive user unchanged,
// NotFound, or LastAdmin for the only active admin.
func (s *Store) DeactivateUser(ctx context.Context, v Viewer, id uuid.UUID) (User, error) {
	row, err := s.q.DeactivateUser(ctx, DeactivateUserParams{TenantID: v.TenantID, ID: id})
	if !NoRow(err) {
		return row.User, err
	}
	user, err := s.q.GetUser(ctx, getUserParams(v, id))
	if err == nil && user.isAdmin() {
		return User{}, refuse(LastAdmin, "")
	}
	return resting(ctx, s, user, err)
}

// ReactivateUser lets a user log in again, for v. It returns an active user unchanged, or NotFound.
func (s *Store) ReactivateUser(ctx context.Context, v Viewer, id uuid.UUID) (User, error) {
	user, err := s.q.ReactivateUser(ctx, ReactivateUserParams{TenantID: v.TenantID, ID: id})
	if NoRow(err) {
		user, err = s.q.GetUser(ctx, getUserParams(v, id))
		return resting(ctx, s, user, err)
	}
	return user, err
}

// EditUser edits a user for v. It returns NotFound, StaleVersion, EmailTaken, or LastAdmin if the edit would
// demote the only active admin.
func (s *Store) EditUser(ctx context.Context, v Viewer, p EditUserParams) (User, error) {
	p.TenantID, p.ViewerID, p.ViewerRole = v.TenantID, v.UserID, v.Role
	user, err := s.q.EditUser(ctx, p)
	return user, edited(ctx, s, err, func() ([]int64, error) {
		now, err := s.q.GetUser(ctx, getUserParams(v, p.ID))
		if err == nil && v.Role != UserRoleAdmin && p.ID != v.UserID { // dispatchers see users whom they may not edit
			return nil, refuse(NotFound, "")
		}
		if err == nil && now.Version == p.Version && p.Role != nil && now.isAdmin() {
			return nil, refuse(LastAdmin, "role")
		}
		return []int64{now.Version}, err
	})
}

// ChangePassword replaces the password of p's epoch of a user of v's tenant, and ends the sessions that were
// opened with it. It returns PasswordChanged if it was already replaced.
func (s *Store) ChangePassword(ctx context.Context, v Viewer, p ChangePasswordParams) (User, error) {
	p.TenantID = v.TenantID
	user, err := s.q.ChangePassword(ctx, p)
	if NoRow(err) { // it may be the caller's own change
		return User{}, cmp.Or(s.replicated(ctx), error(refuse(PasswordChanged, "")))
	}
	return user, err
}

// RenewPasswordHash stores another hash of the same password. It does nothing if the
// password was changed.
func (s *Store) RenewPasswordHash(ctx context.Context, p RenewPasswordHashParams) error {
	_, err := s.q.RenewPasswordHash(ctx, p)
	return err
}

// isAdmin reports whether the user is an active admin: the database keeps at least one.
func (u User) isAdmin() bool { return u.Active && u.Role == UserRoleAdmin }
