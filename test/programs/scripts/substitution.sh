#!/bin/sh
# Command substitution and expansion of parameters, words and patterns.
a=$(echo one; echo two)
echo "$a" | wc -l
echo $(echo $(echo nested))
echo `echo back\`echo ticks\``
x=path/to/file.tar.gz
echo "${x##*/} ${x%/*} ${x%.gz} ${x%%.*} ${x#*/} ${#x}"
unset u; echo "${u-unset} ${u:-empty} ${u:=assigned} ${u:+set}"
e=; echo "[${e-unset}] [${e:-empty}]"
(unset q; : "${q:?no q}") 2>/dev/null; echo "status $?"
set -- a "b c" d
echo $# "$*" "$@"; IFS=-; echo "$*"; IFS=' '
for i; do echo "<$i>"; done
shift; echo "$1"
echo tree/size-* | tr ' ' '\n' | head -3
echo tree/names/* tree/names/.d* no*match
echo ~ ~root
echo 'single $x' "double \$x \" \\" un\ quoted
printf '%s|%5d|%-5s|%x|%o|%c|%%\n' str 42 ab 255 8 char
printf '%s\n' a b c
echo "lines: $(wc -l < text/words.txt)"
v=$(false); echo "status of substitution $?"
