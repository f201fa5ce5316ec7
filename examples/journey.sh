#!/bin/sh
# A wiped volume heals: bake what is at hand, wipe the cache, boot twice, damage a byte, boot.
#   examples/journey.sh BALLAST [FOLDER-OF-WEIGHTS]
# Works in a folder of its own below /var/tmp and removes it. Uses weights from FOLDER (default
# ./mirror, else made-up files of the same sizes under pins of their own).
set -eu
ballast=$(realpath "$1")
from=${2:-mirror}
work=$(mktemp -d /var/tmp/ballast-journey.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
user=""
[ "$(id -u)" = 0 ] && user="--user 100:101"
say() { printf '\n$ %s\n' "$*"; }

lock=$work/weights.lock
names=$(sed -n 's/^path = "\.deepface\/weights\/\(.*\)"$/\1/p' weights.lock)
lacking=""
for name in $names; do [ -f "$from/$name" ] || lacking="$lacking $name"; done
if [ -z "$lacking" ]; then
    cp weights.lock "$lock"
    source=$(realpath "$from")
else
    echo "not at hand:"
    for name in $lacking; do echo "  $name"; done
    echo "bring them into ./mirror (their addresses are in weights.lock) and run again;"
    echo "meanwhile the journey is shown with made-up files under pins of their own"
    source=$work/made-up
    mkdir "$source"
    printf 'version = 1\n[store]\npath = "%s/cache"\nbaked = "%s/baked"\nenv = "DEEPFACE_HOME"\n' "$work" "$work" > "$lock"
    for name in $names; do
        head -c $((4 * 1024 * 1024 + $(printf %s "$name" | wc -c))) /dev/urandom > "$source/$name"
        sum=$(sha256sum "$source/$name" | cut -d' ' -f1)
        printf '[[weight]]\npath = ".deepface/weights/%s"\nsha256 = "%s"\n' "$name" "$sum" >> "$lock"
    done
fi
chmod 444 "$lock"
cache=$work/cache
mkdir "$cache"
export BALLAST_LOCK=$lock BALLAST_STORE=$cache BALLAST_BAKED=$work/baked
boot() { "$ballast" run $user --report "$work/report.json" -- "$@"; }

say ballast bake
"$ballast" bake --from "$source" "$work/baked"
say "ballast run -- ls    (the volume is empty)"
boot ls -ln "$cache/.deepface/weights"
say "ballast run -- true    (the volume is healthy)"
boot true
first=$(echo "$names" | head -n 1)
say "printf X | dd of=$first    (one byte is damaged)"
printf X | dd of="$cache/.deepface/weights/$first" bs=1 seek=1000000 conv=notrunc status=none
boot true
say "ballast verify --long"
"$ballast" verify --long "$cache"
