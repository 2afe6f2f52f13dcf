#!/bin/sh
# repeat.sh COUNT PARALLEL FILE COMMAND…: runs the command COUNT times, PARALLEL at once, with FILE as its input.
set -eu
count=$1 parallel=$2 file=$3
shift 3

work() {
  number=$1
  shift
  while [ "$number" -lt "$count" ]; do
    "$@" < "$file" || exit 1
    number=$((number + parallel))
  done
}

started=0
pids=
while [ "$started" -lt "$parallel" ]; do
  work "$started" "$@" &
  pids="$pids $!"
  started=$((started + 1))
done
for pid in $pids; do wait "$pid"; done
