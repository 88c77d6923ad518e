-- What each table, column and enum means, said once: cmd/comments writes it into db/comments.go, from which the
-- OpenAPI document and the clients have their descriptions, and sqlc into the comments of its types. The comment
-- on an enum has a line for each of its values.

-- +goose Up

COMMENT ON TABLE accounts IS 'What pickups are charged to: a balance in one currency';
COMMENT ON COLUMN accounts.id IS 'Id of the account';
COMMENT ON COLUMN accounts.name IS 'The name shown to users';
COMMENT ON COLUMN accounts.currency IS 'ISO 4217';
COMMENT ON COLUMN accounts.balance_cents IS
    'The sum of the entries, changed by charges, refunds and deposits';
COMMENT ON COLUMN accounts.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN accounts.created_at IS 'When it was created';
COMMENT ON TABLE ledger_entries IS 'A change of an account''s balance, which is never edited';
COMMENT ON COLUMN ledger_entries.id IS 'Id of the entry, chosen by the client for a charge or deposit';
COMMENT ON COLUMN ledger_entries.account_id IS 'The account whose balance it changed';
COMMENT ON COLUMN ledger_entries.kind IS 'What changed the balance';
COMMENT ON COLUMN ledger_entries.amount_cents IS 'Always positive; see kind';
COMMENT ON COLUMN ledger_entries.delta_cents IS 'The change of the balance';
COMMENT ON COLUMN ledger_entries.note IS 'What it was for, as the caller put it';
COMMENT ON COLUMN ledger_entries.pickup_id IS 'The pickup that was charged or refunded';
COMMENT ON COLUMN ledger_entries.actor_id IS 'The user who did this';
COMMENT ON COLUMN ledger_entries.created_at IS 'When it was booked';

COMMENT ON TABLE drivers IS 'A driver, whom pickups are assigned to';
COMMENT ON COLUMN drivers.id IS 'Id of the driver';
COMMENT ON COLUMN drivers.user_id IS 'The user who logs in as this driver';
COMMENT ON COLUMN drivers.name IS 'The name shown to users';
COMMENT ON COLUMN drivers.on_duty IS 'Whether dispatch-pickup may choose the driver';
COMMENT ON COLUMN drivers.latitude IS 'Degrees north of the equator, where the driver was observed last';
COMMENT ON COLUMN drivers.longitude IS 'Degrees east of Greenwich, where the driver was observed last';
COMMENT ON COLUMN drivers.located_at IS 'When the driver was observed at latitude and longitude';
COMMENT ON COLUMN drivers.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN drivers.created_at IS 'When it was created';

COMMENT ON TABLE facilities IS 'A clinic or laboratory that requests pickups';
COMMENT ON COLUMN facilities.id IS 'Id of the facility';
COMMENT ON COLUMN facilities.name IS 'The name shown to users';
COMMENT ON COLUMN facilities.address IS 'The postal address, on one line';
COMMENT ON COLUMN facilities.latitude IS 'Degrees north of the equator';
COMMENT ON COLUMN facilities.longitude IS 'Degrees east of Greenwich';
COMMENT ON COLUMN facilities.max_cancel_share IS
    'The fraction of its current appointments that a list may cancel without allow_mass_cancel';
COMMENT ON COLUMN facilities.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN facilities.created_at IS 'When it was created';

COMMENT ON TABLE flags IS 'A feature that is switched on or off for the tenant';
COMMENT ON COLUMN flags.name IS 'The name of the feature';
COMMENT ON COLUMN flags.enabled IS 'Whether the feature is on';
COMMENT ON COLUMN flags.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN flags.updated_at IS 'When it was last set';

COMMENT ON TABLE groups IS 'A group of users, who see its facilities';
COMMENT ON COLUMN groups.id IS 'Id of the group';
COMMENT ON COLUMN groups.name IS 'The name shown to admins';
COMMENT ON COLUMN groups.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN groups.created_at IS 'When it was created';

