n=0
for f in /etc/*.conf /etc/default/*; do
  n=$((n + 1))
  case $f in
    *host*) echo "skip $f" ;;
    *) wc -l <"$f" ;;
  esac
done
echo "$n files"
d=$(mktemp -d)
cp /etc/passwd "$d/p"
while IFS=: read -r user x id rest; do
  [ "$id" -gt 10 ] && echo "$user $id"
done <"$d/p" >"$d/q"
sort "$d/q" | tail -n 3
rm -r "$d"
