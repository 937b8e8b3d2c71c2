#!/bin/sh
# Makes the secrets of a compose installation, once: make-secrets.sh DIR
#
# Each folder of DIR is a volume of its own, mounted only where it is needed: gateways and commands get `gateway`; the
# privacy worker gets `privacy`, in which nothing is that opens the vault; workers and the archiver get `worker`, in
# which no key is that names a shopper; Postgres gets `postgres`.
# What is there stays: without HOTBASKET_IDENTITY_SECRET no shopper is recognised again, so keep a copy of `gateway`.
set -eu

dir=$1
umask 022
# At each start, so that a key that was changed in `gateway` is changed there too.
for_privacy() {
    grep -E '^HOTBASKET_(POSTGRES|SUBSCRIPTION|IDENTITY)_' "$dir/gateway/hotbasket.env" > "$dir/privacy/unfinished"
    mv "$dir/privacy/unfinished" "$dir/privacy/hotbasket.env"
}
if [ -s "$dir/gateway/hotbasket.env" ]; then
    for_privacy
    echo "secrets are there, and stay as they are"
    exit 0
fi
hex() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

control=$(hex)
vault=$(hex)
hex > "$dir/grafana/admin"
hex > "$dir/postgres/admin"
printf '%s' "$control" > "$dir/postgres/control"
printf '%s' "$vault" > "$dir/postgres/vault"
printf 'HOTBASKET_POSTGRES_PASSWORD=%s\n' "$control" > "$dir/worker/hotbasket.env"
{
    printf 'HOTBASKET_POSTGRES_PASSWORD=%s\n' "$control"
    printf 'HOTBASKET_VAULT_PASSWORD=%s\n' "$vault"
    for one in SUBSCRIPTION IDENTITY VAULT; do
        printf 'HOTBASKET_%s_SECRET=%s\n' "$one" "$(hex)"
    done
} > "$dir/gateway/unfinished"
# Last and whole: it is what says that all are made.
mv "$dir/gateway/unfinished" "$dir/gateway/hotbasket.env"
for_privacy
echo "secrets made"
