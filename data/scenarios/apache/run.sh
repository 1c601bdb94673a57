# $1: the multi-processing module.
set -e
mpm=${1:-prefork}
mkdir -p /tmp/a/www /tmp/a/run && cd /tmp/a
sed -e "s/MPM/$mpm/g" /w/httpd.conf > httpd.conf
seq 1 500 > www/index.html
/usr/sbin/apache2 -f /tmp/a/httpd.conf
while [ ! -s run/pid ]; do sleep 0.1; done
sleep 0.5
report() { tee -a /dev/stderr | grep -E '^(Document Length|Complete requests|Failed requests|Non-2xx|Total transferred)' ; }
ab -q -n 1000 -c 8 http://127.0.0.1:8080/index.html | report
ab -q -n 200 -c 8 http://127.0.0.1:8080/missing | report
/usr/sbin/apache2 -f /tmp/a/httpd.conf -k graceful-stop
while [ -s run/pid ]; do sleep 0.1; done
sed -e 's/^\[[^]]*\] //; s/\[pid [^]]*\] //' err | sort
wc -l < access