COMMENT ON TABLE group_facilities IS 'A facility that the members of a group see';
COMMENT ON COLUMN group_facilities.group_id IS 'The group whose members see the facility';
COMMENT ON COLUMN group_facilities.facility_id IS 'The facility that they see';
COMMENT ON COLUMN group_facilities.created_at IS 'When it was added';

COMMENT ON TABLE group_members IS 'A user who sees the facilities of a group';
COMMENT ON COLUMN group_members.group_id IS 'The group whose facilities the user sees';
COMMENT ON COLUMN group_members.user_id IS 'The user who is a member';
COMMENT ON COLUMN group_members.created_at IS 'When the user was added';

COMMENT ON TABLE messages IS 'A text to the phone of the user who requested a pickup';
COMMENT ON COLUMN messages.id IS 'Id of the text, and of the request to the gateway';
COMMENT ON COLUMN messages.pickup_id IS 'The pickup that it tells of';
COMMENT ON COLUMN messages.to_number IS
    'The phone number it is sent to, E.164; null if the requester has none';
COMMENT ON COLUMN messages.body IS 'Contains no patient data and no price';
COMMENT ON COLUMN messages.status IS 'What became of it';
COMMENT ON COLUMN messages.reason IS 'The reason of the failure';
COMMENT ON COLUMN messages.created_at IS 'When it was created';
COMMENT ON COLUMN messages.sent_at IS 'When the gateway accepted it';

COMMENT ON TABLE patients IS 'A patient, as the facilities'' records say';
COMMENT ON COLUMN patients.id IS 'Id of the patient';
COMMENT ON COLUMN patients.facility_id IS 'The facility whose records contain the patient';
COMMENT ON COLUMN patients.external_id IS 'Id in the records of the facility, unique there';
COMMENT ON COLUMN patients.given_name IS 'Given name';
COMMENT ON COLUMN patients.family_name IS 'Family name';
COMMENT ON COLUMN patients.birth_date IS 'From 1800 on, and not in the future';
COMMENT ON COLUMN patients.phone IS 'E.164';
COMMENT ON COLUMN patients.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN patients.created_at IS 'When it was created';

COMMENT ON TABLE patient_consents IS 'That a facility was allowed to see a patient, or no longer';
COMMENT ON COLUMN patient_consents.id IS 'Id of the record';
COMMENT ON COLUMN patient_consents.patient_id IS 'The patient whom the facility may see or not';
COMMENT ON COLUMN patient_consents.facility_id IS 'The facility that may see the patient or not';
COMMENT ON COLUMN patient_consents.allowed IS 'False if the consent was withdrawn';
COMMENT ON COLUMN patient_consents.actor_id IS 'The user who recorded it';
COMMENT ON COLUMN patient_consents.created_at IS 'When it was recorded';
COMMENT ON COLUMN patient_consents.seq IS
    'Numbers the consents of the patient from 1, in the order in which they took effect';

COMMENT ON TABLE phi_reads IS 'That a user read or wrote the data of a patient';
COMMENT ON COLUMN phi_reads.id IS 'Id of the record';
COMMENT ON COLUMN phi_reads.patient_id IS 'The patient whose data it was';
COMMENT ON COLUMN phi_reads.user_id IS 'The user who did this';
COMMENT ON COLUMN phi_reads.operation IS 'The operation that showed or wrote the patient';
COMMENT ON COLUMN phi_reads.created_at IS 'When it happened';

COMMENT ON TABLE phone_numbers IS 'A phone number of a user, to which texts are sent';
COMMENT ON COLUMN phone_numbers.id IS 'Id of the phone number';
COMMENT ON COLUMN phone_numbers.user_id IS 'The user whose number it is';
COMMENT ON COLUMN phone_numbers.number IS 'E.164';
COMMENT ON COLUMN phone_numbers.created_at IS 'When it was created';

COMMENT ON TABLE users IS 'A person who works with the tenant''s data';
COMMENT ON COLUMN users.id IS 'Id of the user';
COMMENT ON COLUMN users.email IS 'As typed; unique in the tenant regardless of case';
COMMENT ON COLUMN users.name IS 'The name shown to others';
COMMENT ON COLUMN users.role IS 'Determines what the user may do';
COMMENT ON COLUMN users.active IS 'False for a deactivated user, who cannot log in';
COMMENT ON COLUMN users.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN users.created_at IS 'When it was created';

