#!/bin/sh
# Makes both databases of a compose installation, each with a role that can't reach the other; Postgres' image runs it
# once, when its volume is empty. SECRETS is the folder that holds the roles' passwords.
set -eu

secrets=${SECRETS:-/run/hotbasket}
make_database() {
    psql --set ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres \
        --set role="$1" --set password="$(cat "$secrets/$2")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
}

make_database hotbasket control
make_database hotbasket_vault vault
