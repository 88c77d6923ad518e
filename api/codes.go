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
	notAcceptable        db.Code = "not_acceptable"
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
	advice string // advice for the client, shown on the code's page
}

// meanings maps each code to its status and its page. No error status is written anywhere else.
var meanings = map[db.Code]meaning{
	db.AccountNotForFacility: {409, "Account not for this facility",
		"Staff of the pickup's facility may not charge the account.",
		"Use an account that list-accounts shows for the facility, or ask an admin to list the facility for the " +
			"account " +
			"with add-account-facility."},
	db.AccountNotFound: {422, "Account not found",
		"No account has the id in the body.",
		"Use an account from list-accounts."},
	db.BalanceTooLarge: {409, "Balance too large",
		"The balance would exceed 9007199254740991 cents.",
		"Nothing was booked. Larger balances cannot be represented exactly by every client."},
	bodyTooLarge: {http.StatusRequestEntityTooLarge, "Request body too large",
		"The body is larger than this operation accepts.",
		"Send less data per request. The limit is 1 MiB unless the operation says otherwise."},
	concurrencyLimit: {http.StatusTooManyRequests, "Too many concurrent requests",
		"You have reached the limit of concurrent requests for one user or one tenant.",
		"Wait until one of your requests has finished, or end one, and send the request again."},
	db.DriverBusy: {409, "Driver busy",
		"The driver is assigned to another pickup.",
		"Choose another driver, release the other pickup, or use dispatch-pickup."},
	db.DriverNotFound: {422, "Driver not found",
		"No driver has the id in the body.",
		"Use a driver from list-drivers."},
	db.DriverUserTaken: {409, "User already linked to a driver",
		"The user is already the login of another driver.",
		"A user can be the login of only one driver: remove it from the other driver first."},
	db.EmailTaken: {409, "Email address taken",
		"Another user of the tenant has this email address.",
		"Email addresses are unique within the tenant, regardless of case."},
	db.EmptyFeed: {422, "Empty list",
		"The list has no records, and would cancel all upcoming appointments.",
		"If this is intended, set allow_empty=true."},
	db.ExternalIDTaken: {409, "External id taken",
		"Another patient of the facility has this external id.",
		"An external id identifies one patient of a facility: use that patient, or omit the external id."},
	db.FacilityNotFound: {422, "Facility not found",
		"No facility that you can see has the id in the request.",
		"Use a facility from list-facilities. Facilities that you may not see are reported as not found. The " +
			"status is 422 for an id in the body, and 404 for an id in the path."},
	db.Forbidden: {403, "Forbidden",
		"Your role does not permit this operation.",
		"Ask an admin of the tenant. If your role, or your driver, was changed during the request, send it again: " +
			"it is checked with your current permissions."},
	db.IDReused: {409, "Id already used",
		"The id was used for a different request, or for a resource that you cannot see.",
		"Repeating the same request with the same id is a safe retry. Use a new id for a new request."},
	db.IdempotencyKeyReused: {422, "Idempotency-Key already used",
		"The Idempotency-Key was used for a different request: with another body, for another transition of the " +
			"pickup, or for a resource that you cannot see any more.",
		"Use a new key for each operation, and the same key for its retries."},
	db.IllegalTransition: {409, "Illegal transition",
		"This transition is not allowed from the pickup's current status.",
		"See current_status and allowed. Read the pickup again, since it may have changed."},
	db.InsufficientFunds: {409, "Insufficient funds",
		"The account's balance does not cover the amount.",
		"Nothing was charged, and the id can be used again: deposit money, and send the same request again."},
	db.Internal: {500, "Internal error",
		"The server failed to process the request.",
		"Contact support with the request_id. To find out whether a write took effect, retry it with the same id or " +
			"key."},
	db.LastAdmin: {409, "Last admin of the tenant",
		"The user is the only active admin of the tenant, and cannot be deactivated or given another role.",
		"Make another user an admin first, or reactivate one."},
	methodNotAllowed: {http.StatusMethodNotAllowed, "Method not allowed",
		"This path does not support the method.",
		"The Allow header lists the supported methods."},
	db.LastFacility: {409, "Last facility of the patient",
		"No other facility may see the patient, who would become unreachable.",
		"Allow another facility first. It counts even if none of its groups has a member: an admin can add one."},
	db.MassCancellation: {409, "Mass cancellation",
		"The list omits more of the facility's current appointments than its max_cancel_share allows it to cancel.",
		"Nothing was changed: send the complete list. If this is intended, set allow_mass_cancel=true; an admin can " +
			"change the share with edit-facility."},
	db.MessageNotFailed: {409, "Text not failed",
		"The text is queued or was sent: only a text that has failed can be sent again.",
		"Read the texts of the pickup again, since it may have been sent meanwhile."},
	db.NoPhoneNumber: {409, "No phone number",
		"The requester of the pickup had no phone number when the text was owed, so that it cannot be sent.",
		"Add a phone number to the user with add-phone-number: later texts are sent to it."},
	db.NoDriverFree: {409, "No driver available",
		"No driver is on duty, free, and has a known location.",
		"Try again later, or assign a specific driver with assign-pickup."},
	notAcceptable: {http.StatusNotAcceptable, "Not acceptable",
		"This operation cannot answer with any media type that the Accept header accepts.",
		"Accept a media type that the operation documents, or omit the header."},
	db.NotEditable: {409, "Pickup not editable",
		"A pickup can only be edited in DRAFT.",
		"Cancel the pickup and create another."},
	db.NotFound: {404, "Not found",
		"The resource does not exist, or you may not see it.",
		"Check the path. Resources that you may not see are reported as not found."},
	db.Overloaded: {503, "Server overloaded",
		"The server is too busy to process the request.",
		"Retry after the number of seconds in Retry-After."},
	db.PasswordChanged: {409, "Password changed",
		"The password was changed concurrently, or the user was deactivated.",
		"Nothing was changed. Log in again, and check whether the change is still needed."},
	db.PatientNotFound: {422, "Patient not found",
		"No patient that you can see has the id in the body.",
		"Use a patient from list-patients. Patients that you may not see are reported as not found."},
	db.PhoneNumberTaken: {409, "Phone number taken",
		"Another user of the tenant has this phone number.",
		"A phone number belongs to one user: remove it from the other user first."},
	preconditionRequired: {http.StatusPreconditionRequired, "If-Match required",
		"This edit requires an If-Match header with the ETag of the row that it is based on.",
		"Read the row, and send its ETag with the edit, so that it cannot overwrite a change that you have not read."},
	db.PriceBelowRefunds: {409, "Price below refunds",
		"More than the new price of the pickup was refunded already.",
		"Nothing was changed. Choose a price that is at least what was refunded."},
	db.RefundTooLarge: {409, "Refund too large",
		"The amount is more than what is charged for the pickup, without what was refunded already.",
		"Nothing was refunded. Read the pickup again: charged_cents is the most that can be refunded."},
	rangeTooWide: {422, "Time range too wide",
		"from and to are more than 31 days and one hour apart.",
		"Request a shorter range."},
	db.RateLimited: {http.StatusTooManyRequests, "Too many failed logins",
		"There were too many failed logins.",
		"Retry after the number of seconds in Retry-After."},
	readOnlyField: {422, "Read-only member",
		"The body contains a member that this operation returns but does not accept.",
		"Send only the members listed in detail. Other members are changed by operations of their own, if at all."},
	db.RecordsMismatch: {422, "Record count mismatch",
		"The number of records in the list differs from the parameter records.",
		"Nothing was changed. The list may have been truncated in transit: send it again."},
	requestTimeout: {http.StatusRequestTimeout, "Request timeout",
		"The body did not arrive in time.",
		"Send it again over a faster connection, or in smaller parts."},
	db.StaleVersion: {http.StatusPreconditionFailed, "Stale version",
		"The row has changed since the version in If-Match.",
		"Read the row again, apply your change to the current version, and send it with the new ETag."},
	db.StorageFull: {503, "Storage full",
		"The database has no storage left for the write.",
		"Nothing was changed. Retry after the number of seconds in Retry-After; the operators must free storage."},
	db.StreamRestarted: {http.StatusGone, "Stream restarted",
		"The position is not one of the current history of events: the database was restored, or another server took " +
			"over. Events after the position may be lost, and others may follow that you have not received.",
		"Start without a position. When the stream is open, read again what you keep of the pickups."},
	db.Timeout: {http.StatusGatewayTimeout, "Timeout",
		"The request was canceled after its time limit.",
		"A write may or may not have taken effect: retry it with the same id or Idempotency-Key."},
	db.Unauthenticated: {401, "Unauthenticated",
		"The request has no valid session.",
		"Log in. A session ends when it expires, is revoked, or its user's password changes."},
	db.Unavailable: {503, "Database unavailable",
		"The server cannot reach its database, or the database accepts no writes.",
		"Retry after the number of seconds in Retry-After."},
	unknownField: {422, "Unknown member",
		"The body contains a member that this operation does not know.",
		"Unknown members are never ignored: remove it, or look up its name in the API documentation."},
	unknownParameter: {422, "Unknown parameter",
		"The query contains a parameter that this operation does not know.",
		"Unknown parameters are never ignored: remove it, or look up its name in the API documentation."},
	unreadableBody: {400, "Unreadable body",
		"The body is not one complete JSON text in UTF-8.",
		"Check the encoding, and that nothing follows the JSON text."},
	unsupportedMediaType: {http.StatusUnsupportedMediaType, "Unsupported media type",
		"This operation does not accept the body's Content-Type, or the body is compressed.",
		"Send a media type that the operation documents, usually application/json."},
	db.UserNotFound: {422, "User not found",
		"No user has the id in the request.",
		"Use a user from list-users. The status is 422 for an id in the body, and 404 for an id in the path."},
	db.ValidationFailed: {422, "Validation failed",
		"The request contains an invalid value.",
		"See field and detail."},
}

// bodyCodes are the codes that any operation with a body can answer.
var bodyCodes = []db.Code{bodyTooLarge, unsupportedMediaType, requestTimeout}

// everyCode are the codes that any operation can answer.
var everyCode = []db.Code{unreadableBody, unknownField, unknownParameter, db.ValidationFailed, db.Internal,
	db.Overloaded, db.Unavailable, db.StorageFull, db.Timeout}
