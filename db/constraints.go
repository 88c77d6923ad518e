package db

import "strings"

// violation is the meaning of a violated constraint.
type violation struct {
	code  Code
	field string
}

// violationOf returns the meaning of a constraint: what violations says, else what its name says. ok is false if
// neither says anything.
func violationOf(table, constraint string) (v violation, ok bool) {
	if v, ok = violations[constraint]; ok {
		return v, true
	}
	return conventional(table, constraint)
}

// conventional returns what the name of a constraint says:
//
//   - TABLE_pkey: the id is another row's. It is violated only if two requests with one id race.
//   - TABLE_tenant_fkey: there is no such tenant.
//   - TABLE_COLUMN_check: the value is not one of the column, which is the member of that name.
//
// A test compares it with the catalog: a primary key that is no id, a check of several columns or of one that clients
// do not see, and every other constraint is to be in violations. The tables of goose and River have other conventions.
func conventional(table, constraint string) (v violation, ok bool) {
	rest, ok := strings.CutPrefix(constraint, table+"_")
	switch column, isCheck := strings.CutSuffix(rest, "_check"); {
	case !ok, strings.HasPrefix(table, "river_"), strings.HasPrefix(table, "goose_"):
		return v, false
	case rest == "pkey":
		return violation{IDReused, "id"}, true
	case rest == "tenant_fkey":
		return violation{NotFound, ""}, true
	case isCheck:
		return violation{ValidationFailed, column}, true
	}
	return v, false
}