COMMENT ON TABLE appointments IS 'An appointment of a patient at a facility, from the facility''s records';
COMMENT ON COLUMN appointments.id IS 'Id of the appointment';
COMMENT ON COLUMN appointments.facility_id IS 'The facility where it takes place';
COMMENT ON COLUMN appointments.patient_id IS 'The patient whose appointment it is';
COMMENT ON COLUMN appointments.external_id IS 'Id in the facility''s records';
COMMENT ON COLUMN appointments.starts_at IS 'When it starts';
COMMENT ON COLUMN appointments.ends_at IS 'When it ends, after starts_at';
COMMENT ON COLUMN appointments.status IS 'What became of it, as the facility says';
COMMENT ON COLUMN appointments.created_at IS 'When a feed created it';
COMMENT ON COLUMN appointments.updated_at IS 'When a feed last changed it';

COMMENT ON TABLE pickups IS 'Something to be collected at a facility and delivered';
COMMENT ON COLUMN pickups.id IS 'Id of the pickup';
COMMENT ON COLUMN pickups.status IS 'Where it stands: see list-pickup-transitions';
COMMENT ON COLUMN pickups.facility_id IS 'The facility that requests the pickup';
COMMENT ON COLUMN pickups.account_id IS 'The account that submit-pickup charges';
COMMENT ON COLUMN pickups.requested_by IS 'The user who created it';
COMMENT ON COLUMN pickups.driver_id IS
    'The driver it is assigned to; set exactly in the statuses to which a transition with has_driver leads';
COMMENT ON COLUMN pickups.price_cents IS 'The amount that submit-pickup charges';
COMMENT ON COLUMN pickups.charged_cents IS 'The amount currently charged';
COMMENT ON COLUMN pickups.refunded_cents IS 'The amount that was refunded';
COMMENT ON COLUMN pickups.pickup_address IS 'Where the driver collects it';
COMMENT ON COLUMN pickups.pickup_latitude IS
    'Degrees north of the equator, where the driver collects it; if it is null, the facility''s location is used';
COMMENT ON COLUMN pickups.pickup_longitude IS 'Degrees east of Greenwich, where the driver collects it';
COMMENT ON COLUMN pickups.dropoff_address IS 'Where it is delivered';
COMMENT ON COLUMN pickups.window_start IS 'The earliest time of the pickup';
COMMENT ON COLUMN pickups.window_end IS 'The latest time of the pickup';
COMMENT ON COLUMN pickups.note IS 'What the driver has to know';
COMMENT ON COLUMN pickups.cancel_reason IS 'Why it was canceled, if cancel-pickup said so';
COMMENT ON COLUMN pickups.patient_id IS 'The patient whom it concerns';
COMMENT ON COLUMN pickups.version IS 'Incremented by each edit; compared by If-Match';
COMMENT ON COLUMN pickups.created_at IS 'When it was created';
COMMENT ON COLUMN pickups.updated_at IS 'When it last changed';

COMMENT ON TABLE pickup_events IS 'A transition that a pickup made';
COMMENT ON COLUMN pickup_events.id IS 'Id of the event';
COMMENT ON COLUMN pickup_events.pickup_id IS 'The pickup that made the transition';
COMMENT ON COLUMN pickup_events.version IS 'The pickup''s version after the transition';
COMMENT ON COLUMN pickup_events.transition IS 'The transition that was made';
COMMENT ON COLUMN pickup_events.actor_id IS 'The user who did this';
COMMENT ON COLUMN pickup_events.before IS 'The status before';
COMMENT ON COLUMN pickup_events.after IS 'The status after';
COMMENT ON COLUMN pickup_events.driver_id IS 'The driver that the transition set, kept or removed';
COMMENT ON COLUMN pickup_events.created_at IS 'When it was made';

