package api

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
	"waybill/db/quota"
)

const (
	// BodyMemory is the default limit on bytes of request bodies held at once. A decoded body takes
	// about four times its size.
	BodyMemory = 32 << 20
	// MinBodyMemory lets a user, who may hold a quarter, send the largest body.
	MinBodyMemory = 4 * maxBatchBody

	maxBatchBody = 4 << 20
	smallBody    = 16 << 10        // not counted: no more than the rest of a request
	bodyWait     = 2 * time.Second // for other bodies to be released
)

// newBodies returns the quota for request bodies: half of it for a tenant, a quarter for a user.
func newBodies(bytes int64) *quota.Quota {
	return quota.New(quota.Limits{Whole: bytes, PerTenant: bytes / 2, PerUser: bytes / 4})
}

// admitBody waits until there is memory for the body, by its Content-Length or the operation's limit.
// Nothing of the body is read before. Feeds are exempt: they are never held as a whole.
func (a *server) admitBody(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	length := r.ContentLength
	if length < 0 {
		length = ctx.Operation().MaxBodyBytes
	}
	if length <= smallBody || requestOf(ctx.Context()).partOf != nil { // counted with its batch
		next(ctx)
		return
	}
	v := viewerOf(ctx.Context())
	waiting, cancel := context.WithTimeout(ctx.Context(), bodyWait)
	release, err := a.bodies.Take(waiting, v.TenantID, v.UserID, length)
	cancel()
	if err != nil {
		writeProblem(ctx, noRoom(err))
		return
	}
	defer release()
	next(ctx)
}

func noRoom(err error) *Problem {
	if errors.Is(err, quota.ErrShare) {
		return problem(concurrencyLimit, "",
			"Your concurrent request bodies exceed the memory for one user or one tenant.")
	}
	return problem(db.Overloaded, "", "The server has no memory left for large request bodies.")
}