// violations has every constraint whose name does not say its meaning.
var violations = map[string]violation{
	"tenants_slug_key": {SlugTaken, "slug"},

	"flags_pkey":       {IDReused, "name"},
	"flags_name_check": {NotFound, ""},

	"users_email_folded_key": {EmailTaken, "email"},
	"user_terms_pkey":        {Internal, ""}, // inserted with the user by a trigger

	"phone_numbers_user_fkey":  {UserNotFound, ""}, // the path identifies the user
	"phone_numbers_number_key": {PhoneNumberTaken, "number"},

	"sessions_pkey":             {Internal, ""}, // a collision of 256 random bits
	"sessions_user_fkey":        {Unauthenticated, ""},
	"sessions_token_hash_check": {Internal, ""},

	"login_attempts_pkey":      {Internal, ""}, // the inserting statements handle conflicts
	"login_attempts_key_check": {Internal, ""},
	"login_buckets_pkey":       {Internal, ""},
	"login_buckets_key_check":  {Internal, ""},

	"webhook_endpoints_secret_check":        {Internal, ""}, // the statements set both
	"webhook_endpoints_former_secret_check": {Internal, ""},

	"webhook_endpoint_counts_pkey":            {Internal, ""}, // the inserting statement handles conflicts
	"webhook_endpoint_counts_endpoints_check": {WebhookEndpointLimit, ""},

	"webhook_queues_pkey":                   {Internal, ""}, // the inserting statements handle conflicts
	"webhook_queues_endpoint_fkey":          {NotFound, ""},
	"webhook_queues_pending_check":          {Internal, ""}, // settled once for each delivery
	"webhook_deliveries_pkey":               {Internal, ""}, // each event is taken once
	"webhook_deliveries_endpoint_fkey":      {NotFound, ""},
	"webhook_deliveries_next_attempt_check": {Internal, ""},

	"backfills_pkey":           {Internal, ""}, // the inserting statement handles conflicts
	"backfills_state_check":    {Internal, ""},
	"backfills_finished_check": {Internal, ""},

	"migration_files_pkey":             {Internal, ""}, // the owner's alone
	"migration_files_checksum_check":   {Internal, ""},
	"migration_files_compatible_check": {Internal, ""},

	"group_members_pkey":             {IDReused, ""},
	"group_members_group_fkey":       {NotFound, ""}, // the path identifies both
	"group_members_user_fkey":        {UserNotFound, ""},
	"group_facilities_pkey":          {IDReused, ""},
	"group_facilities_group_fkey":    {NotFound, ""},
	"group_facilities_facility_fkey": {FacilityNotFound, ""},

	"accounts_balance_check":       {InsufficientFunds, ""},
	"accounts_balance_limit_check": {BalanceTooLarge, ""},

	"account_facilities_pkey":          {IDReused, ""},
	"account_facilities_account_fkey":  {NotFound, ""}, // the path identifies the account
	"account_facilities_facility_fkey": {FacilityNotFound, ""},

	"account_keys_pkey":         {Internal, ""}, // inserted with the account by a trigger
	"account_keys_account_fkey": {Internal, ""},

	"ledger_entries_account_fkey": {NotFound, ""}, // the path identifies the account
	"ledger_entries_pickup_fkey":  {NotFound, ""},
	"ledger_entries_amount_check": {ValidationFailed, "amount_cents"},

	"drivers_user_fkey":        {UserNotFound, "user_id"},
	"drivers_user_key":         {DriverUserTaken, "user_id"},
	"drivers_location_check":   {ValidationFailed, "longitude"},
	"driver_slots_pkey":        {Internal, ""},
	"driver_slots_driver_fkey": {DriverNotFound, "driver_id"},
	"driver_slots_pickup_fkey": {NotFound, ""},
	"driver_slots_pickup_key":  {IllegalTransition, ""},

	// Only migrations write the dictionary.
	"pickup_transitions_pkey":        {Internal, ""},
	"pickup_transitions_text_check":  {Internal, ""},
	"pickup_transitions_money_check": {Internal, ""},
	"pickup_transitions_slot_check":  {Internal, ""},

	"pickup_counts_pkey":          {Internal, ""}, // the inserting statement handles conflicts
	"pickup_count_changes_pkey":   {Internal, ""}, // ids of a sequence
	"pickup_searches_pkey":        {Internal, ""}, // inserted with the pickup by a trigger
	"pickups_facility_fkey":       {FacilityNotFound, "facility_id"},
	"pickups_account_fkey":        {AccountNotFound, "account_id"},
	"pickups_driver_fkey":         {DriverNotFound, "driver_id"},
	"pickups_patient_fkey":        {PatientNotFound, "patient_id"},
	"only_one_assigned_driver":    {DriverBusy, "driver_id"},
	"pickups_transition_check":    {IllegalTransition, ""}, // raised by the trigger
	"pickups_driver_check":        {IllegalTransition, ""},
	"pickups_charged_check":       {IllegalTransition, ""},
	"pickups_refunded_check":      {IllegalTransition, ""},
	"pickups_cancel_reason_check": {ValidationFailed, "reason"},
	"pickups_price_check":         {ValidationFailed, "price_cents"},
	"pickups_latitude_check":      {ValidationFailed, "pickup_latitude"},
	"pickups_longitude_check":     {ValidationFailed, "pickup_longitude"},
	"pickups_point_check":         {ValidationFailed, "pickup_longitude"},
	"pickups_window_check":        {ValidationFailed, "window_end"},

	"patients_facility_fkey":            {FacilityNotFound, "facility_id"},
	"patients_external_id_key":          {ExternalIDTaken, "external_id"},
	"patients_allowed_facilities_check": {LastFacility, ""},

	"patient_terms_pkey":               {Internal, ""}, // inserted by triggers
	"patient_facilities_pkey":          {IDReused, ""},
	"patient_facilities_patient_fkey":  {NotFound, ""}, // the path identifies both
	"patient_facilities_facility_fkey": {FacilityNotFound, ""},
	"patient_consents_pkey":            {Internal, ""}, // generated by the statement
	"patient_consents_seq_key":         {Internal, ""}, // counted under the lock of the patient's row
	"phi_reads_pkey":                   {Internal, ""},
	"patient_reads_pkey":               {Internal, ""}, // inserted with phi_reads by a trigger

	"appointments_pkey":               {Internal, ""},
	"appointments_facility_fkey":      {NotFound, ""},   // the path identifies the facility
	"appointments_patient_fkey":       {Internal, ""},   // inserted by the same statement
	"appointments_external_id_key":    {Overloaded, ""}, // feeds of one facility are serialized
	"appointments_range_check":        {ValidationFailed, "ends_at"},
	"appointment_feeds_pkey":          {Overloaded, ""},
	"appointment_feeds_facility_fkey": {NotFound, ""},
	"appointment_feed_chunks_pkey":    {Internal, ""},

	"pickup_events_pickup_fkey":           {NotFound, ""},
	"pickup_events_version_key":           {IllegalTransition, ""},
	"pickup_events_stream_key":            {Internal, ""},
	"pickup_events_idempotency_key":       {IdempotencyKeyReused, ""},
	"pickup_events_idempotency_key_check": {ValidationFailed, "idempotency_key"},

	"event_histories_pkey":      {Internal, ""}, // a collision of 48 random bits
	"event_histories_place_key": {Internal, ""}, // begin_event_history handles conflicts

	// Transitions insert messages and workers update them: callers do not name any.
	"messages_pkey":            {Internal, ""},
	"messages_event_fkey":      {Internal, ""},
	"messages_event_key":       {Internal, ""},
	"messages_to_number_check": {Internal, ""},
	"messages_body_check":      {Internal, ""},
	"messages_reason_check":    {Internal, ""},
	"messages_no_number_check": {Internal, ""},
	"messages_failed_check":    {Internal, ""},
	"messages_sent_check":      {Internal, ""},

	"pickup_adjustment_rules_pkey":             {Internal, ""}, // only migrations write the dictionary
	"pickup_adjustment_rules_adjustment_check": {Internal, ""},

	"pickup_adjustments_pkey":             {IllegalTransition, ""},
	"pickup_adjustments_pickup_fkey":      {NotFound, ""},
	"pickup_adjustments_adjustment_check": {Internal, ""},
	"pickup_adjustments_idempotency_key":  {IdempotencyKeyReused, ""},

	"feed_reports_pkey":          {Internal, ""}, // each list has an id of its own
	"feed_reports_facility_fkey": {NotFound, ""},
	"feed_reports_code_check":    {Internal, ""},
	"feed_reports_errors_check":  {Internal, ""},
	"feed_reports_fields_check":  {Internal, ""},

	"message_resends_pkey":            {Internal, ""}, // numbered under the lock of the message
	"message_resends_message_fkey":    {NotFound, ""},
	"message_resends_idempotency_key": {IdempotencyKeyReused, "idempotency_key"},
	"message_resends_request_check":   {Internal, ""},
}
