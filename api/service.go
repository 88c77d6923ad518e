package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"waybill/db"
)

func (a *server) registerService() {
	registerOpen(a, operation{
		id: "livez", method: http.MethodGet, path: "/livez", tag: "service", anyone: true,
		summary: "Check that the process is alive", about: "Does not use the database.",
	}, a.livez)
	registerOpen(a, operation{
		id: "readyz", method: http.MethodGet, path: "/readyz", tag: "service", anyone: true,
		summary: "Check that the server is ready for requests",
		about: "Checks that the database accepts writes; fails while it cannot be reached, is read-only, a " +
			"standby or " +
			"a former primary, has just refused a write for want of storage, or the server is shutting down. The " +
			"detail names the reason.",
	}, a.readyz)
	registerOpen(a, operation{
		id: "get-error", method: http.MethodGet, path: "/errors/{code}", tag: "service",
		anyone: true, mediaType: "text/html",
		summary: "Get the documentation of an error code", about: "An HTML page.", codes: []db.Code{db.NotFound},
	}, a.getError)
}

// Health is the answer of a probe.
type Health struct {
	Status string `json:"status" enum:"ok" doc:"Always ok: a server that is not answers with an error"`
}

type healthOutput struct{ Body *Health }

func (a *server) livez(context.Context, *struct{}) (*healthOutput, error) {
	return &healthOutput{&Health{"ok"}}, nil
}

func (a *server) readyz(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	select {
	case <-a.draining:
		return nil, problem(db.Unavailable, "", "The server is shutting down.")
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := a.store.CheckWritable(ctx); err != nil {
		var reason db.NotWritable
		errors.As(err, &reason)
		p := problem(db.CodeOf(err), "", string(reason))
		p.cause = err
		return nil, p
	}
	return &healthOutput{&Health{"ok"}}, nil
}

type errorPath struct {
	Code string `path:"code" maxLength:"100" doc:"The code of an error" example:"driver_busy"`
}

type pageOutput struct {
	ContentType string `header:"Content-Type"`
	PageHeaders
	Body []byte `contentType:"text/html"`
}

func (a *server) getError(_ context.Context, in *errorPath) (*pageOutput, error) {
	page, ok := a.docs.Get("/errors/" + in.Code)
	if !ok {
		return nil, problem(db.NotFound, "", "No error has this code.")
	}
	return &pageOutput{page.MediaType, docsHeaders, page.Text}, nil
}
