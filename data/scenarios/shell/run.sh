# Makes a tree, searches it, packs it, compares what comes out.
set -e
mkdir -p /tmp/day && cd /tmp/day
for d in alpha beta gamma; do
  mkdir -p "tree/$d/deep"
  for i in 1 2 3 4 5 6 7 8; do
    seq "$((i * 100))" > "tree/$d/f$i"
    ln -s "../f$i" "tree/$d/deep/l$i"
  done
done
find tree -type f | sort | xargs wc -l | tail -3
find tree -name 'f[2-4]' -size +0 -exec grep -c 9 {} + | sort
sed -e 's/^/n/;/n1.*0$/!d' tree/alpha/f8 | awk '{ n += length($0) } END { print NR, n }'
cp -a tree copy && diff -r tree copy && echo same
tar -C copy -cf - . | gzip -n > copy.tar.gz
mkdir out && gzip -dc copy.tar.gz | tar -C out -xf - && diff -r tree out && echo same again
ls -lR out | awk '$1 ~ /^-/ { s += $5 } END { print s }'
for i in 1 2 3 4 5; do (echo "child $i") | cat; done
sort -rn tree/*/f5 | uniq -c | head -2
rm -r tree copy out copy.tar.gz && ls -A
