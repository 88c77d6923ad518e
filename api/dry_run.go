package api

import (
	"context"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

// A dry run is the request itself, in a transaction that is rolled back: its answer is what the request would
// get now, by the same statements.

const (
	dryRunParameter = "dry_run"
	dryRunHeader    = "Dry-Run"
)

// canRehearse reports whether the operation can be tried with dry_run.
func (op operation) canRehearse() bool { return op.writes() && !op.anyone }

// describeDryRun adds the parameter to an operation's entry in the document.
func (op operation) describeDryRun(described *huma.Operation) {
	if op.canRehearse() {
		described.Parameters = append(described.Parameters, &huma.Param{
			Name: dryRunParameter, In: "query", Schema: &huma.Schema{Type: huma.TypeBoolean},
			Description: "true: answer what the request would be answered now, with the header Dry-Run, and write " +
				"nothing. The patients that the answer shows are recorded as read",
		})
	}
}

// describeDryRunHeader adds the header of its answers.
func (op operation) describeDryRunHeader(answer *huma.Response) {
	if !op.canRehearse() {
		return
	}
	if answer.Headers == nil {
		answer.Headers = map[string]*huma.Header{}
	}
	answer.Headers[dryRunHeader] = &huma.Header{
		Description: "\"true\" for a dry run: nothing was written", Schema: &huma.Schema{Type: huma.TypeString}}
}

// readDryRun reads the parameter. It takes it out of the request, whose handler does not know it.
func readDryRun(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	query, err := url.ParseQuery(r.URL.RawQuery)
	values := query[dryRunParameter]
	if err != nil || len(values) == 0 { // strictQuery refuses a malformed query
		next(ctx)
		return
	}
	known := requestOf(ctx.Context())
	if odd := oddDryRun(values, known.partOf != nil); odd != "" {
		writeProblem(ctx, problem(db.ValidationFailed, dryRunParameter, odd))
		return
	}
	query.Del(dryRunParameter)
	rest := *r.URL
	rest.RawQuery = query.Encode()
	r.URL = &rest
	if known.rehearsal = values[0] == "true"; known.rehearsal {
		ctx.SetHeader(dryRunHeader, "true")
	}
	next(ctx)
}

func oddDryRun(values []string, isPart bool) string {
	switch {
	case len(values) > 1:
		return "The parameter is given more than once."
	case isPart:
		return "dry_run is of the batch as a whole: send it in the query of the request."
	case values[0] != "true" && values[0] != "false":
		return "dry_run: expected true or false."
	}
	return ""
}

// rehearsed returns handler, in a transaction of its own that is rolled back if the request is a dry run.
func rehearsed[I, O any](
	a *server, op operation, handler func(context.Context, *I) (*O, error),
) func(context.Context, *I) (*O, error) {
	if !op.canRehearse() || op.together || op.raw != nil { // a feed has a transaction of its own
		return handler
	}
	return func(ctx context.Context, in *I) (out *O, err error) {
		if !requestOf(ctx).rehearsal {
			return handler(ctx, in)
		}
		failed := a.store.Rehearse(ctx, viewerOf(ctx), func(ctx context.Context) error {
			out, err = handler(ctx, in)
			return err
		})
		return out, failed
	}
}
