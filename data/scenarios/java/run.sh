set -e
java=/usr/lib/jvm/java-17-openjdk-i386/bin/java
$java -version 2>&1 | grep -v '^$'
$java -Xmx32m -cp /w Work
