package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerGroups() {
	register(a, operation{
		id: "create-group", method: http.MethodPost, path: "/v1/groups", tag: "groups", status: http.StatusCreated,
		summary: "Create a group", about: "Members of a group can see its facilities.", roles: admin,
		codes: []db.Code{db.IDReused}, also: []int{http.StatusOK},
	}, a.createGroup)
	register(a, operation{
		id: "list-groups", method: http.MethodGet, replicas: true, path: "/v1/groups", tag: "groups",
		summary: "List the groups", roles: admin,
	}, a.listGroups)
	register(a, operation{
		id: "get-group", method: http.MethodGet, replicas: true, path: "/v1/groups/{group_id}", tag: "groups",
		summary: "Get a group", roles: admin, codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getGroup)
	register(a, operation{
		id: "edit-group", method: http.MethodPatch, path: "/v1/groups/{group_id}", tag: "groups",
		summary: "Edit a group", roles: admin, codes: []db.Code{db.NotFound, db.StaleVersion, preconditionRequired},
	}, a.editGroup)
	a.registerGroupMembers()
	a.registerGroupFacilities()
}

func (a *server) registerGroupMembers() {
	const path = "/v1/groups/{group_id}/members"
	register(a, operation{
		id: "list-group-members", method: http.MethodGet, replicas: true, path: path, tag: "groups",
		summary: "List the members of a group", about: "Ordered by id.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.listGroupMembers)
	register(a, operation{
		id: "add-group-member", method: http.MethodPut, path: path + "/{user_id}",
		tag: "groups", status: http.StatusNoContent,
		summary: "Add a member", about: "Takes effect on the user's next request. Repeating it has no effect.",
		roles:      admin,
		asNotFound: []db.Code{db.NotFound, db.UserNotFound},
	}, a.addGroupMember)
	register(a, operation{
		id: "remove-group-member", method: http.MethodDelete, path: path + "/{user_id}",
		tag: "groups", status: http.StatusNoContent,
		summary: "Remove a member", about: "Takes effect on the user's next request.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.removeGroupMember)
}

func (a *server) registerGroupFacilities() {
	const path = "/v1/groups/{group_id}/facilities"
	register(a, operation{
		id: "list-group-facilities", method: http.MethodGet, replicas: true, path: path, tag: "groups",
		summary: "List the facilities of a group", about: "Ordered by id.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.listGroupFacilities)
	register(a, operation{
		id: "add-group-facility", method: http.MethodPut, path: path + "/{facility_id}",
		tag: "groups", status: http.StatusNoContent,
		summary:    "Add a facility to a group",
		about:      "Takes effect on the members' next request. Repeating it has no effect.",
		roles:      admin,
		asNotFound: []db.Code{db.NotFound, db.FacilityNotFound},
	}, a.addGroupFacility)
	register(a, operation{
		id: "remove-group-facility", method: http.MethodDelete, path: path + "/{facility_id}",
		tag: "groups", status: http.StatusNoContent,
		summary: "Remove a facility from a group", about: "Takes effect on the members' next request.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.removeGroupFacility)
}

// NewGroup is the body of create-group.
type NewGroup struct {
	ID   *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	Name string     `json:"name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Mission staff"`
}

type createGroupInput struct {
	CreateKey
	Body NewGroup
}

func (a *server) createGroup(ctx context.Context, v db.Viewer, in *createGroupInput) (*Created[db.Group], error) {
	id, err := in.newID(v, "create-group", 0, in.Body.ID)
	if err != nil {
		return nil, err
	}
	d := digest(v, "create-group", in.Body)
	row, replayed, err := a.store.CreateGroup(ctx, v,
		db.CreateGroupParams{ID: id, Name: in.Body.Name, RequestDigest: d})
	if err != nil {
		return nil, err
	}
	return createdRow(&row, "/v1/groups/"+row.ID.String(), etag(row.Version), replayed), nil
}

func (a *server) listGroups(ctx context.Context, v db.Viewer, in *Keyset) (*ListOf[db.Group], error) {
	rows, err := a.store.ListGroups(ctx, db.ListGroupsParams{
		TenantID: v.TenantID, BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(g db.Group) string { return in.after(g.CreatedAt, g.ID) }), nil
}

// GroupPath identifies a group by its id in the path.
type GroupPath struct {
	GroupID uuid.UUID `path:"group_id" format:"uuid" doc:"The group"`
}

type getGroupInput struct {
	GroupPath
	IfNoneMatch
}

func (a *server) group(ctx context.Context, v db.Viewer, id uuid.UUID) (db.Group, error) {
	return a.store.GetGroup(ctx, db.GetGroupParams{TenantID: v.TenantID, ID: id})
}

func (a *server) getGroup(ctx context.Context, v db.Viewer, in *getGroupInput) (*Row[db.Group], error) {
	row, err := a.group(ctx, v, in.GroupID)
	if err != nil {
		return nil, err
	}
	tag := etag(row.Version)
	return &Row[db.Group]{tag, &row}, in.notModifiedIf(tag)
}

// GroupEdit holds the members to change; omitted members keep their value.
type GroupEdit struct {
	Name *string `json:"name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
}

func (GroupEdit) isEdit() {}

type editGroupInput struct {
	GroupPath
	IfMatch
	Body GroupEdit
}

func (a *server) editGroup(ctx context.Context, v db.Viewer, in *editGroupInput) (*Row[db.Group], error) {
	if in.Body == (GroupEdit{}) {
		row, err := a.group(ctx, v, in.GroupID)
		return asSeen(in.IfMatch, row.Version, etag(row.Version), &row, err)
	}
	row, err := a.store.EditGroup(ctx, v, db.EditGroupParams{
		ID: in.GroupID, Version: in.version, Name: in.Body.Name,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Group]{etag(row.Version), &row}, nil
}

// ByID paginates rows by id.
type ByID struct {
	Paging

	after uuid.UUID
}

// Resolve implements huma.Resolver.
func (p *ByID) Resolve(ctx huma.Context) []error {
	place, err := p.open(ctx)
	if err == nil && place != "" && len(place) != len(p.after) {
		err = badCursor()
	}
	copy(p.after[:], place)
	return asErrors(err)
}

type listInGroupInput struct {
	GroupPath
	ByID
}

func (a *server) listGroupMembers(
	ctx context.Context, v db.Viewer, in *listInGroupInput,
) (*ListOf[db.GroupMember], error) {
	if _, err := a.group(ctx, v, in.GroupID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListGroupMembers(ctx, db.ListGroupMembersParams{
		TenantID: v.TenantID, GroupID: in.GroupID, AfterUserID: in.after, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(m db.GroupMember) string { return in.cursor(string(m.UserID[:])) }), nil
}

func (a *server) listGroupFacilities(
	ctx context.Context, v db.Viewer, in *listInGroupInput,
) (*ListOf[db.GroupFacility], error) {
	if _, err := a.group(ctx, v, in.GroupID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListGroupFacilities(ctx, db.ListGroupFacilitiesParams{
		TenantID: v.TenantID, GroupID: in.GroupID, AfterFacilityID: in.after, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(f db.GroupFacility) string { return in.cursor(string(f.FacilityID[:])) }), nil
}

type groupMemberPath struct {
	GroupPath
	UserPath
}

func (a *server) addGroupMember(ctx context.Context, v db.Viewer, in *groupMemberPath) (*struct{}, error) {
	return nil, a.store.AddGroupMember(ctx, v, db.AddGroupMemberParams{GroupID: in.GroupID, UserID: in.UserID})
}

func (a *server) removeGroupMember(ctx context.Context, v db.Viewer, in *groupMemberPath) (*struct{}, error) {
	return nil, a.store.RemoveGroupMember(ctx, v, db.RemoveGroupMemberParams{GroupID: in.GroupID, UserID: in.UserID})
}

type groupFacilityPath struct {
	GroupPath
	FacilityPath
}

func (a *server) addGroupFacility(ctx context.Context, v db.Viewer, in *groupFacilityPath) (*struct{}, error) {
	return nil, a.store.AddGroupFacility(ctx, v,
		db.AddGroupFacilityParams{GroupID: in.GroupID, FacilityID: in.FacilityID})
}

func (a *server) removeGroupFacility(ctx context.Context, v db.Viewer, in *groupFacilityPath) (*struct{}, error) {
	return nil, a.store.RemoveGroupFacility(ctx, v,
		db.RemoveGroupFacilityParams{GroupID: in.GroupID, FacilityID: in.FacilityID})
}
