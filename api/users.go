package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerUsers() {
	register(a, operation{
		id: "create-user", method: http.MethodPost, path: "/v1/users", tag: "users", status: http.StatusCreated,
		summary: "Create a user", roles: admin,
		codes: []db.Code{db.EmailTaken, db.IDReused}, also: []int{http.StatusOK},
	}, a.createUser)
	register(a, operation{
		id: "list-users", method: http.MethodGet, replicas: true, path: "/v1/users", tag: "users",
		summary: "List the users", about: "Newest first. " + aboutNames, roles: adminDispatch,
	}, a.listUsers)
	register(a, operation{
		id: "get-user", method: http.MethodGet, replicas: true, path: "/v1/users/{user_id}", tag: "users",
		summary: "Get a user", about: "Admins and dispatchers see every user, others only themselves.",
		roles: everyRole,
		codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getUser)
	register(a, operation{
		id: "edit-user", method: http.MethodPatch, path: "/v1/users/{user_id}", tag: "users",
		summary: "Edit a user", about: "Admins may edit every user, others only their own name and email address.",
		roles: everyRole,
		codes: []db.Code{db.NotFound, db.StaleVersion, preconditionRequired, db.EmailTaken, db.Forbidden, db.LastAdmin},
	}, a.editUser)
	register(a, operation{
		id: "change-password", method: http.MethodPut, path: "/v1/users/{user_id}/password", tag: "users",
		summary: "Change a password",
		about: "Revokes every session of the user, including the current one. Users change their own password, " +
			"admins that of any user. current_password is always the caller's.",
		roles: everyRole, codes: []db.Code{db.NotFound, db.RateLimited, db.PasswordChanged},
	}, a.changePassword)
	register(a, operation{
		id: "deactivate-user", method: http.MethodPost, path: "/v1/users/{user_id}/deactivate", tag: "users",
		summary: "Deactivate a user",
		about: "Revokes all sessions of the user. Repeating it has no effect. The only active admin cannot be " +
			"deactivated.",
		roles: admin, codes: []db.Code{db.NotFound, db.LastAdmin},
	}, a.deactivateUser)
	register(a, operation{
		id: "reactivate-user", method: http.MethodPost, path: "/v1/users/{user_id}/reactivate", tag: "users",
		summary: "Reactivate a user",
		about: "The user can log in again with the same password. Earlier sessions stay revoked. Repeating it " +
			"has no effect.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.reactivateUser)
}

// NewUser is the body of create-user.
type NewUser struct {
	ID       *uuid.UUID   `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	Email    EmailAddress `json:"email" example:"ada@clinic.example"`
	Password string       `json:"password" minLength:"8" maxLength:"72" doc:"At least 8 characters, at most 72 bytes"`
	Name     string       `json:"name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Ada Lovelace"`
	Role     db.UserRole  `json:"role"`
}

type createUserInput struct {
	CreateKey
	Body NewUser
}

func (a *server) createUser(ctx context.Context, v db.Viewer, in *createUserInput) (*Created[db.User], error) {
	b := in.Body
	id, err := in.newID(v, "create-user", 0, b.ID)
	if err != nil {
		return nil, err
	}
	hash, err := a.passwords.hash(ctx, v, "password", b.Password)
	if err != nil {
		return nil, err
	}
	// The password is not part of the digest, which is fast to brute-force: a replay is compared with
	// the stored hash.
	asked := b
	asked.Password = ""
	d := digest(v, "create-user", asked)
	row, replayed, err := a.store.CreateUser(ctx, v, db.CreateUserParams{
		ID: id, Email: string(b.Email), Name: b.Name, Role: b.Role, PasswordHash: hash, RequestDigest: d,
	}, func(hash string) (bool, error) { return a.matches(ctx, v, hash, b.Password) })
	if err != nil {
		return nil, err
	}
	return createdRow(&row, "/v1/users/"+row.ID.String(), etag(row.Version), replayed), nil
}

func (a *server) userParams(v db.Viewer, id uuid.UUID) db.GetUserParams {
	return db.GetUserParams{TenantID: v.TenantID, ID: id, ViewerID: v.UserID, ViewerRole: v.Role}
}

type listUsersInput struct {
	Keyset
	Email  EmailAddress `query:"email" doc:"Only the user with this email address, whatever its case"`
	Name   SearchName   `query:"name" doc:"Only users with these words, or beginnings of words, in their name" example:"ada love"`
	Role   db.UserRole  `query:"role" doc:"Only users with this role"`
	Active bool         `query:"active" doc:"Only active users, or only deactivated ones"`

	active *bool
	found  searchPlace
}

// Resolve implements huma.Resolver.
func (in *listUsersInput) Resolve(ctx huma.Context) (errs []error) {
	if ctx.Query("active") != "" {
		in.active = &in.Active
	}
	if in.Name == "" || in.Email != "" { // of one address there is one user: no order, and nothing to search
		return in.Keyset.Resolve(ctx)
	}
	in.found, errs = in.openSearch(ctx, string(in.Name))
	return errs
}

func (a *server) listUsers(ctx context.Context, v db.Viewer, in *listUsersInput) (*ListOf[db.User], error) {
	if in.found.isSearch {
		return a.findUsers(ctx, v, in)
	}
	rows, err := a.store.ListUsers(ctx, db.ListUsersParams{
		TenantID: v.TenantID, ViewerRole: v.Role, ViewerID: v.UserID,
		Email: given(string(in.Email)), Name: given(string(in.Name)), Role: given(in.Role), Active: in.active,
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	users := make([]db.User, len(rows))
	for i, r := range rows {
		users[i] = r.User
	}
	return pageOf(in.Limit, users, func(u db.User) string { return in.after(u.CreatedAt, u.ID) }), nil
}

// findUsers lists users by their names.
func (a *server) findUsers(ctx context.Context, v db.Viewer, in *listUsersInput) (*ListOf[db.User], error) {
	found, err := a.store.FindUsers(ctx, v, db.FindUsersParams{
		Name: string(in.Name), Role: given(in.Role), Active: in.active,
		AfterTerm: in.found.term, AfterID: in.found.id, MaxRows: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return foundPage(in.Paging, found), nil
}

// UserPath identifies a user by their id in the path.
type UserPath struct {
	UserID uuid.UUID `path:"user_id" format:"uuid" doc:"The user"`
}

type getUserInput struct {
	UserPath
	IfNoneMatch
}

func (a *server) getUser(ctx context.Context, v db.Viewer, in *getUserInput) (*Row[db.User], error) {
	row, err := a.store.GetUser(ctx, a.userParams(v, in.UserID))
	if err != nil {
		return nil, err
	}
	tag := etag(row.Version)
	return &Row[db.User]{tag, &row}, in.notModifiedIf(tag)
}

// UserEdit holds the members to change; omitted members keep their value.
type UserEdit struct {
	Email *EmailAddress `json:"email,omitempty"`
	Name  *string       `json:"name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	Role  *db.UserRole  `json:"role,omitempty" doc:"Only admins may set it"`
}

func (UserEdit) isEdit() {}

type editUserInput struct {
	UserPath
	IfMatch
	Body UserEdit
}

func (a *server) editUser(ctx context.Context, v db.Viewer, in *editUserInput) (*Row[db.User], error) {
	switch {
	case v.Role == db.UserRoleAdmin:
	case in.UserID != v.UserID: // also by dispatchers, who see every user
		return nil, problem(db.NotFound, "", "")
	case in.Body.Role != nil:
		return nil, problem(db.Forbidden, "role", "Only an admin may set a role.")
	}
	if in.Body == (UserEdit{}) {
		row, err := a.store.GetUser(ctx, a.userParams(v, in.UserID))
		return asSeen(in.IfMatch, row.Version, etag(row.Version), &row, err)
	}
	row, err := a.store.EditUser(ctx, v, db.EditUserParams{
		ID: in.UserID, Version: in.version, Email: (*string)(in.Body.Email), Name: in.Body.Name, Role: in.Body.Role,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.User]{etag(row.Version), &row}, nil
}

// PasswordChange is the body of change-password.
type PasswordChange struct {
	CurrentPassword string `json:"current_password" minLength:"1" maxLength:"200" doc:"The caller's current password"`
	NewPassword     string `json:"new_password" minLength:"8" maxLength:"72" doc:"At least 8 characters, at most 72 bytes"`
}

type changePasswordInput struct {
	UserPath
	Body PasswordChange
}

func (a *server) changePassword(ctx context.Context, v db.Viewer, in *changePasswordInput) (*Row[db.User], error) {
	if in.UserID != v.UserID && v.Role != db.UserRoleAdmin {
		return nil, problem(db.NotFound, "", "")
	}
	target, err := a.store.GetUser(ctx, a.userParams(v, in.UserID))
	if err != nil {
		return nil, err
	}
	if err := a.verifySelf(ctx, v, in.Body.CurrentPassword); err != nil {
		return nil, err
	}
	hash, err := a.passwords.hash(ctx, v, "new_password", in.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	row, err := a.store.ChangePassword(ctx, v, db.ChangePasswordParams{
		ID: in.UserID, PasswordEpoch: target.PasswordEpoch, NewPasswordHash: hash,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.User]{etag(row.Version), &row}, nil
}

// verifySelf verifies the caller's own password. Tries are counted per session: guesses elsewhere do
// not prevent the user from changing the password, and a stolen session cannot be used for guessing it.
func (a *server) verifySelf(ctx context.Context, v db.Viewer, password string) error {
	self, err := a.store.GetUser(ctx, a.userParams(v, v.UserID))
	if err != nil {
		return err
	}
	leave, err := a.passwords.enterAs(v)
	if err != nil {
		return err
	}
	defer leave()
	key := attemptKey("session", string(tokenOf(ctx)))
	unlock, err := a.passwords.lockTry(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	count := func() error { return limited(a.store.CountLoginAttempt(ctx, key)) }
	match, err := a.passwords.compare(ctx, asCaller(v), count, self.PasswordHash, password)
	if err != nil {
		return err
	}
	if !match.same {
		return problem(db.ValidationFailed, "current_password", "The current password is wrong.")
	}
	return a.store.ForgetLoginAttempts(ctx, key)
}

// matches reports whether the hash is of the password.
func (a *server) matches(ctx context.Context, v db.Viewer, hash, password string) (bool, error) {
	leave, err := a.passwords.enterAs(v)
	if err != nil {
		return false, err
	}
	defer leave()
	match, err := a.passwords.compare(ctx, asCaller(v), uncounted, hash, password)
	return match.same, err
}

func (a *server) deactivateUser(ctx context.Context, v db.Viewer, in *UserPath) (*Row[db.User], error) {
	user, err := a.store.DeactivateUser(ctx, v, in.UserID)
	if err != nil {
		return nil, err
	}
	return &Row[db.User]{etag(user.Version), &user}, nil
}

func (a *server) reactivateUser(ctx context.Context, v db.Viewer, in *UserPath) (*Row[db.User], error) {
	user, err := a.store.ReactivateUser(ctx, v, in.UserID)
	if err != nil {
		return nil, err
	}
	return &Row[db.User]{etag(user.Version), &user}, nil
}
