// Package api serves package db over HTTP, described by an OpenAPI document from which clients are
// generated. Its handlers only translate: decode the request, make one call, encode the answer.
package api

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/api/docs"
	"waybill/db"
	"waybill/db/quota"
)

// Version is the version of the OpenAPI document.
const Version = "0.1.0"

// Options configure a server. The zero value is valid.
type Options struct {
	Log            *slog.Logger  // nil to discard
	Observe        Observer      // nil for none
	Lifetimes      db.Lifetimes  // of sessions
	PasswordCost   int           // bcrypt cost; 0 means 10
	HandlerTimeout time.Duration // of a whole request; 0 means 10 s
	LoginPause     time.Duration // delay before refusing a login whose password was not checked; 0 means 250 ms
	StreamPoll     time.Duration // how often to poll for new events while streams are open; 0 means 100 ms
	Streams        Limits        // open event streams; zeros mean 1024 in the process, 256 per tenant, 8 per user
	BodyTimeout    time.Duration // for reading a request body; 0 means 5 s, which is also the maximum
	FeedIdle       time.Duration // idle timeout of a feed; 0 means 30 s
	FeedTimeout    time.Duration // of a whole feed; 0 means 1 h
	Feeds          Limits        // feeds being read; zeros mean 8 in the process, 4 per tenant, 2 per user
	BodyMemory     int64         // bytes of bodies held at once; 0 means BodyMemory, the minimum is MinBodyMemory
	// WebhookAllowPrivate accepts webhook endpoints of plain http.
	WebhookAllowPrivate bool
	// TrustedProxies are the proxies whose X-Forwarded-For header is trusted.
	TrustedProxies []netip.Prefix
	// Origins are the origins of pages that may call the API from a browser; see ParseOrigins. None by default.
	Origins []string
	// Undeclared is called for a code that an operation answered but does not declare in its document:
	// tests fail on it.
	Undeclared func(operation string, code db.Code)
}

// bodyTimeout is shorter than the handler timeout, which includes reading the body.
const bodyTimeout = 5 * time.Second

// server holds the state shared by the handlers.
type server struct {
	huma           huma.API
	mux            *http.ServeMux
	writes         map[string]operation // those that a batch can contain, by id
	store          *db.Store
	log            *slog.Logger
	lifetimes      db.Lifetimes
	passwords      *passwords
	trustedProxies []netip.Prefix
	handlerTimeout time.Duration
	bodyTimeout    time.Duration
	loginPause     time.Duration
	feedIdle       time.Duration
	feedTimeout    time.Duration
	undeclared     func(string, db.Code)
	rules          []db.ListTransitionsRow             // the dictionary of transitions
	dictionary     map[db.TransitionName][]db.UserRole // the roles that may make each transition
	draining       chan struct{}                       // closed when /readyz fails
	stopping       chan struct{}                       // closed when the streams end
	streams        *shares[uuid.UUID]                  // open event streams
	events         *eventWatch
	feeds          *shares[uuid.UUID] // feeds being read
	bodies         *quota.Quota       // bytes of request bodies
	plainWebhooks  bool               // whether endpoints may be of plain http
	docs           *docs.Site
}

// API is the HTTP handler.
type API struct {
	http.Handler
	server *server
}

// Drain makes /readyz fail, for a server about to stop. It must be called only once.
func (a *API) Drain() { close(a.server.draining) }

// EndStreams ends the event streams, whose clients are told to connect again at once: when no load balancer
// brings them back here. It must be called only once.
func (a *API) EndStreams() { close(a.server.stopping) }

// OpenStreams returns the number of open event streams.
func (a *API) OpenStreams() int { return a.server.streams.inUse() }

// StreamLag returns the age of the time up to which all committed events have been sent; 0 while no
// stream is open.
func (a *API) StreamLag() time.Duration { return a.server.events.behind() }

// New returns the API for a store. Without a store (nil) it serves only its document.
func New(ctx context.Context, store *db.Store, o Options) (*API, error) {
	a := newServer(store, o)
	if err := a.readDictionary(ctx); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	a.mux = mux
	a.huma = humago.New(mux, config())
	a.registerAll()
	a.docs = newDocs(a.huma.OpenAPI())
	a.serveDocuments(mux)
	mux.HandleFunc("/", unknownPath(mux))
	observe := o.Observe
	if observe == nil {
		observe = func(string, int, string, time.Duration) {}
	}
	return &API{observed(a.log, observe, crossOrigin(o.Origins, a.huma.OpenAPI(), cleanPaths(mux))), a}, nil
}

