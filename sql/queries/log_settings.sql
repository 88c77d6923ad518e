-- Lists the settings with which the server's log would contain values of rows and requests, each with
-- its recommended value: no row if all is well. A log in CSV or JSON contains the DETAIL of errors,
-- whatever their verbosity.
-- name: ListLeakyLogSettings :many
SELECT s.name::text AS name, s.wanted::text AS wanted
FROM (
    VALUES
        ('log_error_verbosity', 'terse', current_setting('log_error_verbosity') <> 'terse'),
        ('log_destination', 'stderr or syslog', current_setting('log_destination') ~ 'csvlog|jsonlog'),
        ('log_parameter_max_length_on_error', '0', current_setting('log_parameter_max_length_on_error') <> '0'),
        ('log_parameter_max_length', '0', current_setting('log_parameter_max_length') <> '0'
            AND (current_setting('log_statement') IN ('mod', 'all')
                OR current_setting('log_min_duration_statement') <> '-1'
                OR current_setting('log_min_duration_sample') <> '-1'))
) AS s (name, wanted, is_telling)
WHERE s.is_telling
ORDER BY s.name
LIMIT 10;
