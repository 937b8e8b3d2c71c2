#!/bin/sh
# Runs hotbasket with the settings of a volume of secrets: with-secrets.sh COMMAND...
set -eu

set -a
# shellcheck disable=SC1091 # made by make-secrets.sh
. "${SECRETS:-/run/hotbasket}/hotbasket.env"
set +a
unset SECRETS
exec hotbasket "$@"
