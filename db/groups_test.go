package db_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/seed"
)

var groupRaces = []check{
	{"CreateGroup", "a retried request makes a second group", func(ctx context.Context, w *fixture) error {
		return w.createdOnce(ctx, func(s *db.Raw) error {
			_, err := s.CreateGroup(ctx, db.CreateGroupParams{
				TenantID: w.tenant, ID: w.admin.UserID, Name: "Group", RequestDigest: digest("same"),
			})
			return err
		})
	}},
	{"EditGroup", clobbered, func(ctx context.Context, w *fixture) error {
		group := w.group(ctx)
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			_, err := s.EditGroup(ctx, db.EditGroupParams{TenantID: w.tenant, ID: group, Name: &name, Version: version})
			return err
		})
	}},
	{"AddGroupMember", "a member added twice", func(ctx context.Context, w *fixture) error {
		group := w.group(ctx)
		return w.countedOnce(func(s *db.Raw) (int64, error) {
			return s.AddGroupMember(ctx,
				db.AddGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: w.staff.UserID})
		})
	}},
	{"AddGroupMember", "a membership of an unknown group or user",
		func(ctx context.Context, w *fixture) error {
			group := w.group(ctx)
			_, noGroup := w.AddGroupMember(ctx,
				db.AddGroupMemberParams{TenantID: w.tenant, GroupID: newID(), UserID: w.staff.UserID})
			_, noUser := w.AddGroupMember(ctx,
				db.AddGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: newID()})
			return first(refused(noGroup, db.NotFound), refused(noUser, db.UserNotFound))
		}},
	{"AddGroupFacility", "a facility added to a group twice", func(ctx context.Context, w *fixture) error {
		group := w.group(ctx)
		return w.countedOnce(func(s *db.Raw) (int64, error) {
			return s.AddGroupFacility(ctx,
				db.AddGroupFacilityParams{TenantID: w.tenant, GroupID: group, FacilityID: w.facility})
		})
	}},
	{"AddGroupFacility", "a group shows an unknown facility", func(ctx context.Context, w *fixture) error {
		group := w.group(ctx)
		_, noGroup := w.AddGroupFacility(ctx,
			db.AddGroupFacilityParams{TenantID: w.tenant, GroupID: newID(), FacilityID: w.facility})
		_, noFacility := w.AddGroupFacility(ctx,
			db.AddGroupFacilityParams{TenantID: w.tenant, GroupID: group, FacilityID: newID()})
		return first(refused(noGroup, db.NotFound), refused(noFacility, db.FacilityNotFound))
	}},
	{"RemoveGroupMember", "a member removed twice", func(ctx context.Context, w *fixture) error {
		group := w.group(ctx)
		must(w.as.AddGroupMember(ctx,
			db.AddGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: w.staff.UserID}))
		return w.countedOnce(func(s *db.Raw) (int64, error) {
			return s.RemoveGroupMember(ctx,
				db.RemoveGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: w.staff.UserID})
		})
	}},
	{"RemoveGroupFacility", "a facility removed from a group twice", func(ctx context.Context, w *fixture) error {
		group := w.group(ctx)
		must(w.as.AddGroupFacility(ctx,
			db.AddGroupFacilityParams{TenantID: w.tenant, GroupID: group, FacilityID: w.facility}))
		return w.countedOnce(func(s *db.Raw) (int64, error) {
			return s.RemoveGroupFacility(ctx,
				db.RemoveGroupFacilityParams{TenantID: w.tenant, GroupID: group, FacilityID: w.facility})
		})
	}},
}

func (w *fixture) group(ctx context.Context) (id uuid.UUID) {
	w.make(ctx, func(r *seed.Rows) { id = r.Group() })
	return id
}

// countedOnce has callers make the same request at once: none fails, and the rows that they report as
// written add up to one.
func (w *fixture) countedOnce(write func(*db.Raw) (int64, error)) error {
	return w.counted(1, write)
}

func (w *fixture) counted(want int64, write func(*db.Raw) (int64, error)) error {
	var total atomic.Int64
	errs := together(manyCallers, func(int) error {
		n, err := write(w.Raw)
		total.Add(n)
		return err
	})
	if total.Load() != want {
		return fmt.Errorf("%d rows were written, want %d", total.Load(), want)
	}
	return first(errs...)
}
