#!/bin/sh
# Writes one file of environment variables for each user of Redis and for the database: make_env.sh FOLDER DATABASE_URL
# BROKER and FRAMES say where the two Redis are (host:port). A file that exists is left alone, and so is its password.
set -eu
umask 077
folder=$1 database_url=$2
mkdir -p "$folder"

if [ ! -e "$folder/redis.env" ]; then
  for user in ADMIN PRODUCER WORKER WRITER FLOWER; do
    echo "REDIS_${user}_PASSWORD=$(openssl rand -hex 24)"
  done >"$folder/redis.env"
fi
. "$folder/redis.env"

redis_urls() {
  echo "SIGHTLINE_REDIS_URL=redis://$1:$2@${BROKER:-127.0.0.1:6379}/0"
  echo "SIGHTLINE_FRAMES_URL=redis://$1:$2@${FRAMES:-127.0.0.1:6380}/0"
}
write() { [ -e "$folder/$1.env" ] || cat >"$folder/$1.env"; }

redis_urls producer "$REDIS_PRODUCER_PASSWORD" | write producer
redis_urls worker "$REDIS_WORKER_PASSWORD" | write worker
redis_urls writer "$REDIS_WRITER_PASSWORD" | write writer
{
  redis_urls flower "$REDIS_FLOWER_PASSWORD"
  echo "FLOWER_BASIC_AUTH=sightline:$(openssl rand -hex 24)"
} | write flower
echo "SIGHTLINE_DATABASE_URL=$database_url" | write database
cat <<END | write sightline
SIGHTLINE_DATA_DIR=/var/lib/sightline
SIGHTLINE_MODELS_DIR=/var/lib/sightline/models
END
