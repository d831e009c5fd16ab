#!/bin/sh
# Starts Redis with one user a role (users.acl). Passwords come from REDIS_<NAME>_PASSWORD or the file that
# REDIS_<NAME>_PASSWORD_FILE names; Redis gets their hashes. REDIS_QUEUES names further queues, of pipelines that packages
# bring: whoever may do something with gpu.detect may do it with them. REDIS_PREFIX is that of all keys, where
# SIGHTLINE_REDIS_URL has one (?prefix=acme:). Arguments are for redis-server.
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
for queue in ${REDIS_QUEUES:-}; do
  case $queue in
    *[!a-z0-9._-]*)
      echo "REDIS_QUEUES: '$queue' is no name of a queue: a to z, 0 to 9, . _ - (separate several by spaces)" >&2
      exit 2
      ;;
  esac
done
case ${REDIS_PREFIX:-} in
  *[!A-Za-z0-9_.:-]*)
    echo "REDIS_PREFIX: '$REDIS_PREFIX' is no prefix of keys: letters, digits, . _ : -" >&2
    exit 2
    ;;
esac
awk -v queues="${REDIS_QUEUES:-}" -v prefix="${REDIS_PREFIX:-}" '
  function with_queues(line,  count, names, each) {
    count = split(queues, names, " ")
    for (each = 1; each <= count; each++) {
      gsub(/~gpu\.detect\?\?\[1-9\]/, "& ~" names[each] " ~" names[each] "??[1-9]", line)
      gsub(/%R~gpu\.detect\*/, "& %R~" names[each] "*", line)
    }
    if (line !~ /^user (admin|default) /) gsub(/[~&]/, "&" prefix, line)
    return line
  }
  /^#/ || /^$/ { next }
  /^user/ { if (line) print with_queues(line); line = $0; next }
  { sub(/^ +/, " "); line = line $0 }
  END { print with_queues(line) }' "$here/users.acl" | sed $hashes >"$users"
exec "$server" "$@" --aclfile "$users"
