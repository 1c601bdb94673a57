#!/bin/sh
# Here documents: expanded, quoted, tabs stripped, two on one line, large ones (by pipe or file).
name=world
cat <<END
hello $name
two and two: $((2 + 2))
sub: $(echo inside)
END
cat <<'END'
not $name $(echo at all)
END
cat <<-END
	tabs
	  stripped
END
cat <<A; cat <<B
first
A
second
B
sort -r <<END | head -2
a
c
b
END
big() { long=$(printf '%01000d' 7); i=0; while [ $i -lt 70 ]; do echo "line $i, more than a pipe holds in all: $long"; i=$((i + 1)); done; }
text=$(big)
wc -c <<END
$text
END
while read a b; do echo "$b $a"; done <<END
1 one
2 two
END