COMMENT ON TABLE pickup_transitions IS 'A transition that a pickup can make, and what it does';
COMMENT ON COLUMN pickup_transitions.transition IS 'The name of the transition';
COMMENT ON COLUMN pickup_transitions.before IS 'The statuses from which it is allowed';
COMMENT ON COLUMN pickup_transitions.after IS 'The resulting status';
COMMENT ON COLUMN pickup_transitions.roles IS 'The roles that may make it';
COMMENT ON COLUMN pickup_transitions.has_driver IS 'Whether the pickup has a driver afterwards';

COMMENT ON TYPE user_role IS 'The role of a user, which determines their permissions
admin: Manages users, groups, facilities, accounts and flags
dispatcher: Assigns drivers and watches all pickups
staff: Books pickups for the facilities of their groups
driver: Collects and delivers the pickups assigned to them
hub: Receives, packs and ships pickups';

COMMENT ON TYPE pickup_status IS 'The status of a pickup
DRAFT: Being prepared: it can be edited, and nothing is charged
SUBMITTED: Booked and charged, without a driver
ASSIGNED: A driver is on the way to collect it
COLLECTED: With the driver, on the way to the hub
RECEIVED: At the hub
PACKED: Packed at the hub
SHIPPED: On the way to its destination
DELIVERED: Arrived; it does not change any more
CANCELED: Called off and refunded; it does not change any more';

COMMENT ON TYPE transition_name IS 'A transition of a pickup from one status to another
submit: Books it and charges the account
assign: Gives it to a driver who is named
dispatch: Gives it to the nearest free driver on duty
release: Takes it from its driver
cancel: Calls it off, refunds what was charged and frees the driver
collect: The driver has collected it
receive: The hub has received it
pack: The hub has packed it
ship: It has left the hub
deliver: It has arrived';

COMMENT ON TYPE appointment_status IS 'The status of an appointment
BOOKED: It is to take place
ARRIVED: The patient is there
FULFILLED: It has taken place
NO_SHOW: The patient did not come
CANCELED: It does not take place, or the facility''s list no longer has it';

COMMENT ON TYPE entry_kind IS 'The kind of a ledger entry
charge: Reduces the balance
refund: Returns what a pickup was charged
deposit: Adds to the balance';

COMMENT ON TYPE message_status IS 'The delivery status of a text
QUEUED: To be sent to the gateway
SENT: Accepted by the gateway
FAILED: Not sent, and not tried again: see reason';

