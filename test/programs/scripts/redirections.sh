#!/bin/sh
# Redirections: append, descriptors, closing, noclobber, both ways, a loop's, duplicated and moved.
echo one > r1; echo two >> r1; cat < r1
ls no-such-file 2> err; echo "status $?"; wc -l < err
ls no-such-file tree/size-1 > out 2>&1; wc -l < out
exec 3> r3; echo three >&3; exec 3>&-; cat r3
exec 4< r1; read first <&4; read second <&4; echo "$second $first"; exec 4<&-
(echo x >&3) 2>/dev/null; echo "closed: $?"
set -C; (echo clobber > r1) 2>/dev/null; echo "noclobber $?"; echo forced >| r1; set +C; cat r1
exec 5<> rw; echo hello >&5; cat rw; exec 5>&-
for i in 1 2 3; do echo "loop $i"; done > loop; cat loop
{ echo out; echo err >&2; } 2> e2 > o2; cat e2 o2
cat < /dev/null; echo "null $?"; echo gone > /dev/null
: > empty; [ -s empty ] || echo "empty file"
echo appended >> text/old; tail -1 text/old
cat no-such < r1 2>/dev/null - ; echo "cat $?"
umask 077; echo secret > private; ls -l private | cut -c1-10; umask
(cd tree && pwd && cd a/b && pwd && cd ../.. && pwd -P); pwd
