package db

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// The generated statements that can be called directly from outside this package. Others cannot: a Store, a
// Reader and a System hold Queries, which has all statements, in unexported fields.
// TestStatementsAreSafeAsTheyAre checks by the SQL which tables a listed statement uses.

// statements are those of a Store, for handlers: reads that enforce visibility themselves, without row-level
// security. Every write is a method of the Store, which explains a lost write.
type statements interface {
	ListAccounts(context.Context, ListAccountsParams) ([]Account, error)
	ListAccountFacilities(context.Context, ListAccountFacilitiesParams) ([]AccountFacility, error)
	GetAccount(context.Context, GetAccountParams) (Account, error)
	GetLedgerEntry(context.Context, GetLedgerEntryParams) (LedgerEntry, error)
	ListLedgerEntries(context.Context, ListLedgerEntriesParams) ([]LedgerEntry, error)
	GetAccountStatement(context.Context, GetAccountStatementParams) (GetAccountStatementRow, error)
	ListStatementLines(context.Context, ListStatementLinesParams) ([]ListStatementLinesRow, error)

	GetDriver(context.Context, GetDriverParams) (Driver, error)
	ListDrivers(context.Context, ListDriversParams) ([]Driver, error)
	ListNearestDrivers(context.Context, ListNearestDriversParams) ([]ListNearestDriversRow, error)

	GetFacility(context.Context, GetFacilityParams) (Facility, error)
	ListFacilities(context.Context, ListFacilitiesParams) ([]Facility, error)
	SeesFacility(context.Context, SeesFacilityParams) (bool, error)
	ListFeedReports(context.Context, ListFeedReportsParams) ([]FeedReport, error)

	GetFlag(context.Context, GetFlagParams) (Flag, error)
	ListFlags(context.Context, ListFlagsParams) ([]Flag, error)

	GetGroup(context.Context, GetGroupParams) (Group, error)
	ListGroups(context.Context, ListGroupsParams) ([]Group, error)
	ListGroupMembers(context.Context, ListGroupMembersParams) ([]GroupMember, error)
	ListGroupFacilities(context.Context, ListGroupFacilitiesParams) ([]GroupFacility, error)

	ListPhoneNumbers(context.Context, ListPhoneNumbersParams) ([]PhoneNumber, error)

	GetUser(context.Context, GetUserParams) (User, error)
	ListUsers(context.Context, ListUsersParams) ([]ListUsersRow, error)

	GetLogin(context.Context, GetLoginParams) (GetLoginRow, error)
	GetTenantBySlug(context.Context, string) (Tenant, error)

	SeesPatient(context.Context, SeesPatientParams) (bool, error)
	PatientExists(context.Context, PatientExistsParams) (bool, error)
	ListConsents(context.Context, ListConsentsParams) ([]PatientConsent, error)
	ListPatientReads(context.Context, ListPatientReadsParams) ([]PhiRead, error)
	ListReads(context.Context, ListReadsParams) ([]PatientRead, error)

	ListMessages(context.Context, ListMessagesParams) ([]ListMessagesRow, error)
	ListTransitions(context.Context) ([]ListTransitionsRow, error)
	ListAdjustmentRules(context.Context) ([]ListAdjustmentRulesRow, error)
	GetPickupCounts(context.Context, GetPickupCountsParams) ([]GetPickupCountsRow, error)

	GetWebhookEndpoint(context.Context, GetWebhookEndpointParams) (WebhookEndpoint, error)
	ListWebhookEndpoints(context.Context, ListWebhookEndpointsParams) ([]WebhookEndpoint, error)
	ListWebhookDeliveries(context.Context, ListWebhookDeliveriesParams) ([]WebhookDelivery, error)

	ListStuckJobs(context.Context, ListStuckJobsParams) ([]ListStuckJobsRow, error)

	FindNewEvents(context.Context, FindNewEventsParams) ([]FindNewEventsRow, error)
	MoveStreamHorizon(context.Context) (string, error)
}

// patientStatements are those of a Reader: reads of patients, under row-level security.
type patientStatements interface {
	GetPatient(context.Context, GetPatientParams) (GetPatientRow, error)
	ListPatients(context.Context, ListPatientsParams) ([]ListPatientsRow, error)
	GetPickupPatient(context.Context, GetPickupPatientParams) (GetPickupPatientRow, error)
	ListAppointments(context.Context, ListAppointmentsParams) ([]ListAppointmentsRow, error)
	ListPatientAppointments(context.Context, ListPatientAppointmentsParams) ([]ListPatientAppointmentsRow, error)
}

// systemStatements are the additional ones of a System, for workers and operators' commands. They name no
// viewer, and report a lost write by the number of rows.
type systemStatements interface {
	GetMessage(context.Context, GetMessageParams) (Message, error)
	SettleMessage(context.Context, SettleMessageParams) (int64, error)
	ListRefusedMessages(context.Context, ListRefusedMessagesParams) ([]ListRefusedMessagesRow, error)
	RequeueMessage(context.Context, RequeueMessageParams) (int64, error)

	GetPickupEvent(context.Context, GetPickupEventParams) (PickupEvent, error)
	GetVersionSince(context.Context, GetVersionSinceParams) (int64, error)

	ListTenants(context.Context, ListTenantsParams) ([]ListTenantsRow, error)

	ListUnfoldedTenants(context.Context, ListUnfoldedTenantsParams) ([]uuid.UUID, error)
	FoldPickupCounts(context.Context, FoldPickupCountsParams) (int64, error)

	ListWebhookTenants(context.Context, ListWebhookTenantsParams) ([]uuid.UUID, error)
	ListWebhookWork(context.Context, []uuid.UUID) ([]ListWebhookWorkRow, error)
	ListWebhookHeads(context.Context, ListWebhookHeadsParams) ([]ListWebhookHeadsRow, error)
	SettleWebhookDelivery(context.Context, SettleWebhookDeliveryParams) (int64, error)
	ListTroubledWebhookEndpoints(
		context.Context, ListTroubledWebhookEndpointsParams) ([]ListTroubledWebhookEndpointsRow, error)
	ListPrunableWebhookEndpoints(context.Context, []uuid.UUID) ([]ListPrunableWebhookEndpointsRow, error)
	PruneWebhookDeliveries(context.Context, PruneWebhookDeliveriesParams) (int64, error)

	ListBackfills(context.Context) ([]Backfill, error)
	GetBackfill(context.Context, string) (Backfill, error)
	HoldBackfill(context.Context, HoldBackfillParams) (int64, error)
	StopBackfill(context.Context, string) (int64, error)
	ResumeBackfill(context.Context, string) (int64, error)
	GetReplicaLag(context.Context) (GetReplicaLagRow, error)

	CountJobs(context.Context) ([]CountJobsRow, error)
	ListTroubledJobs(context.Context, ListTroubledJobsParams) ([]ListTroubledJobsRow, error)
	RescueJobs(context.Context, time.Duration) (int64, error)
	GetJobTable(context.Context) (GetJobTableRow, error)
	ListPausedQueues(context.Context) ([]ListPausedQueuesRow, error)

	GetDatabaseTime(context.Context) (time.Time, error)
	ListLeakyLogSettings(context.Context) ([]ListLeakyLogSettingsRow, error)
}
