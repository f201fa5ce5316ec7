#!/bin/sh
# The entrypoint that Ballast replaces, in the replaced service: give the cache to 100:101,
# copy in whatever weight is missing, never block the start, drop, become the command.
BAKED=/opt/baked-models/.deepface/weights
CACHE=/tmp/.deepface/.deepface/weights
chown -R 100:101 /tmp/.deepface 2>/dev/null || true
mkdir -p "$CACHE" 2>/dev/null || true
for baked in "$BAKED"/*; do
    cached="$CACHE/${baked##*/}"
    [ -f "$cached" ] || cp "$baked" "$cached" 2>/dev/null || true
done
chown -R 100:101 /tmp/.deepface 2>/dev/null || true
exec gosu 100:101 "$@"
