-- Whether there is such a database, and what makes it.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1), format('CREATE DATABASE %I', $1)
