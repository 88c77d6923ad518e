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
	// BodyMemory is how many bytes of bodies are read and held at once, by default. What is
	// made of a body takes some four times as much.
	BodyMemory = 32 << 20
	// MinBodyMemory leaves a user, who may hold a quarter, the largest body that there is.
	MinBodyMemory = 4 * maxBatchBody

	maxBatchBody = 4 << 20
	smallBody    = 16 << 10        // not counted: no more than the rest of a request takes
	bodyWait     = 2 * time.Second // for others' bodies to be done with
)

// newBodies shares the memory for bodies: half of it to a tenant, a quarter to a user.
func newBodies(bytes int64) *quota.Quota {
	return quota.New(quota.Limits{Whole: bytes, PerTenant: bytes / 2, PerUser: bytes / 4})
}

// admitBody lets a body be read when there is room for it, by the length that it says it
// has, or the most that it may have. Until then nothing of it is read. A feed is no such
// body: it is never held as a whole.
func (a *server) admitBody(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	length := r.ContentLength
	if length < 0 {
		length = ctx.Operation().MaxBodyBytes
	}
	if length <= smallBody {
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
			"The bodies that you send at once are larger than those of one user or one tenant may be.")
	}
	return problem(db.Overloaded, "", "The server reads as many large bodies as it has room for.")
}
