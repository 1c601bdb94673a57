#!/bin/bash
# Stopped and continued children, as job control sees them.
set -m
sleep 0.3 &
kill -STOP %1; sleep 0.05; jobs | cut -c1-24
kill -CONT %1; sleep 0.05; jobs | cut -c1-24
wait %1; echo "status $?"
sh -c 'kill -STOP $$; echo resumed' &
sleep 0.1; jobs | cut -c1-13
bg %1 > /dev/null; wait %1; echo "status $?"
suspended() { kill -TSTP $BASHPID; echo "after stop"; }
suspended &
sleep 0.1; fg %1 > /dev/null; echo "fg $?"
