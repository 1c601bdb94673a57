#!/bin/sh
# Pipelines: order of bytes, status of the last, early readers, SIGPIPE in the writer.
cat text/words.txt | tr ' ' '\n' | sort | uniq -c | sort -rn | head -5
false | true; echo "status $?"
true | false; echo "status $?"
! true; echo "negated $?"
yes | head -3
seq 1 8000 | tail -1
(echo one; echo two >&2; echo three) 2>&1 | cat
{ echo a; echo b; } | while read x; do echo "got $x"; done
echo to-a-subshell | (read x; echo "read $x")
seq 10 | tee seq.out | wc -l
cat seq.out | paste -sd+ | sed 's/^/sum: /'
