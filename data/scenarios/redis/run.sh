set -e
mkdir -p /tmp/r && cd /tmp/r
redis-server --port 6379 --dir /tmp/r --save '' --daemonize yes --logfile log --pidfile /tmp/r/pid > /dev/null
until redis-cli ping 2> /dev/null; do sleep 0.1; done
redis-benchmark -q -t set,get -n 2000 -c 8 | tr '\r' '\n' | grep requests >&2
redis-cli set greeting hello
for i in 1 2 3 4 5; do redis-cli rpush list $i; done
redis-cli lrange list 0 -1
printf 'MULTI\nINCR n\nINCRBY n 41\nEXEC\n' | redis-cli
redis-cli eval 'local s = 0; for i = 1, 1000 do s = s + i end; return s' 0
redis-cli get greeting
redis-cli shutdown nosave
while [ -e pid ]; do sleep 0.1; done
echo stopped
