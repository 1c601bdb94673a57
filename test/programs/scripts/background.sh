#!/bin/sh
# Background jobs: $!, wait with and without a process, status, several at once, output kept in order by files.
(sleep 0.05; echo slow) > bg1 &
one=$!
(echo quick) > bg2 &
two=$!
wait $one; echo "one $?"
wait $two; echo "two $?"
cat bg1 bg2
(exit 3) & wait $!; echo "status $?"
sleep 5 & kill $!; wait $!; echo "killed $?"
for i in 1 2 3 4; do (sleep 0.0$((5 - i)); echo $i > done.$i) & done
wait
cat done.1 done.2 done.3 done.4
wait; echo "nothing left: $?"
(trap 'exit 4' TERM; sleep 0.05 & wait; while :; do sleep 0.01; done) &
child=$!
sleep 0.1
kill -TERM $child
wait $child; echo "child $?"
sleep 0.05 &
while kill -0 $! 2>/dev/null; do sleep 0.02; done
echo gone
wait $!; echo "late wait $?"
