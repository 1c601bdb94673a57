#!/bin/sh
# Control flow: functions, case, loops, return, break, continue, getopts, set -e, eval, local, recursion, read.
f() { local v=inner; echo "$v $1"; return 4; }
v=outer; f arg; echo "$? $v"
for w in apple banana cherry; do
  case $w in a*) echo "$w a";; *[!a]) echo "$w other";; b?n*) echo "$w b"; ;; esac
done
i=0; while :; do i=$((i + 1)); [ $i -eq 2 ] && continue; [ $i -gt 4 ] && break; echo $i; done
until [ $i -eq 0 ]; do i=$((i - 1)); done; echo "i $i"
for a in 1 2; do for b in x y; do [ $b = y ] && continue 2; echo $a$b; done; done
opts() { OPTIND=1; while getopts ab:c o; do case $o in a) echo A;; b) echo "B=$OPTARG";; c) echo C;; ?) echo bad;; esac; done; shift $((OPTIND - 1)); echo "rest $*"; }
opts -a -b val -c x y; opts -bval -z 2>/dev/null
(set -e; echo before; false; echo not reached); echo "set -e $?"
(set -u; echo "$undefined_thing") 2>/dev/null; echo "set -u $?"
eval 'k=v; echo "eval $k"'
. ./bin/sourced.sh; sourced arg
echo "a:b c:d" | { IFS=: read x y z; echo "$x|$y|$z"; }
printf 'no newline' | { read x; echo "$x $?"; }
command -v cd ls no-such-command | sed 's,.*/,,'
type cd | head -1
test -d tree -a ! -L tree && echo dir; [ -L tree/links/relative ] && echo link; [ -p tree/fifo ] && echo fifo; [ -x bin/hello.sh ] && echo exec; [ -u tree/modes/m4755 ] && echo setuid
[ text/old -nt tree/size-1 ] && echo newer; [ tree/links/one -ef tree/links/two ] && echo same
bin/hello.sh a 'b c'; echo "status $?"
bin/interpreter-missing 2>/dev/null; echo "missing interpreter $?"
./bin/no-interpreter
./text/old 2>/dev/null; echo "not executable $?"; no-such-command 2>/dev/null; echo "not found $?"; ./tree 2>/dev/null; echo "directory $?"
exec sh -c 'echo replaced; exit 6'
