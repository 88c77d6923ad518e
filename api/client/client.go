// Package client calls Waybill over HTTP. "task generate" writes client.gen.go from
// api/openapi.yaml; the document says what each operation does.
//
//	c, err := client.NewClientWithResponses(url, client.WithToken(token))
//	…
//	res, err := c.AssignPickupWithResponse(ctx, pickupID, nil, client.Assignment{DriverID: driverID})
//	if err != nil {
//		return err // no answer
//	}
//	if p := res.ApplicationProblemJSONDefault; p != nil {
//		switch p.Code {
//		case client.ErrorCodeDriverBusy: // choose another
//		case client.ErrorCodeIllegalTransition: // see p.CurrentStatus
//		default:
//			return p
//		}
//	}
//	pickup := res.JSON200
//
// A create answers JSON201, and JSON200 when an earlier try of the same request made
// the row. Where not Waybill but a proxy answered, all of them are nil; StatusCode is
// what it said.
package client

import (
	"context"
	"net/http"
)

// WithToken adds the token of a login to each request, and has the client read what it wrote also where replicas serve
// reads: it keeps the newest Waybill-Consistency of the answers and sends it. WithHTTPClient comes before it.
func WithToken(token string) ClientOption {
	return func(c *Client) error {
		keepConsistency(c)
		return WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		})(c)
	}
}

// Error implements error.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }
