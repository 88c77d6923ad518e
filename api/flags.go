package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

func (a *server) registerFlags() {
	register(a, operation{
		id: "list-flags", method: http.MethodGet, replicas: true, path: "/v1/flags", tag: "flags",
		summary: "List the flags", about: "Ordered by name.", roles: admin,
	}, a.listFlags)
	register(a, operation{
		id: "get-flag", method: http.MethodGet, replicas: true, path: "/v1/flags/{name}", tag: "flags",
		summary: "Get a flag", roles: admin, codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getFlag)
	register(a, operation{
		id: "set-flag", method: http.MethodPut, path: "/v1/flags/{name}", tag: "flags",
		summary: "Switch a flag", roles: admin, codes: []db.Code{db.NotFound, db.StaleVersion, preconditionRequired},
	}, a.setFlag)
}

// ByName paginates rows by name.
type ByName struct {
	Paging

	after string
}

// Resolve implements huma.Resolver.
func (p *ByName) Resolve(ctx huma.Context) []error {
	var err error
	p.after, err = p.open(ctx)
	return asErrors(err)
}

func (a *server) listFlags(ctx context.Context, v db.Viewer, in *ByName) (*ListOf[db.Flag], error) {
	rows, err := a.store.ListFlags(ctx,
		db.ListFlagsParams{TenantID: v.TenantID, AfterName: in.after, MaxRows: in.more()})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(f db.Flag) string { return in.cursor(f.Name) }), nil
}

// FlagPath identifies a flag by its name in the path.
type FlagPath struct {
	Name string `path:"name" maxLength:"100" doc:"The name of the feature" example:"pickup_texts"`
}

type getFlagInput struct {
	FlagPath
	IfNoneMatch
}

func (a *server) getFlag(ctx context.Context, v db.Viewer, in *getFlagInput) (*Row[db.Flag], error) {
	row, err := a.store.GetFlag(ctx, db.GetFlagParams{TenantID: v.TenantID, Name: in.Name})
	if err != nil {
		return nil, err
	}
	tag := etag(row.Version)
	return &Row[db.Flag]{tag, &row}, in.notModifiedIf(tag)
}

// FlagSetting is the body of set-flag.
type FlagSetting struct {
	Enabled bool `json:"enabled"`
}

type setFlagInput struct {
	FlagPath
	IfMatch
	Body FlagSetting
}

func (a *server) setFlag(ctx context.Context, v db.Viewer, in *setFlagInput) (*Row[db.Flag], error) {
	row, err := a.store.SetFlag(ctx, v, db.SetFlagParams{
		Name: in.Name, Version: in.version, Enabled: in.Body.Enabled,
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Flag]{etag(row.Version), &row}, nil
}
