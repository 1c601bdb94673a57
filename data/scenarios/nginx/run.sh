set -e
mkdir -p /tmp/n/www && cd /tmp/n
seq 1 500 > www/index.html
chmod 755 /tmp/n
/usr/sbin/nginx -c /w/nginx.conf
while [ ! -s pid ]; do sleep 0.1; done
report() { tee -a /dev/stderr | grep -E '^(Document Length|Complete requests|Failed requests|Non-2xx|Total transferred)' ; }
ab -q -n 1000 -c 8 http://127.0.0.1:8080/index.html | report
ab -q -n 200 -c 8 http://127.0.0.1:8080/missing | report
/usr/sbin/nginx -c /w/nginx.conf -s quit
while [ -e pid ]; do sleep 0.1; done
cut -d '"' -f 2,3 access | sort | uniq -c
