#!/bin/bash
# Job control in bash: process groups, jobs, %n, fg, disown, wait -n, coproc, process substitution, pipefail, traps.
set -m
sleep 0.2 & sleep 0.3 &
jobs | cut -c1-40
fg %1 > /dev/null; echo "fg $?"
wait; jobs
set +m
{ sleep 30 & } 2>/dev/null; kill %1; wait %1 2>/dev/null; echo "killed $?"
(sleep 0.1; exit 3) & (sleep 0.3; exit 4) &
wait -n; echo "first $?"; wait -n; echo "second $?"
set -o pipefail; false | true; echo "pipefail $?"; true | true; echo "${PIPESTATUS[@]}"; set +o pipefail
diff <(sort text/months.txt) <(sort -M text/months.txt) > d; echo "diff $?"
cat <(echo from) <(echo substitution)
echo into > >(cat > into.out); sleep 0.1; cat into.out
coproc { while read -r l; do echo "co: $l"; done; }
echo hello >&"${COPROC[1]}"; read -r r <&"${COPROC[0]}"; echo "$r"
exec {COPROC[1]}>&-; wait
trap 'echo "DEBUG $BASH_COMMAND"' DEBUG; true; trap - DEBUG
trap 'echo ERR $?' ERR; false; trap - ERR
trap 'echo "exit trap $?"' EXIT
trap 'echo chld' CHLD; /bin/true; trap - CHLD
(trap 'echo int; exit 8' INT; kill -INT $BASHPID); echo "int $?"
timeout 0.1 sleep 5; echo "timeout $?"
timeout -s KILL 0.1 sleep 5; echo "timeout kill $?"
read -t 0.05 x < <(sleep 0.3); echo "read timed out $(($? > 128))"
kill -l 9; kill -l TERM
times > /dev/null; ulimit -n > /dev/null; hash -r; umask
echo "$SECONDS" > /dev/null; pwd; cd tree/links/directory; pwd; pwd -P; cd - > /dev/null
exit 11
