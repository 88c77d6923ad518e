package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerAccounts() {
	readers := moneyRoles
	register(a, operation{
		id: "create-account", method: http.MethodPost, path: "/v1/accounts",
		tag: "accounts", status: http.StatusCreated,
		summary: "Create an account", about: "The balance is 0: add money with deposit-to-account. Staff of every " +
			"facility may charge it, unless all_facilities is false.", roles: admin,
		codes: []db.Code{db.IDReused}, also: []int{http.StatusOK},
	}, a.createAccount)
	register(a, operation{
		id: "list-accounts", method: http.MethodGet, replicas: true, path: "/v1/accounts", tag: "accounts",
		summary: "List the accounts that you see",
		about: "Newest first. Staff see and charge accounts of all facilities (all_facilities), and those that " +
			"list a " +
			"facility of theirs.", roles: readers,
	}, a.listAccounts)
	register(a, operation{
		id: "get-account", method: http.MethodGet, replicas: true, path: "/v1/accounts/{account_id}", tag: "accounts",
		summary: "Get an account", roles: readers, codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getAccount)
	register(a, operation{
		id: "edit-account", method: http.MethodPatch, path: "/v1/accounts/{account_id}", tag: "accounts",
		summary: "Edit an account", roles: admin, codes: []db.Code{db.NotFound, db.StaleVersion, preconditionRequired},
	}, a.editAccount)
	a.registerAccountFacilities()
	a.registerEntries(readers)
	a.registerStatements(readers)
}

func (a *server) registerEntries(readers []db.UserRole) {
	const path = "/v1/accounts/{account_id}"
	register(a, operation{
		id: "charge-account", method: http.MethodPost, path: path + "/charges",
		tag: "accounts", status: http.StatusCreated,
		shares: true, summary: "Charge an account",
		about: "Subtracts the amount if the balance covers it. Each id is charged " +
			"once.",
		roles: admin,
		codes: []db.Code{db.NotFound, db.InsufficientFunds, db.IDReused}, also: []int{http.StatusOK},
	}, a.enter(db.EntryKindCharge))
	register(a, operation{
		id: "deposit-to-account", method: http.MethodPost, path: path + "/deposits",
		tag: "accounts", status: http.StatusCreated,
		shares: true, summary: "Deposit to an account",
		about: "Adds the amount. Each id is deposited once.", roles: admin,
		codes: []db.Code{db.NotFound, db.BalanceTooLarge, db.IDReused}, also: []int{http.StatusOK},
	}, a.enter(db.EntryKindDeposit))
	register(a, operation{
		id: "list-account-entries", method: http.MethodGet, replicas: true, path: path + "/entries", tag: "accounts",
		summary: "List the entries of an account", about: "The sum of the entries is the balance.",
		roles: readers, codes: []db.Code{db.NotFound},
	}, a.listEntries)
	register(a, operation{
		id: "get-account-entry", method: http.MethodGet, replicas: true, path: path + "/entries/{entry_id}",
		tag: "accounts", summary: "Get an entry", roles: readers, codes: []db.Code{db.NotFound},
	}, a.getEntry)
}

// NewAccount is the body of create-account.
type NewAccount struct {
	ID       *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	Name     string     `json:"name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Mission Clinic"`
	Currency string     `json:"currency" pattern:"^[A-Z]{3}$" patternDescription:"an ISO 4217 code" example:"USD"`

	AllFacilities *bool `json:"all_facilities,omitempty"`
}

type createAccountInput struct {
	CreateKey
	Body NewAccount
}

func (a *server) createAccount(ctx context.Context, v db.Viewer, in *createAccountInput) (*Created[db.Account], error) {
	id, err := in.newID(v, "create-account", 0, in.Body.ID)
	if err != nil {
		return nil, err
	}
	d := digest(v, "create-account", in.Body)
	row, replayed, err := a.store.CreateAccount(ctx, v, db.CreateAccountParams{
		ID: id, Name: in.Body.Name, Currency: in.Body.Currency, RequestDigest: d,
		AllFacilities: in.Body.AllFacilities,
	})
	if err != nil {
		return nil, err
	}
	return createdRow(&row, accountLocation(row.ID), accountTag(row), replayed), nil
}

func accountLocation(id uuid.UUID) string { return "/v1/accounts/" + id.String() }

func accountTag(row db.Account) string { return etag(row.Version, row.BalanceVersion) }

func (a *server) account(ctx context.Context, v db.Viewer, id uuid.UUID) (db.Account, error) {
	return a.store.GetAccount(ctx, db.GetAccountParams{
		TenantID: v.TenantID, ID: id, ViewerID: v.UserID, ViewerRole: v.Role,
	})
}

func (a *server) listAccounts(ctx context.Context, v db.Viewer, in *Keyset) (*ListOf[db.Account], error) {
	rows, err := a.store.ListAccounts(ctx, db.ListAccountsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role,
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(c db.Account) string { return in.after(c.CreatedAt, c.ID) }), nil
}

// AccountPath identifies an account by its id in the path.
type AccountPath struct {
	AccountID uuid.UUID `path:"account_id" format:"uuid" doc:"The account"`
}

type getAccountInput struct {
	AccountPath
	IfNoneMatch
}

func (a *server) getAccount(ctx context.Context, v db.Viewer, in *getAccountInput) (*Row[db.Account], error) {
	row, err := a.account(ctx, v, in.AccountID)
	if err != nil {
		return nil, err
	}
	tag := accountTag(row)
	return &Row[db.Account]{tag, &row}, in.notModifiedIf(tag)
}

// AccountEdit holds the members to change; omitted members keep their value.
type AccountEdit struct {
	Name          *string `json:"name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	AllFacilities *bool   `json:"all_facilities,omitempty"`
}

func (AccountEdit) isEdit() {}

type editAccountInput struct {
	AccountPath
	IfMatch
	Body AccountEdit
}

func (a *server) editAccount(ctx context.Context, v db.Viewer, in *editAccountInput) (*Row[db.Account], error) {
	if in.Body == (AccountEdit{}) {
		row, err := a.account(ctx, v, in.AccountID)
		return asSeen(in.IfMatch, row.Version, accountTag(row), &row, err)
	}
	row, err := a.store.EditAccount(ctx, v, db.EditAccountParams{
		ID: in.AccountID, Version: in.version, Name: in.Body.Name, AllFacilities: in.Body.AllFacilities,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Account]{accountTag(row), &row}, nil
}

// NewLedgerEntry is the body of a charge or a deposit.
type NewLedgerEntry struct {
	ID          uuid.UUID `json:"id" format:"uuid" doc:"Chosen by the client: a retry with the same id is booked only once"`
	AmountCents int64     `json:"amount_cents" minimum:"1" maximum:"9007199254740991" example:"3000"`
	Note        string    `json:"note,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500"`
}

type enterInput struct {
	AccountPath
	Body NewLedgerEntry
}

func (a *server) enter(
	kind db.EntryKind,
) func(context.Context, db.Viewer, *enterInput) (*Created[db.LedgerEntry], error) {
	return func(ctx context.Context, v db.Viewer, in *enterInput) (*Created[db.LedgerEntry], error) {
		entry, replayed, err := a.store.Enter(ctx, v, db.Entry{
			ID: in.Body.ID, AccountID: in.AccountID, Kind: kind, AmountCents: in.Body.AmountCents, Note: in.Body.Note,
			Digest: digest(v, string(kind)+" "+in.AccountID.String(), in.Body),
		})
		if err != nil {
			return nil, err
		}
		return createdRow(&entry, accountLocation(entry.AccountID)+"/entries/"+entry.ID.String(),
			etag(1), replayed), nil
	}
}

type listEntriesInput struct {
	AccountPath
	Keyset
}

func (a *server) listEntries(ctx context.Context, v db.Viewer, in *listEntriesInput) (*ListOf[db.LedgerEntry], error) {
	if _, err := a.account(ctx, v, in.AccountID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListLedgerEntries(ctx, db.ListLedgerEntriesParams{
		TenantID: v.TenantID, AccountID: in.AccountID, BeforeCreatedAt: in.before,
		BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(e db.LedgerEntry) string { return in.after(e.CreatedAt, e.ID) }), nil
}

type entryPath struct {
	AccountPath
	EntryID uuid.UUID `path:"entry_id" format:"uuid" doc:"The entry"`
}

func (a *server) getEntry(ctx context.Context, v db.Viewer, in *entryPath) (*Row[db.LedgerEntry], error) {
	if _, err := a.account(ctx, v, in.AccountID); err != nil {
		return nil, err
	}
	row, err := a.store.GetLedgerEntry(ctx, db.GetLedgerEntryParams{TenantID: v.TenantID, ID: in.EntryID})
	if err == nil && row.AccountID != in.AccountID {
		return nil, problem(db.NotFound, "", "")
	}
	if err != nil {
		return nil, err
	}
	return &Row[db.LedgerEntry]{etag(1), &row}, nil
}
