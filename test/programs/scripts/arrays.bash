#!/bin/bash
# bash's own words: arrays, associative arrays, slices, substitution, case, printf -v, mapfile, regular expressions, extended globs.
shopt -s extglob
a=(zero one "two words" three)
echo "${#a[@]} ${a[2]} ${a[@]:1:2} ${a[-1]}"
a+=(four); unset 'a[1]'; echo "${!a[@]}"; printf '<%s>' "${a[@]}"; echo
declare -A m=([red]=1 [green]=2 [blue]=3)
for k in $(printf '%s\n' "${!m[@]}" | sort); do echo "$k=${m[$k]}"; done
s="The quick brown fox"
echo "${s/quick/slow} ${s//o/0} ${s^^} ${s,,} ${s:4:5} ${s: -3}"
[[ $s =~ ([a-z]+)\ ([a-z]+)$ ]] && echo "${BASH_REMATCH[1]}|${BASH_REMATCH[2]}"
[[ abc == a* && ! abc < abb ]] && echo matched
printf -v p '%05.2f' 3.14159; echo "$p"
mapfile -t lines < text/versions.txt; echo "${#lines[@]} ${lines[0]}"
shopt -s nullglob; echo tree/size-+([0-9])0?(95) ; echo no-match-*
shopt -s globstar; echo tree/**/note* | tr ' ' '\n' | sort
echo {a,b}{1..3} {10..1..3} {a..e}
echo $'tab\there \x41 \u263a'
((x = 5, x **= 2)); echo $x; for ((i = 0; i < 3; i++)); do echo -n "$i "; done; echo
let y=x/4; echo $y; echo $((2#1011 + 16#ff + x++)) $x
select_words() { local -n ref=$1; ref+=(added); }; select_words a; echo "${a[@]: -1}"
IFS=, read -ra f <<< "a,b,,d"; echo "${#f[@]} ${f[3]}"
echo "${s@Q}" "${s@U}"; printf '%q\n' "a b'c"
declare -i n=3; n+=4; echo $n; declare -r ro=1; (ro=2) 2>/dev/null; echo "readonly $?"
f() { echo "${FUNCNAME[0]} ${BASH_SOURCE[0]##*/} $LINENO"; }; f
case x in x) echo one;;& [a-z]) echo two;& y) echo three;; esac
