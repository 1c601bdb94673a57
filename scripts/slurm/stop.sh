#!/usr/bin/env bash
# Ends what start.sh began in a folder: stop.sh FOLDER.
for file in slurmd.pid slurmctld.pid munge/pid; do
  [ -s "$1/$file" ] && kill "$(cat "$1/$file")" 2> /dev/null
done
exit 0
