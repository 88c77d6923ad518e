package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// operation is one of the document: who may call it, and how it can be refused.
type operation struct {
	id      string // kebab-case and stable: clients' function names come from it
	method  string
	path    string
	tag     string
	summary string
	about   string
	status  int // of success; 0: 200
	// Who may call it. None is refused at start: there is no operation without a rule.
	roles      []db.UserRole
	transition db.TransitionName // in place of roles: whom the dictionary names
	anyone     bool              // without a session
	// codes it can answer, beyond those that any operation can; missing are those of
	// them that say that what the path names is not there: 404, whatever the code.
	codes   []db.Code
	missing []db.Code
	maxBody int64 // 0: 1 MiB
	long    bool  // streams: no time limit
	// of the answer, if it is not JSON
	mediaType string
	body      bool              // whether it takes one: read off the type of its input
	raw       *huma.RequestBody // of a body that the handler reads by itself
	readOnly  readOnly          // read off the types of its input and its answer
	// answers that are no error, beyond the first: replays, 304.
	also []int
}

var (
	admin         = []db.UserRole{db.UserRoleAdmin}
	everyRole     = db.AllUserRoleValues()
	adminDispatch = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher}
)

// registerOpen adds an operation whose handler needs no viewer.
func registerOpen[I, O any](a *server, op operation, handler func(context.Context, *I) (*O, error)) {
	op.body = op.raw != nil || takesBody(reflect.TypeFor[I]())
	op.readOnly = readOnlyOf(reflect.TypeFor[I](), reflect.TypeFor[O]())
	op.codes = append(slices.Clip(op.codes), op.readOnly.codes()...)
	if _, ok := any(new(I)).(keyed); ok {
		op.codes = append(slices.Clip(op.codes), db.IdempotencyKeyReused)
	}
	huma.Register(a.huma, a.entry(op), func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		switch again, refused := requestOf(ctx).confirm(err); {
		case refused != nil:
			out, err = nil, refused
		case again:
			out, err = handler(ctx, in)
		}
		if k, ok := any(in).(keyed); ok {
			err = k.ofKey(err)
		}
		return out, problemFor(ctx, op, err)
	})
	a.complete(op)
}

// register adds an operation whose handler is told who calls.
func register[I, O any](a *server, op operation, handler func(context.Context, db.Viewer, *I) (*O, error)) {
	registerOpen(a, op, func(ctx context.Context, in *I) (*O, error) {
		return handler(ctx, viewerOf(ctx), in)
	})
}

func takesBody(input reflect.Type) bool {
	_, parsed := input.FieldByName("Body")
	_, raw := input.FieldByName("RawBody")
	return parsed || raw
}

// writes tells whether the operation may change anything: all do, but those whose method
// says that they do not.
func (op operation) writes() bool { return op.method != http.MethodGet && op.method != http.MethodHead }

// problemFor turns a handler's error into the operation's answer.
func problemFor(ctx context.Context, op operation, err error) error {
	if err == nil || isNotModified(err) {
		return err
	}
	p := problemOf(err)
	if p.Field == "" && slices.Contains(op.missing, p.Code) {
		p.Status = http.StatusNotFound
	}
	p.RequestID = requestOf(ctx).id
	requestOf(ctx).refuse(p)
	return p
}

// againstDocument looks at each code that a request to the operation is answered with,
// by its handler or by what stands before it.
func (a *server) againstDocument(op operation) func(context.Context, db.Code) {
	return func(ctx context.Context, code db.Code) {
		if !slices.Contains(op.allCodes(), code) {
			a.log.ErrorContext(ctx, "undeclared code", "operation", op.id, "code", code)
			a.undeclared(op.id, code)
		}
	}
}

// entry makes the document's entry, with its guards.
func (a *server) entry(op operation) huma.Operation {
	if !oneOf(op.anyone, len(op.roles) > 0, op.transition != "") {
		panic(fmt.Sprintf("operation %s has no security rule, or several", op.id))
	}
	described := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag},
		Summary: op.summary, Description: op.about, DefaultStatus: op.status,
		MaxBodyBytes: op.maxBody, BodyReadTimeout: a.bodyTimeout,
		Responses: a.declaredRefusals(op),
		Security:  []map[string][]string{{}}, // anyone
	}
	if op.mediaType != "" {
		described.Responses["200"] = &huma.Response{Content: map[string]*huma.MediaType{op.mediaType: {Schema: &huma.Schema{Type: huma.TypeString}}}}
	}
	described.Middlewares = huma.Middlewares{a.named(op)}
	if !op.anyone {
		described.Security = []map[string][]string{{"bearer": {}}}
		described.Description = strings.TrimSpace(op.about + "\n\n" + a.whoMay(op))
		described.Middlewares = append(described.Middlewares, strictAuthorization, a.gate(op).pass)
	}
	described.Middlewares = append(described.Middlewares, strictPath, strictQuery, strictForms, strictHeaders)
	switch {
	case op.raw != nil:
		described.Middlewares = append(described.Middlewares, strictMediaType)
	case op.body:
		described.Middlewares = append(described.Middlewares, strictMediaType, refuseLargeBody, a.admitBody)
	default:
		described.Middlewares = append(described.Middlewares, refuseBody)
	}
	return described
}

// named puts the operation's name into what is known of the request, and its time
// limit on it.
func (a *server) named(op operation) func(huma.Context, func(huma.Context)) {
	declared := a.againstDocument(op)
	return func(ctx huma.Context, next func(huma.Context)) {
		known := requestOf(ctx.Context())
		known.operation, known.declared, known.readOnly = op.id, declared, op.readOnly
		if !op.long {
			defer known.limit(a.handlerTimeout)()
		}
		next(ctx)
	}
}

// allCodes lists each code that the operation can answer.
func (op operation) allCodes() []db.Code {
	codes := slices.Concat(op.codes, op.missing, everyCode)
	if op.body {
		codes = append(codes, bodyCodes...)
	} else {
		codes = append(codes, unknownField, unreadableBody)
	}
	if !op.anyone {
		codes = append(codes, db.Unauthenticated, concurrencyLimit)
		if len(op.roles) < len(everyRole) || op.transition != "" || op.writes() { // or the role was changed under way
			codes = append(codes, db.Forbidden)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// whoMay says it in the document. Whom a transition is for stands in the dictionary.
func (a *server) whoMay(op operation) string {
	if op.transition != "" {
		return "Roles: see list-pickup-transitions."
	}
	return "Roles: " + strings.Join(names(op.roles), ", ") + "."
}

func oneOf(rules ...bool) bool {
	n := 0
	for _, r := range rules {
		if r {
			n++
		}
	}
	return n == 1
}
