// Generated from the OpenAPI document by generate.mjs. Do not edit.
import type { CallOptions, KeyedOptions, TransitionOptions } from "./attempts.js";
import type { EditOptions, EditResult } from "./edits.js";
import type { Listing } from "./pages.js";
import type { Stream, StreamOptions } from "./stream.js";
import type { Body, BodyWithId, Operation, Query, Result, Value } from "./types.js";

/** A function for each operation, by its tag. */
export interface Operations {
  service: {
    /** Check that the process is alive: livez. */
    livez(options?: CallOptions): Promise<Result<"livez">>;
    /** Check that the server is ready for requests: readyz. */
    readyz(options?: CallOptions): Promise<Result<"readyz">>;
  };
  accounts: {
    /** List the accounts: list-accounts. */
    list(query?: Query<"list-accounts">, options?: CallOptions): Listing<"list-accounts">;
    /** Create an account: create-account. */
    create(body: Body<"create-account">, options?: KeyedOptions): Promise<Result<"create-account">>;
    /** Get an account: get-account. */
    get(accountId: string, options?: CallOptions): Promise<Result<"get-account">>;
    /** Edit an account: edit-account. */
    edit(row: Value<"edit-account">, change: Body<"edit-account">, options?: EditOptions<"edit-account">): Promise<EditResult<"edit-account">>;
    /** Charge an account: charge-account. */
    charge(accountId: string, body: BodyWithId<"charge-account">, options?: CallOptions): Promise<Result<"charge-account">>;
    /** Deposit to an account: deposit-to-account. */
    depositToAccount(accountId: string, body: BodyWithId<"deposit-to-account">, options?: CallOptions): Promise<Result<"deposit-to-account">>;
    /** List the entries of an account: list-entries. */
    listEntries(accountId: string, query?: Query<"list-entries">, options?: CallOptions): Listing<"list-entries">;
    /** Get an entry: get-entry. */
    getEntry(accountId: string, entryId: string, options?: CallOptions): Promise<Result<"get-entry">>;
  };
  appointments: {
    /** List a facility's appointments in a time range: list-appointments. */
    list(query: Query<"list-appointments">, options?: CallOptions): Listing<"list-appointments">;
    /** Synchronize a facility's appointments with its records: sync-appointments. */
    sync(facilityId: string, body: Body<"sync-appointments">, query: Query<"sync-appointments">, options?: CallOptions): Promise<Result<"sync-appointments">>;
  };
  drivers: {
    /** List the drivers: list-drivers. */
    list(query?: Query<"list-drivers">, options?: CallOptions): Listing<"list-drivers">;
    /** Create a driver: create-driver. */
    create(body: Body<"create-driver">, options?: KeyedOptions): Promise<Result<"create-driver">>;
    /** Get a driver: get-driver. */
    get(driverId: string, options?: CallOptions): Promise<Result<"get-driver">>;
    /** Edit a driver: edit-driver. */
    edit(row: Value<"edit-driver">, change: Body<"edit-driver">, options?: EditOptions<"edit-driver">): Promise<EditResult<"edit-driver">>;
    /** Report a driver's location: locate-driver. */
    locate(driverId: string, body: Body<"locate-driver">, options?: CallOptions): Promise<Result<"locate-driver">>;
  };
  facilities: {
    /** List the facilities that you see: list-facilities. */
    list(query?: Query<"list-facilities">, options?: CallOptions): Listing<"list-facilities">;
    /** Create a facility: create-facility. */
    create(body: Body<"create-facility">, options?: KeyedOptions): Promise<Result<"create-facility">>;
    /** Get a facility: get-facility. */
    get(facilityId: string, options?: CallOptions): Promise<Result<"get-facility">>;
    /** Edit a facility: edit-facility. */
    edit(row: Value<"edit-facility">, change: Body<"edit-facility">, options?: EditOptions<"edit-facility">): Promise<EditResult<"edit-facility">>;
  };
  flags: {
    /** List the flags: list-flags. */
    list(query?: Query<"list-flags">, options?: CallOptions): Listing<"list-flags">;
    /** Get a flag: get-flag. */
    get(name: string, options?: CallOptions): Promise<Result<"get-flag">>;
    /** Switch a flag: set-flag. */
    set(row: Value<"set-flag">, change: Body<"set-flag">, options?: EditOptions<"set-flag">): Promise<EditResult<"set-flag">>;
  };
  groups: {
    /** List the groups: list-groups. */
    list(query?: Query<"list-groups">, options?: CallOptions): Listing<"list-groups">;
    /** Create a group: create-group. */
    create(body: Body<"create-group">, options?: KeyedOptions): Promise<Result<"create-group">>;
    /** Get a group: get-group. */
    get(groupId: string, options?: CallOptions): Promise<Result<"get-group">>;
    /** Edit a group: edit-group. */
    edit(row: Value<"edit-group">, change: Body<"edit-group">, options?: EditOptions<"edit-group">): Promise<EditResult<"edit-group">>;
    /** List the facilities of a group: list-group-facilities. */
    listFacilities(groupId: string, query?: Query<"list-group-facilities">, options?: CallOptions): Listing<"list-group-facilities">;
    /** Remove a facility from a group: remove-group-facility. */
    removeFacility(groupId: string, facilityId: string, options?: CallOptions): Promise<Result<"remove-group-facility">>;
    /** Add a facility to a group: add-group-facility. */
    addFacility(groupId: string, facilityId: string, options?: CallOptions): Promise<Result<"add-group-facility">>;
    /** List the members of a group: list-group-members. */
    listMembers(groupId: string, query?: Query<"list-group-members">, options?: CallOptions): Listing<"list-group-members">;
    /** Remove a member: remove-group-member. */
    removeMember(groupId: string, userId: string, options?: CallOptions): Promise<Result<"remove-group-member">>;
    /** Add a member: add-group-member. */
    addMember(groupId: string, userId: string, options?: CallOptions): Promise<Result<"add-group-member">>;
  };
  patients: {
    /** List the patients that you see: list-patients. */
    list(query?: Query<"list-patients">, options?: CallOptions): Listing<"list-patients">;
    /** Create a patient: create-patient. */
    create(body: Body<"create-patient">, options?: KeyedOptions): Promise<Result<"create-patient">>;
    /** Get a patient: get-patient. */
    get(patientId: string, options?: CallOptions): Promise<Result<"get-patient">>;
    /** Edit a patient: edit-patient. */
    edit(row: Value<"edit-patient">, change: Body<"edit-patient">, options?: EditOptions<"edit-patient">): Promise<EditResult<"edit-patient">>;
    /** List the consents of a patient: list-patient-consents. */
    listConsents(patientId: string, query?: Query<"list-patient-consents">, options?: CallOptions): Listing<"list-patient-consents">;
    /** Record that a patient withdraws a facility's consent: disallow-facility. */
    disallowFacility(patientId: string, facilityId: string, options?: CallOptions): Promise<Result<"disallow-facility">>;
    /** Record a patient's consent that a facility sees them: allow-facility. */
    allowFacility(patientId: string, facilityId: string, options?: CallOptions): Promise<Result<"allow-facility">>;
    /** List the audit log of a patient: list-patient-reads. */
    listReads(patientId: string, query?: Query<"list-patient-reads">, options?: CallOptions): Listing<"list-patient-reads">;
    /** Get the patient of a pickup: get-pickup-patient. */
    getPickupPatient(pickupId: string, options?: CallOptions): Promise<Result<"get-pickup-patient">>;
  };
  pickups: {
    /** List the transition rules: list-pickup-transitions. */
    listTransitions(options?: CallOptions): Listing<"list-pickup-transitions">;
    /** List the pickups that you see: list-pickups. */
    list(query?: Query<"list-pickups">, options?: CallOptions): Listing<"list-pickups">;
    /** Create a pickup: create-pickup. */
    create(body: Body<"create-pickup">, options?: KeyedOptions): Promise<Result<"create-pickup">>;
    /** Create up to 1,000 pickups: create-pickups. */
    createMany(body: Body<"create-pickups">, options?: KeyedOptions): Promise<Result<"create-pickups">>;
    /** Follow the pickups that you see: stream-pickups. */
    stream(options?: StreamOptions): Stream;
    /** Get a pickup: get-pickup. */
    get(pickupId: string, options?: CallOptions): Promise<Result<"get-pickup">>;
    /** Edit a pickup: edit-pickup. */
    edit(row: Value<"edit-pickup">, change: Body<"edit-pickup">, options?: EditOptions<"edit-pickup">): Promise<EditResult<"edit-pickup">>;
    /** Assign a driver: assign-pickup. */
    assign(pickupId: string, body: Body<"assign-pickup">, options?: TransitionOptions): Promise<Result<"assign-pickup">>;
    /** Cancel a pickup: cancel-pickup. */
    cancel(pickupId: string, body?: Body<"cancel-pickup">, options?: TransitionOptions): Promise<Result<"cancel-pickup">>;
    /** Collect a pickup: collect-pickup. */
    collect(pickupId: string, options?: TransitionOptions): Promise<Result<"collect-pickup">>;
    /** Deliver a pickup: deliver-pickup. */
    deliver(pickupId: string, options?: TransitionOptions): Promise<Result<"deliver-pickup">>;
    /** Dispatch the nearest free driver: dispatch-pickup. */
    dispatch(pickupId: string, options?: TransitionOptions): Promise<Result<"dispatch-pickup">>;
    /** List the events of a pickup: list-pickup-events. */
    listEvents(pickupId: string, query?: Query<"list-pickup-events">, options?: CallOptions): Listing<"list-pickup-events">;
    /** List the texts of a pickup: list-messages. */
    listMessages(pickupId: string, query?: Query<"list-messages">, options?: CallOptions): Listing<"list-messages">;
    /** Pack a pickup: pack-pickup. */
    pack(pickupId: string, options?: TransitionOptions): Promise<Result<"pack-pickup">>;
    /** Receive a pickup: receive-pickup. */
    receive(pickupId: string, options?: TransitionOptions): Promise<Result<"receive-pickup">>;
    /** Release the driver: release-pickup. */
    release(pickupId: string, options?: TransitionOptions): Promise<Result<"release-pickup">>;
    /** Ship a pickup: ship-pickup. */
    ship(pickupId: string, options?: TransitionOptions): Promise<Result<"ship-pickup">>;
    /** Submit a pickup: submit-pickup. */
    submit(pickupId: string, options?: TransitionOptions): Promise<Result<"submit-pickup">>;
  };
  sessions: {
    /** Log out: logout. */
    logout(options?: CallOptions): Promise<Result<"logout">>;
    /** Who am I: get-session. */
    get(options?: CallOptions): Promise<Result<"get-session">>;
    /** Log in: login. */
    login(body: Body<"login">, options?: CallOptions): Promise<Result<"login">>;
  };
  users: {
    /** List the users: list-users. */
    list(query?: Query<"list-users">, options?: CallOptions): Listing<"list-users">;
    /** Create a user: create-user. */
    create(body: Body<"create-user">, options?: KeyedOptions): Promise<Result<"create-user">>;
    /** Get a user: get-user. */
    get(userId: string, options?: CallOptions): Promise<Result<"get-user">>;
    /** Edit a user: edit-user. */
    edit(row: Value<"edit-user">, change: Body<"edit-user">, options?: EditOptions<"edit-user">): Promise<EditResult<"edit-user">>;
    /** Deactivate a user: deactivate-user. */
    deactivate(userId: string, options?: CallOptions): Promise<Result<"deactivate-user">>;
    /** Change a password: change-password. */
    changePassword(userId: string, body: Body<"change-password">, options?: CallOptions): Promise<Result<"change-password">>;
    /** List a user's phone numbers: list-phone-numbers. */
    listPhoneNumbers(userId: string, query?: Query<"list-phone-numbers">, options?: CallOptions): Listing<"list-phone-numbers">;
    /** Add a phone number: add-phone-number. */
    addPhoneNumber(userId: string, body: Body<"add-phone-number">, options?: KeyedOptions): Promise<Result<"add-phone-number">>;
    /** Remove a phone number: remove-phone-number. */
    removePhoneNumber(userId: string, phoneNumberId: string, options?: CallOptions): Promise<Result<"remove-phone-number">>;
    /** Reactivate a user: reactivate-user. */
    reactivate(userId: string, options?: CallOptions): Promise<Result<"reactivate-user">>;
  };
}

