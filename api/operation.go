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

// operation is an operation of the document: who may call it, and which errors it can answer.
type operation struct {
	id      string // kebab-case and stable: clients derive function names from it
	method  string
	path    string
	tag     string
	summary string
	about   string
	status  int // of a success; 0 means 200
	// The roles that may call it. An operation without a rule fails at start.
	roles      []db.UserRole
	transition db.TransitionName // instead of roles: the roles in the dictionary
	anyone     bool              // without a session
	// codes are the codes it can answer in addition to everyCode; missing are those of them that mean
	// that the resource in the path does not exist: their status is 404.
	codes      []db.Code
	asNotFound []db.Code
	maxBody    int64 // 0 means 1 MiB
	long       bool  // a stream: no time limit
	together   bool  // consists of other writes: see writeBatch
	alone      bool  // a write that no batch can contain
	shares     bool  // writes of its kind share statements in a batch
	search     bool  // a POST that changes nothing: what it is asked for does not belong in an address
	// replicas may serve its reads, each of which is one statement that writes nothing, not even an audit row.
	replicas bool
	// of the answer, if not JSON
	mediaType string
	body      bool              // whether it has a request body: derived from the input type
	raw       *huma.RequestBody // of a body that the handler reads itself
	readOnly  readOnly          // derived from the types of input and answer
	// further statuses of a success: replays, 304
	also []int
	// nil unless it will be removed
	deprecated *deprecation
}

var (
	admin         = []db.UserRole{db.UserRoleAdmin}
	everyRole     = db.AllUserRoleValues()
	adminDispatch = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher}
	moneyRoles    = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff}
)

// registerOpen registers an operation whose handler needs no viewer.
func registerOpen[I, O any](a *server, op operation, handler func(context.Context, *I) (*O, error)) {
	op.body = op.raw != nil || takesBody(reflect.TypeFor[I]())
	if !op.search { // what it is asked for is no row
		op.readOnly = readOnlyOf(reflect.TypeFor[I](), reflect.TypeFor[O]())
	}
	op.codes = append(slices.Clip(op.codes), op.readOnly.codes()...)
	if _, ok := any(new(I)).(keyed); ok {
		op.codes = append(slices.Clip(op.codes), db.IdempotencyKeyReused)
	}
	handler = rehearsed(a, op, handler)
	huma.Register(a.huma, a.entry(op), func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		switch retry, refused := requestOf(ctx).confirm(err); {
		case refused != nil:
			out, err = nil, refused
		case retry:
			out, err = handler(ctx, in)
		}
		a.tellPosition(ctx, op, err)
		if k, ok := any(in).(keyed); ok {
			err = k.ofKey(err)
		}
		return out, problemFor(ctx, op, err)
	})
	a.complete(op)
	if op.canBeIn() {
		a.writes[op.id] = op
	}
}

// register registers an operation whose handler receives the viewer.
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

// writes reports whether the operation may change anything: all methods except GET and HEAD, but for searches.
func (op operation) writes() bool {
	return op.method != http.MethodGet && op.method != http.MethodHead && !op.search
}

// problemFor turns a handler's error into the operation's answer.
func problemFor(ctx context.Context, op operation, err error) error {
	if err == nil || isNotModified(err) {
		return err
	}
	p := problemOf(err)
	if p.Blocking == (Blocking{}) {
		p.Blocking = blockingOf(ctx, err)
	}
	if p.Field == "" && slices.Contains(op.asNotFound, p.Code) {
		p.Status = http.StatusNotFound
	}
	p.RequestID = requestOf(ctx).id
	requestOf(ctx).refuse(p)
	return p
}

// checkDeclared returns a function that checks each code answered to a request against the codes that
// the operation declares.
func (a *server) checkDeclared(op operation) func(context.Context, db.Code) {
	return func(ctx context.Context, code db.Code) {
		if !slices.Contains(op.allCodes(), code) {
			a.log.ErrorContext(ctx, "undeclared code", "operation", op.id, "code", code)
			a.undeclared(op.id, code)
		}
	}
}

// entry returns the operation's entry in the document, with its middleware.
func (a *server) entry(op operation) huma.Operation {
	if !oneOf(op.anyone, len(op.roles) > 0, op.transition != "") {
		panic(fmt.Sprintf("operation %s must have exactly one security rule", op.id))
	}
	if op.replicas && (op.writes() || op.anyone || op.long) {
		panic(fmt.Sprintf("operation %s cannot be served by replicas", op.id))
	}
	described := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag},
		Summary: op.summary, Description: op.about, DefaultStatus: op.status,
		MaxBodyBytes: op.maxBody, BodyReadTimeout: a.bodyTimeout,
		Responses: a.declaredRefusals(op),
		Security:  []map[string][]string{{}}, // public
	}
	if op.mediaType != "" {
		text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		described.Responses["200"] = &huma.Response{Content: map[string]*huma.MediaType{op.mediaType: text}}
	}
	op.describeDryRun(&described)
	described.Middlewares = huma.Middlewares{a.begin(op)}
	if !op.anyone {
		described.Security = []map[string][]string{{"bearer": {}}}
		described.Description = strings.TrimSpace(op.about + "\n\n" + a.roleDescription(op))
		described.Middlewares = append(described.Middlewares, strictAuthorization, a.gate(op).pass)
	}
	if op.canRehearse() {
		described.Middlewares = append(described.Middlewares, readDryRun)
	}
	if op.deprecated != nil {
		op.deprecated.declareOn(&described)
		described.Middlewares = slices.Insert(described.Middlewares, 1, op.deprecated.tell(a, op))
	}
	described.Middlewares = append(described.Middlewares, strictPath, strictQuery, strictForms, strictHeaders)
	if op.replicas {
		described.Middlewares = append(described.Middlewares, strictConsistency)
	}
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

// begin records the operation of the request, and starts its time limit.
func (a *server) begin(op operation) func(huma.Context, func(huma.Context)) {
	declared := a.checkDeclared(op)
	return func(ctx huma.Context, next func(huma.Context)) {
		known := requestOf(ctx.Context())
		known.operation, known.readOnly = op.id, op.readOnly
		if known.partOf != nil { // whose time it takes, and whose codes it answers
			next(ctx)
			return
		}
		known.declared = declared
		limit := a.handlerTimeout
		if op.long {
			limit = 0
		}
		defer known.follow(limit)()
		next(ctx)
	}
}

// allCodes returns all codes that the operation can answer.
func (op operation) allCodes() []db.Code {
	codes := slices.Concat(op.codes, op.asNotFound, everyCode)
	if op.body {
		codes = append(codes, bodyCodes...)
	}
	if !op.anyone {
		codes = append(codes, db.Unauthenticated, concurrencyLimit)
		// A write is also forbidden if the role changed during the request.
		if len(op.roles) < len(everyRole) || op.transition != "" || op.writes() {
			codes = append(codes, db.Forbidden)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// roleDescription returns the description of the allowed roles. Those of a transition are in the dictionary.
func (a *server) roleDescription(op operation) string {
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
