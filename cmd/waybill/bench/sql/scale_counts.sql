-- Whether the server counts pages by statement, or can be asked to.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements'),
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements')
        AND current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'
