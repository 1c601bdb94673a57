{ cat bench.scm; echo ",exit 0"; } | scheme48 -a batch | grep -oE "(fib|tak|primes|sum|string|closures|call/cc) [^#]*"
