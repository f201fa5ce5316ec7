#!/bin/sh
# The original's calls and DeepFace's, with curl, against a running service.
#   examples/http/calls.sh PHOTOGRAPH ANOTHER [URL]
# Both show one live face of the same person. KEY in the environment is sent as X-API-Key.
# Each line printed is a status and a call; another status than the expected one ends it with 1.
set -eu
face="$1"
other="$2"
url="${3:-http://127.0.0.1:8001}"
api="$url/api/v1"
user="example-$$"
answer="$(mktemp)"
trap 'rm -f "$answer"' EXIT

# call EXPECTED-STATUS CURL-ARGUMENTS...
call() {
    expected="$1"
    shift
    status="$(curl -sS -o "$answer" -w '%{http_code}' ${KEY:+-H "X-API-Key: $KEY"} "$@")"
    echo "$status $*"
    if [ "$status" != "$expected" ]; then
        echo "expected $expected, found $status: $(cat "$answer")" >&2
        exit 1
    fi
}

# health
call 200 "$api/health"
call 200 "$api/health/live"
call 200 "$api/health/ready"
call 200 "$api/health/detailed"

# without a person
call 200 -F "file=@$face" "$api/liveness"
call 200 -F "file1=@$face" -F "file2=@$other" "$api/compare"
call 200 -F "file1=@$face" -F "file2=@$other" "$api/compare?threshold=0.4"
call 200 -F "file=@$face" "$api/faces/detect-all"
call 200 -F "file=@$face" "$api/faces/detect-all?max_faces=3"
call 200 -F "file=@$face" -F "file2=@$other" "$api/inspect"

# a person: enrolled, verified, found, deleted
call 200 -F "user_id=$user" -F "file=@$face" -H "Idempotency-Key: $user" "$api/enroll"
call 200 -F "user_id=$user" -F "file=@$face" -F "client_embedding=[0.1]" "$api/verify"
call 200 -F "file=@$face" -F "max_results=3" "$api/search"
call 200 -X DELETE "$api/enroll/$user"
call 404 -F "user_id=$user" -F "file=@$face" "$api/verify"
call 200 -F "user_id=$user" -F "files=@$face" -F "files=@$face" "$api/enroll/multi"
call 200 -X DELETE "$api/enroll/$user?tenant_id=default"

# DeepFace's shape: files, then base64 in JSON
call 200 "$url/deepface/"
call 200 -F "img1=@$face" -F "img2=@$other" -F "distance_metric=euclidean_l2" "$url/deepface/verify"
call 200 -F "img=@$face" -F "max_faces=1" "$url/deepface/represent"
{
    printf '{"img1": "data:image/jpeg;base64,'
    base64 <"$face" | tr -d '\n'
    printf '", "img2": "data:image/jpeg;base64,'
    base64 <"$other" | tr -d '\n'
    printf '", "anti_spoofing": true}'
} | call 200 -H "Content-Type: application/json" -d @- "$url/deepface/verify"

# refused by name
call 400 -F "img1=/etc/passwd" -F "img2=http://127.0.0.1/a.jpg" "$url/deepface/verify"
call 415 -d "user_id=x" "$api/liveness"
