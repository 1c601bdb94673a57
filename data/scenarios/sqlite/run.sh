set -e
cd /tmp && rm -f a.db b.db
{
  echo 'CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price INTEGER);'
  echo 'CREATE TABLE colour (name TEXT PRIMARY KEY, colour TEXT);'
  echo "INSERT INTO colour VALUES ('name1', 'red'), ('name2', 'green');"
  echo 'BEGIN;'
  seq 1000 | awk '{ printf "INSERT INTO item VALUES (%d, \x27name%d\x27, %d);\n", $1, $1 % 17, $1 * 7 % 1000 }'
  echo 'COMMIT;'
} | sqlite3 a.db
seq 1001 1050 | awk '{ printf "INSERT INTO item VALUES (%d, \x27late\x27, %d);\n", $1, $1 % 10 }' | sqlite3 a.db
sqlite3 a.db 'CREATE INDEX by_name ON item (name)'
sqlite3 -header -column a.db 'SELECT name, COUNT(*) n, SUM(price) s, AVG(price) a FROM item GROUP BY name ORDER BY n DESC, name LIMIT 4'
sqlite3 a.db 'SELECT colour, MAX(price) FROM item JOIN colour USING (name) GROUP BY colour'
sqlite3 a.db .dump | sqlite3 b.db
sqlite3 b.db 'PRAGMA integrity_check; SELECT COUNT(*), SUM(price) FROM item'
sqlite3 -cmd "ATTACH 'b.db' AS b" a.db 'SELECT COUNT(*) FROM item JOIN b.item o USING (id) WHERE item.price = o.price'
ls