-- +goose Down
COMMENT ON TABLE accounts IS NULL;
COMMENT ON COLUMN accounts.id IS NULL;
COMMENT ON COLUMN accounts.name IS NULL;
COMMENT ON COLUMN accounts.currency IS NULL;
COMMENT ON COLUMN accounts.balance_cents IS NULL;
COMMENT ON COLUMN accounts.version IS NULL;
COMMENT ON COLUMN accounts.created_at IS NULL;
COMMENT ON TABLE ledger_entries IS NULL;
COMMENT ON COLUMN ledger_entries.id IS NULL;
COMMENT ON COLUMN ledger_entries.account_id IS NULL;
COMMENT ON COLUMN ledger_entries.kind IS NULL;
COMMENT ON COLUMN ledger_entries.amount_cents IS NULL;
COMMENT ON COLUMN ledger_entries.delta_cents IS NULL;
COMMENT ON COLUMN ledger_entries.note IS NULL;
COMMENT ON COLUMN ledger_entries.pickup_id IS NULL;
COMMENT ON COLUMN ledger_entries.actor_id IS NULL;
COMMENT ON COLUMN ledger_entries.created_at IS NULL;
COMMENT ON TABLE drivers IS NULL;
COMMENT ON COLUMN drivers.id IS NULL;
COMMENT ON COLUMN drivers.user_id IS NULL;
COMMENT ON COLUMN drivers.name IS NULL;
COMMENT ON COLUMN drivers.on_duty IS NULL;
COMMENT ON COLUMN drivers.latitude IS NULL;
COMMENT ON COLUMN drivers.longitude IS NULL;
COMMENT ON COLUMN drivers.located_at IS NULL;
COMMENT ON COLUMN drivers.version IS NULL;
COMMENT ON COLUMN drivers.created_at IS NULL;
COMMENT ON TABLE facilities IS NULL;
COMMENT ON COLUMN facilities.id IS NULL;
COMMENT ON COLUMN facilities.name IS NULL;
COMMENT ON COLUMN facilities.address IS NULL;
COMMENT ON COLUMN facilities.latitude IS NULL;
COMMENT ON COLUMN facilities.longitude IS NULL;
COMMENT ON COLUMN facilities.max_cancel_share IS NULL;
COMMENT ON COLUMN facilities.version IS NULL;
COMMENT ON COLUMN facilities.created_at IS NULL;
COMMENT ON TABLE flags IS NULL;
COMMENT ON COLUMN flags.name IS NULL;
COMMENT ON COLUMN flags.enabled IS NULL;
COMMENT ON COLUMN flags.version IS NULL;
COMMENT ON COLUMN flags.updated_at IS NULL;
COMMENT ON TABLE groups IS NULL;
COMMENT ON COLUMN groups.id IS NULL;
COMMENT ON COLUMN groups.name IS NULL;
COMMENT ON COLUMN groups.version IS NULL;
COMMENT ON COLUMN groups.created_at IS NULL;
COMMENT ON TABLE group_facilities IS NULL;
COMMENT ON COLUMN group_facilities.group_id IS NULL;
COMMENT ON COLUMN group_facilities.facility_id IS NULL;
COMMENT ON COLUMN group_facilities.created_at IS NULL;
COMMENT ON TABLE group_members IS NULL;
COMMENT ON COLUMN group_members.group_id IS NULL;
COMMENT ON COLUMN group_members.user_id IS NULL;
COMMENT ON COLUMN group_members.created_at IS NULL;
COMMENT ON TABLE messages IS NULL;
COMMENT ON COLUMN messages.id IS NULL;
COMMENT ON COLUMN messages.pickup_id IS NULL;
COMMENT ON COLUMN messages.to_number IS NULL;
COMMENT ON COLUMN messages.body IS NULL;
COMMENT ON COLUMN messages.status IS NULL;
COMMENT ON COLUMN messages.reason IS NULL;
COMMENT ON COLUMN messages.created_at IS NULL;
COMMENT ON COLUMN messages.sent_at IS NULL;
COMMENT ON TABLE patients IS NULL;
COMMENT ON COLUMN patients.id IS NULL;
COMMENT ON COLUMN patients.facility_id IS NULL;
COMMENT ON COLUMN patients.external_id IS NULL;
COMMENT ON COLUMN patients.given_name IS NULL;
COMMENT ON COLUMN patients.family_name IS NULL;
COMMENT ON COLUMN patients.birth_date IS NULL;
COMMENT ON COLUMN patients.phone IS NULL;
COMMENT ON COLUMN patients.version IS NULL;
COMMENT ON COLUMN patients.created_at IS NULL;
COMMENT ON TABLE patient_consents IS NULL;
COMMENT ON COLUMN patient_consents.id IS NULL;
COMMENT ON COLUMN patient_consents.patient_id IS NULL;
COMMENT ON COLUMN patient_consents.facility_id IS NULL;
COMMENT ON COLUMN patient_consents.allowed IS NULL;
COMMENT ON COLUMN patient_consents.actor_id IS NULL;
COMMENT ON COLUMN patient_consents.created_at IS NULL;
COMMENT ON COLUMN patient_consents.seq IS NULL;
COMMENT ON TABLE phi_reads IS NULL;
COMMENT ON COLUMN phi_reads.id IS NULL;
COMMENT ON COLUMN phi_reads.patient_id IS NULL;
COMMENT ON COLUMN phi_reads.user_id IS NULL;
COMMENT ON COLUMN phi_reads.operation IS NULL;
COMMENT ON COLUMN phi_reads.created_at IS NULL;
COMMENT ON TABLE phone_numbers IS NULL;
COMMENT ON COLUMN phone_numbers.id IS NULL;
COMMENT ON COLUMN phone_numbers.user_id IS NULL;
COMMENT ON COLUMN phone_numbers.number IS NULL;
COMMENT ON COLUMN phone_numbers.created_at IS NULL;
COMMENT ON TABLE users IS NULL;
COMMENT ON COLUMN users.id IS NULL;
COMMENT ON COLUMN users.email IS NULL;
COMMENT ON COLUMN users.name IS NULL;
COMMENT ON COLUMN users.role IS NULL;
COMMENT ON COLUMN users.active IS NULL;
COMMENT ON COLUMN users.version IS NULL;
COMMENT ON COLUMN users.created_at IS NULL;
COMMENT ON TABLE appointments IS NULL;
COMMENT ON COLUMN appointments.id IS NULL;
COMMENT ON COLUMN appointments.facility_id IS NULL;
COMMENT ON COLUMN appointments.patient_id IS NULL;
COMMENT ON COLUMN appointments.external_id IS NULL;
COMMENT ON COLUMN appointments.starts_at IS NULL;
COMMENT ON COLUMN appointments.ends_at IS NULL;
COMMENT ON COLUMN appointments.status IS NULL;
COMMENT ON COLUMN appointments.created_at IS NULL;
COMMENT ON COLUMN appointments.updated_at IS NULL;
COMMENT ON TABLE pickups IS NULL;
COMMENT ON COLUMN pickups.id IS NULL;
COMMENT ON COLUMN pickups.status IS NULL;
COMMENT ON COLUMN pickups.facility_id IS NULL;
COMMENT ON COLUMN pickups.account_id IS NULL;
COMMENT ON COLUMN pickups.requested_by IS NULL;
COMMENT ON COLUMN pickups.driver_id IS NULL;
COMMENT ON COLUMN pickups.price_cents IS NULL;
COMMENT ON COLUMN pickups.charged_cents IS NULL;
COMMENT ON COLUMN pickups.refunded_cents IS NULL;
COMMENT ON COLUMN pickups.pickup_address IS NULL;
COMMENT ON COLUMN pickups.pickup_latitude IS NULL;
COMMENT ON COLUMN pickups.pickup_longitude IS NULL;
COMMENT ON COLUMN pickups.dropoff_address IS NULL;
COMMENT ON COLUMN pickups.window_start IS NULL;
COMMENT ON COLUMN pickups.window_end IS NULL;
COMMENT ON COLUMN pickups.note IS NULL;
COMMENT ON COLUMN pickups.cancel_reason IS NULL;
COMMENT ON COLUMN pickups.patient_id IS NULL;
COMMENT ON COLUMN pickups.version IS NULL;
COMMENT ON COLUMN pickups.created_at IS NULL;
COMMENT ON COLUMN pickups.updated_at IS NULL;
COMMENT ON TABLE pickup_events IS NULL;
COMMENT ON COLUMN pickup_events.id IS NULL;
COMMENT ON COLUMN pickup_events.pickup_id IS NULL;
COMMENT ON COLUMN pickup_events.version IS NULL;
COMMENT ON COLUMN pickup_events.transition IS NULL;
COMMENT ON COLUMN pickup_events.actor_id IS NULL;
COMMENT ON COLUMN pickup_events.before IS NULL;
COMMENT ON COLUMN pickup_events.after IS NULL;
COMMENT ON COLUMN pickup_events.driver_id IS NULL;
COMMENT ON COLUMN pickup_events.created_at IS NULL;
COMMENT ON TABLE pickup_transitions IS NULL;
COMMENT ON COLUMN pickup_transitions.transition IS NULL;
COMMENT ON COLUMN pickup_transitions.before IS NULL;
COMMENT ON COLUMN pickup_transitions.after IS NULL;
COMMENT ON COLUMN pickup_transitions.roles IS NULL;
COMMENT ON COLUMN pickup_transitions.has_driver IS NULL;
COMMENT ON TYPE user_role IS NULL;
COMMENT ON TYPE pickup_status IS NULL;
COMMENT ON TYPE transition_name IS NULL;
COMMENT ON TYPE appointment_status IS NULL;
COMMENT ON TYPE entry_kind IS NULL;
COMMENT ON TYPE message_status IS NULL;
