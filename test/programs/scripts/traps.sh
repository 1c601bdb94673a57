#!/bin/sh
# Traps: EXIT, signals to the shell itself, ignored signals, a subshell's own, status kept.
trap 'echo "exit trap, status $?"' EXIT
trap 'echo got USR1' USR1
trap 'echo got TERM; term=1' TERM
kill -USR1 $$
echo after usr1
kill -TERM $$
echo "term=$term"
trap '' HUP
kill -HUP $$
echo survived hup
(trap 'echo subshell exit' EXIT; exit 5)
echo "subshell status $?"
trap - USR1
(kill -USR1 "$(sh -c 'echo $PPID')"; echo not reached)
echo "killed status $?"
sh -c 'kill -9 $$'; echo "kill -9: $?"
sh -c 'trap "echo child int; exit 7" INT; kill -INT $$; echo not reached'; echo "int: $?"
f() { trap 'echo in function' USR2; kill -USR2 $$; }
f
exit 9
