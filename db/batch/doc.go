// Package batch lets concurrent requests of one kind share statements (group commit).
//
// Relative and conditional updates compose: one statement can serve many requests, and
// give each the answer that it would have got alone. While one batch is in flight, the
// next requests gather. No timer is involved: a request that meets no other starts at
// once, on its caller's goroutine.
//
//	     Do                      Do    Do    Do
//	     │ nothing is            │     │     │ a batch is
//	     │ in flight             ▼     ▼     ▼ in flight
//	     │                       queue: they gather
//	     │                             │ the batch finishes, or is slow,
//	     ▼                             ▼ or enough requests wait
//	start a batch of one         collect: no two requests with one own row
//	     └──────────────┬──────────────┘
//	                    ▼
//	      Flush: one statement, one commit
//	                    │
//	                    ├─ no error ───► an answer for each request, after the commit
//	                    ├─ Deadlock ───► the same batch again, a few times
//	                    ├─ Rejected ───► rolled back. Split in halves until the offender is
//	                    │                alone: it gets the error, and its caller's next
//	                    │                requests are kept apart, in quarantine
//	                    ├─ Revoked, ───► likewise, without the quarantine
//	                    │  Failed
//	                    ├─ LockTimeout ► rolled back. Sent again in the form that skips locked
//	                    │                rows; if that times out too, or there is none, split
//	                    │                in halves, in parallel: only who needs the locked
//	                    │                row waits on, alone
//	                    ├─ Unavailable ► the error for each request
//	                    └─ Unknown ────► Resolve for each request
//
// While PostgreSQL works on a batch, the process would idle, and the other way round.
// Another starts beside it if as many requests wait as it has, and not only a few: two
// batches cost nearly as much again as one with the requests of both. Another starts,
// too, if it is slow: it may be waiting for a lock.
//
// Two requests that need one own row never share a batch, nor are both in flight: they
// are served in the order in which they came.
//
// The package knows nothing of the rows. Its user states them as keys, and classifies
// the errors of its statements.
package batch
