#!/bin/busybox sh
# busybox's shell and its own applets.
for applet in md5sum sha1sum sha256sum sha3sum wc; do busybox $applet text/words.txt; done
busybox ls -l tree/modes | busybox awk '{ print $1, $NF }'
busybox find tree -type f -size +4k | busybox sort
busybox sed -n '/kernel/{s//KERNEL/g;p;q}' text/words.txt
busybox awk -F, '$3 > 900 { n++; s += $3 } END { print n, s }' text/table.csv
busybox tar cf b.tar tree/a text && busybox tar tf b.tar | busybox sort | busybox head -5; rm b.tar
busybox gzip -c text/words.txt | busybox gunzip | busybox cmp - text/words.txt && echo round trip
busybox grep -c page text/words.txt; busybox cut -d, -f2 text/table.csv | busybox sort | busybox uniq -c | busybox sort -rn | busybox head -3
x=$((1 << 40)); echo $x ${#x}; f() { local y=$1; echo "f $y"; }; f arg
busybox printf '%s-%d\n' a 1 b 2; busybox expr 3 + 4; busybox seq -s, 1 5; busybox tr a-z A-Z < text/months.txt
busybox cp -a tree copy && busybox diff -r tree/a copy/a && echo same
busybox stat -c '%n %s %a %u:%g' tree/size-4097; busybox readlink -f tree/links/relative; busybox basename a/b.c .c
busybox dd if=tree/size-70001 bs=1k count=3 2>/dev/null | busybox od -An -tx1 | busybox tail -1
busybox vi --help 2>&1 | busybox head -1; busybox true && busybox false; echo $?
busybox unzip 2>/dev/null; busybox xargs -n2 echo < text/months.txt; busybox bc 2>/dev/null <<END
2^100
END
sleep 0.01 & wait $!; echo "waited $?"
