package api

import (
	"net/http"

	"waybill/db"
)

// The codes of requests that do not reach the database.
const (
	bodyTooLarge         db.Code = "body_too_large"
	concurrencyLimit             = db.ConcurrencyLimit
	methodNotAllowed     db.Code = "method_not_allowed"
	passwordChanged      db.Code = "password_changed"
	preconditionRequired db.Code = "precondition_required"
	rangeTooWide         db.Code = "range_too_wide"
	readOnlyField        db.Code = "read_only_field"
	requestTimeout       db.Code = "request_timeout"
	unknownField         db.Code = "unknown_field"
	unknownParameter     db.Code = "unknown_parameter"
	unreadableBody       db.Code = "unreadable_body"
	unsupportedMediaType db.Code = "unsupported_media_type"
)

// meaning is the HTTP status and the documentation of a code.
type meaning struct {
	status int
	title  string
	detail string // default detail of a response
	advice string // what a client should do, shown on the code's page
}

// meanings maps each code to its status and its page. No error status is written anywhere else.
var meanings = map[db.Code]meaning{
	db.AccountNotFound: {422, "No such account",
		"The body names an account that is not there.",
		"Choose one that list-accounts shows."},
	db.BalanceTooLarge: {409, "The balance would be too large",
		"The balance would pass 9007199254740991 cents.",
		"Nothing was booked. Larger balances cannot be counted exactly by every client."},
	bodyTooLarge: {http.StatusRequestEntityTooLarge, "The body is too large",
		"The body is larger than this operation takes.",
		"Send less at once: the limit is 1 MiB unless the operation says otherwise."},
	concurrencyLimit: {http.StatusTooManyRequests, "Too many of yours at once",
		"You have as many of these under way as one user or one tenant may have.",
		"End one of them, or wait until one has ended, and send the request again."},
	db.DriverBusy: {409, "The driver is busy",
		"The driver has another pickup assigned.",
		"Choose another driver, release the other pickup, or let dispatch choose."},
	db.DriverNotFound: {422, "No such driver",
		"The body names a driver that is not there.",
		"Choose one that list-drivers shows."},
	db.DriverUserTaken: {409, "The user is another driver's login",
		"The user is the login of another driver already.",
		"A user is the login of one driver at most: take it from the other one first."},
	db.EmailTaken: {409, "The email address is taken",
		"Another user of the tenant has this email address.",
		"Addresses are unique in the tenant, whatever their case."},
	db.EmptyFeed: {422, "The list is empty",
		"The list has no record, and would cancel all that is to come.",
		"If that is meant, say so with allow_empty=true."},
	db.ExternalIDTaken: {409, "The external id is taken",
		"Another patient of the facility has this external id.",
		"An external id names one patient of a facility: find them there, or leave it out."},
	db.FacilityNotFound: {422, "No such facility",
		"The request names a facility that is not there.",
		"Choose one that list-facilities shows. One that you may not see is one that is not there. 422 where the " +
			"body names it, 404 where the path does."},
	db.Forbidden: {403, "Not allowed",
		"Your role may not do this.",
		"Ask an admin of the tenant. If your role, or the driver that you are, was changed while the request was " +
			"under way, send it again: it is judged by what you are now."},
	db.IDReused: {409, "The id belongs to another request",
		"The id was used for a request that differs from this one, or for what is not yours to see.",
		"The same id with the same request is a safe retry. For a new request, take a new id."},
	db.IdempotencyKeyReused: {422, "The Idempotency-Key belongs to another request",
		"The Idempotency-Key was used for another request: with another body, or for another transition of the " +
			"pickup. So it is, too, where what it made is not yours to see any more.",
		"Take a new key for each thing that you want done, and keep it for its retries."},
	db.IllegalTransition: {409, "The transition does not start here",
		"The pickup is in a status where this transition does not start.",
		"See current_status and allowed; read the pickup again, since it may have moved meanwhile."},
	db.InsufficientFunds: {409, "Not enough money",
		"The account's balance does not cover the amount.",
		"Nothing was charged and the id is not used up: deposit, and send the same request again."},
	db.Internal: {500, "Something is wrong on our side",
		"The request could not be carried out.",
		"Tell us the request_id. Whether a write took effect can be seen by sending it again with the same id or key."},
	db.LastAdmin: {409, "The tenant would have no admin",
		"The user is the only active admin of the tenant, who is neither deactivated nor given another role.",
		"Make another user an admin first, or reactivate one."},
	methodNotAllowed: {http.StatusMethodNotAllowed, "The path has no such method",
		"The path exists, but not with this method.",
		"The Allow header lists the methods of the path."},
	db.LastFacility: {409, "The last facility that sees the patient",
		"No other facility is allowed to see the patient: nobody could reach them any more.",
		"Allow another facility first. One is allowed though none of its groups has a member now: an admin can put " +
			"one in."},
	db.MassCancellation: {409, "The list would cancel too much",
		"The list lacks more of the facility's current appointments than its max_cancel_share lets it cancel.",
		"Nothing was changed: send the whole list. If that is what is meant, say so with allow_mass_cancel=true; an " +
			"admin sets the share by edit-facility."},
	db.NoDriverFree: {409, "No driver is free",
		"No driver is on duty, with a known place, and free.",
		"Try again later, or assign a driver by name."},
	db.NotEditable: {409, "The pickup is no draft any more",
		"A pickup is edited in DRAFT only.",
		"Cancel it and create another."},
	db.NotFound: {404, "Not found",
		"There is no such thing here, or it is not yours to see.",
		"Check the path. What you may not see answers exactly like what is not there."},
	db.Overloaded: {503, "Too busy",
		"The server is too busy to take this request now.",
		"Send it again after Retry-After seconds."},
	passwordChanged: {409, "The password has changed",
		"The password was changed by somebody else meanwhile, or the user deactivated.",
		"Nothing was changed. Log in again, and see whether the change is still wanted."},
	db.PatientNotFound: {422, "No such patient",
		"The body names a patient that is not there.",
		"Choose one that list-patients shows. One that you may not see is one that is not there."},
	db.PhoneNumberTaken: {409, "The phone number is taken",
		"Another user of the tenant has this phone number.",
		"A number belongs to one user: remove it there first."},
	preconditionRequired: {http.StatusPreconditionRequired, "If-Match is required",
		"This edit needs an If-Match header with the ETag of the row that was seen.",
		"Read the row, and send its ETag with the edit, so that nobody's change is overwritten unseen."},
	rangeTooWide: {422, "The range is too wide",
		"from and to are more than 31 days and one hour apart.",
		"Ask for less at once."},
	db.RateLimited: {http.StatusTooManyRequests, "Too many failed logins",
		"After several failed logins the next one has to wait.",
		"Try again after Retry-After seconds."},
	readOnlyField: {422, "The member is read-only",
		"The body has a member that this operation answers with and does not take.",
		"Send what is to be written alone: detail lists it. To change the rest there are operations of its own, " +
			"or none."},
	db.RecordsMismatch: {422, "The list is not as long as said",
		"The list has another number of records than the parameter records says.",
		"Nothing was changed. A list that was cut on its way may look whole: send it again."},
	requestTimeout: {http.StatusRequestTimeout, "The body came too slowly",
		"The body was not whole in time.",
		"Send it again over a better line, or in smaller parts."},
	db.StaleVersion: {http.StatusPreconditionFailed, "The row has changed",
		"The row is not what it was when the If-Match was read.",
		"Read it again, apply the change to what is there now, and send it with the new ETag."},
	db.Timeout: {http.StatusGatewayTimeout, "It took too long",
		"The request was given up after its time limit.",
		"A write may or may not have taken effect: send it again with the same id or Idempotency-Key."},
	db.Unauthenticated: {401, "Not logged in",
		"There is no good session for this request.",
		"Log in. A session ends when it expires, is revoked, or its user's password changes."},
	db.Unavailable: {503, "The database is not available",
		"The server cannot reach its database now, or the database takes no writes.",
		"Send it again after Retry-After seconds."},
	unknownField: {422, "Unknown member in the body",
		"The body has a member that this operation does not know.",
		"Nothing is ignored in silence: leave it out, or see the document for its right name."},
	unknownParameter: {422, "Unknown parameter",
		"The query has a parameter that this operation does not know.",
		"Nothing is ignored in silence: leave it out, or see the document for its right name."},
	unreadableBody: {400, "The body cannot be read",
		"The body is not one whole JSON text in UTF-8.",
		"Check the encoding, and that nothing follows the JSON text."},
	unsupportedMediaType: {http.StatusUnsupportedMediaType, "Unsupported media type",
		"The body's Content-Type is not one that this operation takes, or the body is compressed.",
		"Send one that the document has for the operation, application/json as a rule."},
	db.UserNotFound: {422, "No such user",
		"The request names a user that is not there.",
		"Choose one that list-users shows. 422 where the body names the user, 404 where the path does."},
	db.ValidationFailed: {422, "The request is not valid",
		"Something in the request has a value that it may not have.",
		"See field and detail."},
}

// bodyCodes are the codes that any operation with a body can answer.
var bodyCodes = []db.Code{unreadableBody, bodyTooLarge, unsupportedMediaType,
	unknownField, requestTimeout, db.ValidationFailed}

// everyCode are the codes that any operation can answer.
var everyCode = []db.Code{unknownParameter, db.ValidationFailed, db.Internal, db.Overloaded, db.Unavailable, db.Timeout}