func newServer(store *db.Store, o Options) *server {
	a := &server{
		store: store, writes: map[string]operation{}, log: o.Log, lifetimes: o.Lifetimes.WithDefaults(),
		handlerTimeout: o.HandlerTimeout,
		bodyTimeout:    min(cmp.Or(o.BodyTimeout, bodyTimeout), bodyTimeout),
		undeclared:     o.Undeclared, draining: make(chan struct{}), stopping: make(chan struct{}),
		loginPause:    cmp.Or(o.LoginPause, loginPause),
		streams:       newShares[uuid.UUID]("event streams", o.Streams.withDefaults(streamsAtOnce)),
		events:        newEventWatch(store, cmp.Or(o.StreamPoll, 100*time.Millisecond)),
		feeds:         newShares[uuid.UUID]("feeds", o.Feeds.withDefaults(feedsAtOnce)),
		bodies:        newBodies(max(cmp.Or(o.BodyMemory, BodyMemory), MinBodyMemory)),
		plainWebhooks: o.WebhookAllowPrivate,
		feedIdle:      cmp.Or(o.FeedIdle, 30*time.Second), feedTimeout: cmp.Or(o.FeedTimeout, time.Hour),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.handlerTimeout == 0 {
		a.handlerTimeout = 10 * time.Second
	}
	if a.undeclared == nil {
		a.undeclared = func(string, db.Code) {}
	}
	cost := o.PasswordCost
	if cost == 0 {
		cost = bcrypt.DefaultCost
	}
	a.passwords, a.trustedProxies = newPasswords(cost), o.TrustedProxies
	return a
}

// guide is what a developer needs to know before the first request.
//
//go:embed guide.md
var guide string

func config() huma.Config {
	c := huma.DefaultConfig("Waybill", Version)
	c.CreateHooks = nil
	describeTypes(c.Components.Schemas)
	c.SchemasPath, c.OpenAPIPath, c.DocsPath = "", "", ""
	c.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	c.RejectUnknownQueryParameters = true
	c.Info.Description = guide
	c.Info.Contact = &huma.Contact{Name: "Waybill"}
	c.Info.License = &huma.License{Name: "Apache-2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"}
	c.Servers = []*huma.Server{{URL: devURL, Description: devDescription}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "The token returned by login"},
	}
	c.Tags = tags()
	return c
}

func init() {
	huma.DefaultArrayNullable = false
	// Go's decoder ignores the case of names: a name in another case would bypass huma's validation.
	huma.ValidateStrictCasing = true
}

// tags returns the document's chapters, in the order in which a newcomer needs them.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "sessions", Description: "Logging in and out"},
		{Name: "pickups", Description: "The pickups, their transitions and their events"},
		{Name: "appointments", Description: "Appointments from the facilities' records, and the feeds that load " +
			"them"},
		{Name: "patients", Description: "Patients, their consents, and the audit log of reads"},
		{Name: "drivers", Description: "Drivers, their duty and location"},
		{Name: "accounts", Description: "Balances, charges and deposits"},
		{Name: "facilities", Description: "Clinics and labs"},
		{Name: "groups", Description: "Groups of users and the facilities they can see"},
		{Name: "users", Description: "Staff and their phone numbers"},
		{Name: "flags", Description: "Feature flags of the tenant"},
		{Name: "webhooks", Description: "Events of pickups, sent to endpoints of the tenant, and what Waybill " +
			"asks of the gateway that sends its texts"},
		{Name: "jobs", Description: "What is done in the background"},
		{Name: "batches", Description: "Several writes at once"},
		{Name: "service", Description: "The server itself"},
	}
}

func (a *server) registerAll() {
	a.registerSessions()
	a.registerUsers()
	a.registerPhoneNumbers()
	a.registerFacilities()
	a.registerGroups()
	a.registerFlags()
	a.registerWebhookEndpoints()
	a.registerWebhookDeliveries()
	a.registerAccounts()
	a.registerDrivers()
	a.registerPickups()
	a.registerPickupCounts()
	a.registerTransitions()
	a.registerPickupEvents()
	a.registerPatients()
	a.registerPatientFacilities()
	a.registerPHIReads()
	a.registerMessages()
	a.registerAppointments()
	a.registerAppointmentFeeds()
	a.registerFeedReports()
	a.registerStuckJobs()
	a.registerService()
	a.registerBatches()
	a.describeBatch()
	a.describeWebhooks()
	finishDocument(a.huma.OpenAPI())
}

// Document returns the OpenAPI document, 3.1 or 3.0, as indented JSON.
func (a *API) Document(version string) ([]byte, error) {
	if version == "3.0" {
		document, err := downgrade(a.server.huma.OpenAPI())
		if err != nil {
			return nil, err
		}
		return json.MarshalIndent(document, "", "  ")
	}
	return json.MarshalIndent(a.server.huma.OpenAPI(), "", "  ")
}

// DocumentYAML returns the OpenAPI 3.1 document as YAML: the snapshot in the repository.
func (a *API) DocumentYAML() ([]byte, error) { return a.server.huma.OpenAPI().YAML() }

// cleanPaths answers unclean paths, which http.ServeMux would redirect.
func cleanPaths(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isClean(r.URL.EscapedPath()) {
			serveProblem(r.Context(), w, noSuchPath())
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// unknownPath answers requests that match no operation, which http.ServeMux would answer in plain text.
// It is registered in the mux as "/": a separate lookup beforehand would match each path twice.
func unknownPath(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		registered := methodsOf(mux, r)
		if len(registered) == 0 {
			serveProblem(r.Context(), w, noSuchPath())
			return
		}
		allowed := slices.Sorted(slices.Values(append(registered, http.MethodOptions)))
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		named := slices.DeleteFunc(registered, func(method string) bool { return method == http.MethodHead })
		serveProblem(r.Context(), w, problem(methodNotAllowed, "", "Allowed methods: "+strings.Join(named, ", ")+"."))
	}
}

// methodsOf returns the methods that are registered for a request's path.
func methodsOf(mux *http.ServeMux, r *http.Request) (has []string) {
	for _, method := range methods {
		if _, pattern := mux.Handler(&http.Request{Method: method, Host: r.Host, URL: r.URL}); pattern != "/" {
			has = append(has, method)
		}
	}
	return has
}

func noSuchPath() *Problem { return problem(db.NotFound, "", "No operation has this path.") }

// isClean reports whether a path contains no "//", "/./" or "/../".
func isClean(escaped string) bool {
	return strings.HasPrefix(escaped, "/") && (path.Clean(escaped) == escaped || path.Clean(escaped)+"/" == escaped)
}