export const operations = {
  "livez": {"tag":"service","name":"livez","method":"GET","path":"/livez","kind":"call","key":"none","params":[],"body":false,"query":false},
  "readyz": {"tag":"service","name":"readyz","method":"GET","path":"/readyz","kind":"call","key":"none","params":[],"body":false,"query":false},
  "list-accounts": {"tag":"accounts","name":"list","method":"GET","path":"/v1/accounts","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-account": {"tag":"accounts","name":"create","method":"POST","path":"/v1/accounts","kind":"call","key":"key","params":[],"body":true,"query":false},
  "get-account": {"tag":"accounts","name":"get","method":"GET","path":"/v1/accounts/{account_id}","kind":"call","key":"none","params":["account_id"],"body":false,"query":false},
  "edit-account": {"tag":"accounts","name":"edit","method":"PATCH","path":"/v1/accounts/{account_id}","kind":"edit","key":"none","params":["account_id"],"body":true,"query":false},
  "charge-account": {"tag":"accounts","name":"charge","method":"POST","path":"/v1/accounts/{account_id}/charges","kind":"call","key":"id","params":["account_id"],"body":true,"query":false},
  "deposit-to-account": {"tag":"accounts","name":"depositToAccount","method":"POST","path":"/v1/accounts/{account_id}/deposits","kind":"call","key":"id","params":["account_id"],"body":true,"query":false},
  "list-entries": {"tag":"accounts","name":"listEntries","method":"GET","path":"/v1/accounts/{account_id}/entries","kind":"list","key":"none","params":["account_id"],"body":false,"query":true},
  "get-entry": {"tag":"accounts","name":"getEntry","method":"GET","path":"/v1/accounts/{account_id}/entries/{entry_id}","kind":"call","key":"none","params":["account_id","entry_id"],"body":false,"query":false},
  "list-appointments": {"tag":"appointments","name":"list","method":"GET","path":"/v1/appointments","kind":"list","key":"none","params":[],"body":false,"query":true},
  "list-drivers": {"tag":"drivers","name":"list","method":"GET","path":"/v1/drivers","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-driver": {"tag":"drivers","name":"create","method":"POST","path":"/v1/drivers","kind":"call","key":"key","params":[],"body":true,"query":false},
  "get-driver": {"tag":"drivers","name":"get","method":"GET","path":"/v1/drivers/{driver_id}","kind":"call","key":"none","params":["driver_id"],"body":false,"query":false},
  "edit-driver": {"tag":"drivers","name":"edit","method":"PATCH","path":"/v1/drivers/{driver_id}","kind":"edit","key":"none","params":["driver_id"],"body":true,"query":false},
  "locate-driver": {"tag":"drivers","name":"locate","method":"PUT","path":"/v1/drivers/{driver_id}/location","kind":"call","key":"none","params":["driver_id"],"body":true,"query":false},
  "list-facilities": {"tag":"facilities","name":"list","method":"GET","path":"/v1/facilities","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-facility": {"tag":"facilities","name":"create","method":"POST","path":"/v1/facilities","kind":"call","key":"key","params":[],"body":true,"query":false},
  "get-facility": {"tag":"facilities","name":"get","method":"GET","path":"/v1/facilities/{facility_id}","kind":"call","key":"none","params":["facility_id"],"body":false,"query":false},
  "edit-facility": {"tag":"facilities","name":"edit","method":"PATCH","path":"/v1/facilities/{facility_id}","kind":"edit","key":"none","params":["facility_id"],"body":true,"query":false},
  "sync-appointments": {"tag":"appointments","name":"sync","method":"POST","path":"/v1/facilities/{facility_id}/appointments/sync","kind":"call","key":"none","params":["facility_id"],"body":true,"query":true},
  "list-flags": {"tag":"flags","name":"list","method":"GET","path":"/v1/flags","kind":"list","key":"none","params":[],"body":false,"query":true},
  "get-flag": {"tag":"flags","name":"get","method":"GET","path":"/v1/flags/{name}","kind":"call","key":"none","params":["name"],"body":false,"query":false},
  "set-flag": {"tag":"flags","name":"set","method":"PUT","path":"/v1/flags/{name}","kind":"edit","key":"none","params":["name"],"body":true,"query":false},
  "list-groups": {"tag":"groups","name":"list","method":"GET","path":"/v1/groups","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-group": {"tag":"groups","name":"create","method":"POST","path":"/v1/groups","kind":"call","key":"key","params":[],"body":true,"query":false},
  "get-group": {"tag":"groups","name":"get","method":"GET","path":"/v1/groups/{group_id}","kind":"call","key":"none","params":["group_id"],"body":false,"query":false},
  "edit-group": {"tag":"groups","name":"edit","method":"PATCH","path":"/v1/groups/{group_id}","kind":"edit","key":"none","params":["group_id"],"body":true,"query":false},
  "list-group-facilities": {"tag":"groups","name":"listFacilities","method":"GET","path":"/v1/groups/{group_id}/facilities","kind":"list","key":"none","params":["group_id"],"body":false,"query":true},
  "remove-group-facility": {"tag":"groups","name":"removeFacility","method":"DELETE","path":"/v1/groups/{group_id}/facilities/{facility_id}","kind":"call","key":"none","params":["group_id","facility_id"],"body":false,"query":false},
  "add-group-facility": {"tag":"groups","name":"addFacility","method":"PUT","path":"/v1/groups/{group_id}/facilities/{facility_id}","kind":"call","key":"none","params":["group_id","facility_id"],"body":false,"query":false},
  "list-group-members": {"tag":"groups","name":"listMembers","method":"GET","path":"/v1/groups/{group_id}/members","kind":"list","key":"none","params":["group_id"],"body":false,"query":true},
  "remove-group-member": {"tag":"groups","name":"removeMember","method":"DELETE","path":"/v1/groups/{group_id}/members/{user_id}","kind":"call","key":"none","params":["group_id","user_id"],"body":false,"query":false},
  "add-group-member": {"tag":"groups","name":"addMember","method":"PUT","path":"/v1/groups/{group_id}/members/{user_id}","kind":"call","key":"none","params":["group_id","user_id"],"body":false,"query":false},
  "list-patients": {"tag":"patients","name":"list","method":"GET","path":"/v1/patients","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-patient": {"tag":"patients","name":"create","method":"POST","path":"/v1/patients","kind":"call","key":"key","params":[],"body":true,"query":false},
  "get-patient": {"tag":"patients","name":"get","method":"GET","path":"/v1/patients/{patient_id}","kind":"call","key":"none","params":["patient_id"],"body":false,"query":false},
  "edit-patient": {"tag":"patients","name":"edit","method":"PATCH","path":"/v1/patients/{patient_id}","kind":"edit","key":"none","params":["patient_id"],"body":true,"query":false},
  "list-patient-consents": {"tag":"patients","name":"listConsents","method":"GET","path":"/v1/patients/{patient_id}/consents","kind":"list","key":"none","params":["patient_id"],"body":false,"query":true},
  "disallow-facility": {"tag":"patients","name":"disallowFacility","method":"DELETE","path":"/v1/patients/{patient_id}/facilities/{facility_id}","kind":"call","key":"none","params":["patient_id","facility_id"],"body":false,"query":false},
  "allow-facility": {"tag":"patients","name":"allowFacility","method":"PUT","path":"/v1/patients/{patient_id}/facilities/{facility_id}","kind":"call","key":"none","params":["patient_id","facility_id"],"body":false,"query":false},
  "list-patient-reads": {"tag":"patients","name":"listReads","method":"GET","path":"/v1/patients/{patient_id}/reads","kind":"list","key":"none","params":["patient_id"],"body":false,"query":true},
  "list-pickup-transitions": {"tag":"pickups","name":"listTransitions","method":"GET","path":"/v1/pickup-transitions","kind":"list","key":"none","params":[],"body":false,"query":false},
  "list-pickups": {"tag":"pickups","name":"list","method":"GET","path":"/v1/pickups","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-pickup": {"tag":"pickups","name":"create","method":"POST","path":"/v1/pickups","kind":"call","key":"key","params":[],"body":true,"query":false},
  "create-pickups": {"tag":"pickups","name":"createMany","method":"POST","path":"/v1/pickups/batch","kind":"call","key":"key","params":[],"body":true,"query":false},
  "stream-pickups": {"tag":"pickups","name":"stream","method":"GET","path":"/v1/pickups/stream","kind":"stream","key":"none","params":[],"body":false,"query":false},
  "get-pickup": {"tag":"pickups","name":"get","method":"GET","path":"/v1/pickups/{pickup_id}","kind":"call","key":"none","params":["pickup_id"],"body":false,"query":false},
  "edit-pickup": {"tag":"pickups","name":"edit","method":"PATCH","path":"/v1/pickups/{pickup_id}","kind":"edit","key":"none","params":["pickup_id"],"body":true,"query":false},
  "assign-pickup": {"tag":"pickups","name":"assign","method":"POST","path":"/v1/pickups/{pickup_id}/assign","kind":"call","key":"key","params":["pickup_id"],"body":true,"query":false},
  "cancel-pickup": {"tag":"pickups","name":"cancel","method":"POST","path":"/v1/pickups/{pickup_id}/cancel","kind":"call","key":"key","params":["pickup_id"],"body":true,"query":false},
  "collect-pickup": {"tag":"pickups","name":"collect","method":"POST","path":"/v1/pickups/{pickup_id}/collect","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "deliver-pickup": {"tag":"pickups","name":"deliver","method":"POST","path":"/v1/pickups/{pickup_id}/deliver","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "dispatch-pickup": {"tag":"pickups","name":"dispatch","method":"POST","path":"/v1/pickups/{pickup_id}/dispatch","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "list-pickup-events": {"tag":"pickups","name":"listEvents","method":"GET","path":"/v1/pickups/{pickup_id}/events","kind":"list","key":"none","params":["pickup_id"],"body":false,"query":true},
  "list-messages": {"tag":"pickups","name":"listMessages","method":"GET","path":"/v1/pickups/{pickup_id}/messages","kind":"list","key":"none","params":["pickup_id"],"body":false,"query":true},
  "pack-pickup": {"tag":"pickups","name":"pack","method":"POST","path":"/v1/pickups/{pickup_id}/pack","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "get-pickup-patient": {"tag":"patients","name":"getPickupPatient","method":"GET","path":"/v1/pickups/{pickup_id}/patient","kind":"call","key":"none","params":["pickup_id"],"body":false,"query":false},
  "receive-pickup": {"tag":"pickups","name":"receive","method":"POST","path":"/v1/pickups/{pickup_id}/receive","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "release-pickup": {"tag":"pickups","name":"release","method":"POST","path":"/v1/pickups/{pickup_id}/release","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "ship-pickup": {"tag":"pickups","name":"ship","method":"POST","path":"/v1/pickups/{pickup_id}/ship","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "submit-pickup": {"tag":"pickups","name":"submit","method":"POST","path":"/v1/pickups/{pickup_id}/submit","kind":"call","key":"key","params":["pickup_id"],"body":false,"query":false},
  "logout": {"tag":"sessions","name":"logout","method":"DELETE","path":"/v1/session","kind":"call","key":"none","params":[],"body":false,"query":false},
  "get-session": {"tag":"sessions","name":"get","method":"GET","path":"/v1/session","kind":"call","key":"none","params":[],"body":false,"query":false},
  "login": {"tag":"sessions","name":"login","method":"POST","path":"/v1/sessions","kind":"call","key":"none","params":[],"body":true,"query":false},
  "list-users": {"tag":"users","name":"list","method":"GET","path":"/v1/users","kind":"list","key":"none","params":[],"body":false,"query":true},
  "create-user": {"tag":"users","name":"create","method":"POST","path":"/v1/users","kind":"call","key":"key","params":[],"body":true,"query":false},
  "get-user": {"tag":"users","name":"get","method":"GET","path":"/v1/users/{user_id}","kind":"call","key":"none","params":["user_id"],"body":false,"query":false},
  "edit-user": {"tag":"users","name":"edit","method":"PATCH","path":"/v1/users/{user_id}","kind":"edit","key":"none","params":["user_id"],"body":true,"query":false},
  "deactivate-user": {"tag":"users","name":"deactivate","method":"POST","path":"/v1/users/{user_id}/deactivate","kind":"call","key":"none","params":["user_id"],"body":false,"query":false},
  "change-password": {"tag":"users","name":"changePassword","method":"PUT","path":"/v1/users/{user_id}/password","kind":"call","key":"none","params":["user_id"],"body":true,"query":false},
  "list-phone-numbers": {"tag":"users","name":"listPhoneNumbers","method":"GET","path":"/v1/users/{user_id}/phone-numbers","kind":"list","key":"none","params":["user_id"],"body":false,"query":true},
  "add-phone-number": {"tag":"users","name":"addPhoneNumber","method":"POST","path":"/v1/users/{user_id}/phone-numbers","kind":"call","key":"key","params":["user_id"],"body":true,"query":false},
  "remove-phone-number": {"tag":"users","name":"removePhoneNumber","method":"DELETE","path":"/v1/users/{user_id}/phone-numbers/{phone_number_id}","kind":"call","key":"none","params":["user_id","phone_number_id"],"body":false,"query":false},
  "reactivate-user": {"tag":"users","name":"reactivate","method":"POST","path":"/v1/users/{user_id}/reactivate","kind":"call","key":"none","params":["user_id"],"body":false,"query":false},
} as const satisfies Record<string, Operation>;
