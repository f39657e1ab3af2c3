#!/bin/sh
# What the tests need from Debian, and nothing of it is for users: a PostgreSQL and a Redis to start on free ports, a browser,
# curl, a font, and a keyring.
# Installs what is missing where that is allowed (root, or sudo without a password); else says the command and fails.
set -eu

needed="postgresql chromium curl fonts-dejavu-core redis-server gnome-keyring dbus-daemon"
missing=""
for package in $needed; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "The tests need Debian packages; as root: apt-get update && apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi

# The package would start a cluster of its own on port 5432; the tests start theirs. A file that is there is left alone.
cluster=/etc/postgresql-common/createcluster.conf
if [ ! -e "$cluster" ]; then
    $as_root mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as_root tee "$cluster" >/dev/null
fi
echo "Installing$missing" >&2
$as_root apt-get -o DPkg::Lock::Timeout=300 -q update >&2
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
    -q install -y --no-install-recommends $missing >&2
