set -e
cd /tmp
OPTIONS="--no-defaults --datadir=/tmp/db --user=mysql --innodb-buffer-pool-size=8M --innodb-log-file-size=4M --innodb-use-native-aio=0"
mkdir -p /run/mysqld && chown mysql /run/mysqld
mariadb-install-db $OPTIONS --auth-root-authentication-method=normal --skip-test-db > install.log 2>&1 || { cat install.log; exit 1; }
serve() {
  /usr/sbin/mariadbd $OPTIONS --socket=/tmp/db.sock --bind-address=127.0.0.1 2> log &
  for _ in $(seq 300); do mariadb-admin --no-defaults -S /tmp/db.sock ping > /dev/null 2>&1 && return; sleep 0.1; done
  cat log; exit 1
}
sql() { mariadb --no-defaults -S /tmp/db.sock "$@"; }
serve
sql < /w/make.sql
begun=$(date +%s%N)
i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); echo "INSERT INTO item VALUES ($i, 'name$((i % 17))', $((i * 7 % 1000)));"; done | sql shop
echo "$((1000000000000 / ($(date +%s%N) - begun))) inserts per second" >&2
sql shop < /w/ask.sql
mariadb-admin --no-defaults -S /tmp/db.sock shutdown
wait
serve
sql -h 127.0.0.1 --protocol=tcp shop -e 'SELECT COUNT(*), SUM(price) FROM item'
mariadb-admin --no-defaults -S /tmp/db.sock shutdown
wait
grep -c 'Shutdown complete' log
