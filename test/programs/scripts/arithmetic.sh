#!/bin/sh
# Arithmetic: operators, precedence, variables, bases, overflow of 64 bits on a 32-bit machine.
a=7 b=3
echo $((a + b)) $((a - b)) $((a * b)) $((a / b)) $((a % b)) $((-a / b)) $((-a % b))
echo $((a << 4)) $((-a >> 1)) $((a & b)) $((a | b)) $((a ^ b)) $((~a)) $((!a)) $((a && 0)) $((a || 0))
echo $((a > b ? 10 : 20)) $((a = 5)) $a $((a += 2)) $a
echo $((0x10)) $((010)) $((1 + 2 * 3)) $(((1 + 2) * 3))
echo $((9223372036854775807)) $((9223372036854775807 + 1)) $((1 << 62)) $((123456789 * 987654321))
echo $((4294967296 / 3)) $((1000000007 * 1000000007 % 998244353)) $((-9223372036854775807 / 7))
i=0; s=0; while [ $i -lt 300 ]; do s=$((s + i * i)); i=$((i + 1)); done; echo $s
expr 7 + 3 \* 2; expr length abcdef; expr abc : 'a\(.*\)'; expr 5 \> 3; expr 0; echo "expr status $?"
fib() { if [ $1 -lt 2 ]; then echo $1; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }
fib 5
