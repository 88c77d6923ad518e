-- Who is told of an event, by what happened too: a driver and the hub, who see no price, are not told of a change
-- of it. A former server, which asks by the status alone, tells the hub and the driver that there was one while both
-- versions serve: when and by whom, and no price.
-- +waybill compatible_from: 00057

-- +goose Up
-- Whether the role alone is told of an event, by what happened and the status after it. A driver is told of what is
-- given to them and of what is taken away or done. The transitions are listed, like the statuses: of one that a later
-- migration adds, hub and drivers are told nothing until it is listed here.
CREATE OR REPLACE FUNCTION role_sees_event(
    viewer_role user_role, transition transition_name, after pickup_status, driver_id uuid, viewer_driver_id uuid)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN viewer_role IN ('admin', 'dispatcher') THEN true
    WHEN (transition IN (
        'submit', 'assign', 'dispatch', 'release', 'cancel', 'collect', 'receive', 'pack', 'ship', 'deliver'
    )) IS NOT TRUE THEN false
    WHEN viewer_role = 'hub' THEN after IN ('COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED')
    WHEN viewer_role = 'driver' THEN driver_id = viewer_driver_id
        AND after IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED', 'CANCELED')
    ELSE false
END;

COMMENT ON TYPE transition_name IS 'What happened to a pickup: a transition from one status to another, '
'or a change of what it is charged
submit: Books it and charges the account
assign: Gives it to a driver who is named
dispatch: Gives it to the nearest free driver on duty
release: Takes it from its driver
cancel: Calls it off, refunds what was charged and frees the driver
collect: The driver has collected it
receive: The hub has received it
pack: The hub has packed it
ship: It has left the hub
deliver: It has arrived
reprice: Its price was changed, and the difference charged or refunded; it stays in its status
refund: A part of its charge was refunded; it stays in its status';
COMMENT ON TABLE pickup_events IS 'A transition that a pickup made, or a change of what it is charged';
COMMENT ON COLUMN pickup_events.pickup_id IS 'The pickup';
COMMENT ON COLUMN pickup_events.version IS 'The pickup''s version afterwards';
COMMENT ON COLUMN pickup_events.transition IS 'What happened: the transition, or the change of its charge';
COMMENT ON COLUMN pickup_events.after IS 'The status after; that before, if only the charge was changed';
COMMENT ON TABLE pickup_adjustment_rules IS 'A change of what a pickup is charged, and in which statuses it is allowed';
COMMENT ON COLUMN pickup_adjustment_rules.adjustment IS 'The name of the change';
COMMENT ON COLUMN pickup_adjustment_rules.statuses IS 'The statuses in which it is allowed';

-- +goose Down
COMMENT ON TABLE pickup_events IS 'A transition that a pickup made';
COMMENT ON COLUMN pickup_events.pickup_id IS 'The pickup that made the transition';
COMMENT ON COLUMN pickup_events.version IS 'The pickup''s version after the transition';
COMMENT ON COLUMN pickup_events.transition IS 'The transition that was made';
COMMENT ON COLUMN pickup_events.after IS 'The status after';
COMMENT ON COLUMN pickup_adjustment_rules.statuses IS NULL;
COMMENT ON COLUMN pickup_adjustment_rules.adjustment IS NULL;
COMMENT ON TABLE pickup_adjustment_rules IS NULL;
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
DROP FUNCTION role_sees_event(user_role, transition_name, pickup_status, uuid, uuid);
