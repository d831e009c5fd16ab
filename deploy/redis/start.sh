#!/bin/sh
# Starts Redis with one user a role (users.acl). Passwords come from REDIS_<NAME>_PASSWORD or the file that
# REDIS_<NAME>_PASSWORD_FILE names; Redis gets their hashes. Arguments are for redis-server.
set -eu
umask 077
here=$(dirname "$0")
server=${REDIS_SERVER:-redis-server}
version=$("$server" --version | sed -n 's/.*v=\([0-9]*\)\..*/\1/p')
if grep -q '^  (' "$here/users.acl" && [ "${version:-0}" -lt 7 ]; then
  echo "$server: is Redis ${version:-of a version that it does not tell}; users.acl needs Redis 7: install it, or say where it is with REDIS_SERVER" >&2
  exit 2
fi
users=${USERS_FILE:-/tmp/users.acl}
hashes=
for name in $(sed -n 's/^user .*{\([A-Z]*\)}.*/\1/p' "$here/users.acl"); do
  eval "password=\${REDIS_${name}_PASSWORD:-} file=\${REDIS_${name}_PASSWORD_FILE:-}"
  if [ -n "$file" ]; then password=$(cat "$file"); fi
  if [ -z "$password" ]; then
    echo "REDIS_${name}_PASSWORD: not set, nor REDIS_${name}_PASSWORD_FILE; every user needs a password" >&2
    exit 2
  fi
  hash=$(printf %s "$password" | sha256sum | cut -d' ' -f1)
  hashes="$hashes -e s/{$name}/#$hash/"
done
awk '/^#/ || /^$/ { next } /^user/ { if (line) print line; line = $0; next } { sub(/^ +/, " "); line = line $0 } END { print line }' \
  "$here/users.acl" | sed $hashes >"$users"
exec "$server" "$@" --aclfile "$users"
