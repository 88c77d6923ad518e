-- +goose Up
CREATE TABLE teams (id uuid CONSTRAINT teams_pkey PRIMARY KEY);
CREATE TABLE people (
    id uuid NOT NULL,
    team_id uuid NOT NULL CONSTRAINT people_team_fkey REFERENCES teams,
    name text NOT NULL,
    digest bytea GENERATED ALWAYS AS (digest(name, 'sha256')) STORED,
    CONSTRAINT people_pkey PRIMARY KEY (id, team_id)
);
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY people_team ON people USING (team_id::text = current_setting('notes.team', true));
CREATE TABLE reads (
    team_id uuid NOT NULL,
    person_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reads_pkey PRIMARY KEY (team_id, person_id, at)
);
GRANT SELECT, INSERT ON teams, people, reads TO notes_app;
GRANT SELECT ON teams TO notes_reports;
-- +goose Down
DROP TABLE reads;
DROP TABLE people;
DROP TABLE teams;
