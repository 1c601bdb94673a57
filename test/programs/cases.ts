// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell text
// What is run three ways in kmlab and compared with the recorded native run. In every case /w holds the fixture, and is the working directory.

/** One command. Nothing in it may depend on process numbers, inode numbers, the order of a directory, or the time of day. */
export interface Case {
  name: string;
  argv: readonly string[];
  /** What standard input delivers, through a pipe; nothing by default. */
  stdin?: string;
}

const sh = (name: string, script: string, stdin?: string): Case => ({ name, argv: ["sh", "-c", script], stdin });
/** A line of words; a no-break space is a blank inside a word. */
const run = (line: string, stdin?: string): Case => ({
  name: line,
  argv: line.split(" ").map((word) => word.replaceAll("\u00a0", " ")),
  stdin,
});

const LS: Case[] = [
  run("ls -lR tree"),
  run("ls -l --color=always tree tree/links tree/modes tree/names"),
  run("ls -la --full-time tree/a"),
  run("ls -1aFp tree"),
  run("ls -lhS tree"),
  run("ls -sk1 tree"),
  run("ls -Rn tree/a tree/modes"),
  run("ls -xw 60 many"),
  run("ls -Cw 70 many"),
  run("ls -mQ tree/names"),
  run("ls -lrt text"),
  run("ls -bX tree/names"),
  run("ls -ld tree tree/fifo tree/links/dangling tree/links/directory"),
  run("ls -lL tree/links/relative"),
  run("ls -l --time-style=+%s tree/size-1 no-such-file"),
  run("ls -vI *.txt text"),
  run("dir tree"),
  run("vdir --group-directories-first tree/a"),
];

const COPY: Case[] = [
  run("cp -a tree copy"),
  sh("cp -av", "cp -av tree/a copied | sort"),
  run("cp -rL tree/a tree/links/relative tree/links/absolute many"),
  run("cp -p tree/size-4097 tree/modes/m4755 text"),
  run("cp -al tree/links links"),
  run("cp -rs /w/tree/a symbolic"),
  run("cp -u text/old text/words.txt"),
  run("cp -n text/old text/words.txt"),
  run("cp --backup=numbered text/old text/words.txt"),
  sh("cp -r into itself", "cp -r tree tree/a; echo $?; rm -rf tree/a/tree"),
  run("cp text/old text/no-newline no-such-directory"),
  run("cp --sparse=always tree/size-70001 sparse"),
  run("cp --parents -d tree/a/b/note.txt tree/links/relative many"),
  run("cp --attributes-only tree/size-511 attributes"),
  run("mv -v tree/a tree/renamed"),
  run("mv text/old text/tabs many"),
  run("mv tree tree/a"),
  run("ln -v tree/size-1 hard"),
  run("ln -srv tree/a/note.md many/relative"),
  run("ln -sf nowhere tree/links/relative"),
  sh("rm -rv", "rm -rv tree/a | sort"),
  run("rm tree many/f000 no-such-file"),
  run("rm -rf tree many text"),
  run("rmdir -pv tree/empty"),
  run("mkdir -pvm 750 new/er/est"),
  run("install -Dvm 4711 -o 1000 -g 50 bin/hello.sh usr/local/bin/hello"),
  sh("chmod -Rv", "chmod -Rv u=rwX,go-w,o+t tree/modes | sort"),
  sh("chown -Rv", "chown -Rv 12:34 tree/a | sort"),
  run("chgrp -h 77 tree/links/dangling tree/size-0"),
  run("touch -d 2009-02-13T23:31:30Z text/old created"),
  run("touch -r tree/size-1 -a text/tabs"),
  run("truncate -s +5000 tree/size-1 tree/size-4096"),
  run("mkfifo -m 640 pipe"),
  run("split -l 50 text/words.txt part."),
  run("split -n 3 -d text/words.txt piece"),
  run("csplit -s text/blank-lines /^two/ {0}"),
  run("dd if=tree/size-70001 of=dd.out bs=512 skip=3 seek=5 count=20 conv=notrunc status=none"),
  sh("dd through a pipe", "cat tree/size-70001 | dd bs=1000 iflag=fullblock count=7 status=none | cksum"),
];

const FIND: Case[] = [
  sh("find: everything, sorted", "find tree text | sort"),
  sh(
    "find -size",
    "find tree -size +4k -printf '%p %s %k\\n' | sort; find tree -size -2 -type f | sort; find tree -size 4096c | sort",
  ),
  sh("find -exec one by one", "find text -name '*.txt' -exec wc -c {} \\; | sort"),
  sh("find -exec in batches", "find tree -type f -exec sha256sum {} + | sort -k2"),
  sh("find -execdir", "find tree/a -name '*.md' -execdir pwd \\; -execdir cat {} \\;"),
  sh(
    "find -newer",
    "find tree -newer tree/size-4096 ! -newer tree/names | sort; find tree -newermt '2005-03-01' -type f | sort",
  ),
  sh(
    "find -perm",
    "find tree/modes -perm -4000 | sort; echo; find tree/modes -perm /022 | sort; echo; find tree/modes -perm 0444",
  ),
  sh(
    "find: owner, links, type",
    "find tree -uid 1000 | sort; find tree -gid 50 -type f | sort; find tree -links 3 | sort; find tree -type l -o -type p | sort",
  ),
  sh("find -printf", "find tree -printf '%y %m %U %G %n %s %T@ %d %P %l\\n' | grep -v '^d' | sort"),
  sh(
    "find -prune, -path, -maxdepth",
    "find . -path ./many -prune -o -maxdepth 2 -print | sort; find tree -mindepth 2 -name '[a-n]*' | sort",
  ),
  sh(
    "find -L, -samefile, -lname",
    "find -L tree/links 2>&1 | sort; find tree -samefile tree/links/one | sort; find tree -lname '*note*'",
  ),
  sh(
    "find -regex, -iname, -empty",
    "find text -regex '.*/[a-m]+' | sort; find tree -iname 'upper*'; find tree -empty | sort",
  ),
  run("find many -name f0[0-3]* -delete"),
  sh("find | xargs", "find many -type f -print0 | sort -z | xargs -0 -n 7 cat | sort -n | uniq -c | tail -3"),
  sh("xargs in parallel", "seq 12 | xargs -P 4 -n 3 sh -c 'echo $# >> sizes' sh; sort sizes | uniq -c"),
  run("find no-such-directory tree/empty"),
  sh("find over the system", "find /usr -name '*.so*' | sort | head -40; find /etc /usr | wc -l"),
  sh("du", "du -ab tree | sort -k2; du -s tree; du -ch text/words.txt tree/size-70001"),
];

const TEXT: Case[] = [
  run("cat text/words.txt"),
  run("cat -A text/tabs text/crlf text/utf8 text/blank-lines"),
  run("cat -ns text/blank-lines text/no-newline"),
  run("cat - text/no-newline -", "from standard input\n"),
  run("cat text/old no-such-file tree text/tabs"),
  run("cat tree/size-70001 text/binary tree/modes/m0000"),
  run("tac text/numbers.txt"),
  run("nl -ba text/blank-lines"),
  run("head -c 5000 tree/size-70001"),
  run("head -n -3 -v text/old text/tabs"),
  run("tail -n +390 text/words.txt"),
  run("tail -c 300 text/words.txt", ""),
  sh("tail of a pipe", "seq 5000 | tail -n 3; seq 100 | tail -c 7"),
  run("wc text/words.txt text/binary text/utf8 text/nul text/long"),
  run("od -A x -t x1z -N 64 text/binary"),
  run("od -c text/nul"),
  run("cut -d , -f 2,4 --output-delimiter=: text/table.csv"),
  run("cut -c 3-9,12 text/words.txt"),
  run("paste -d ,; text/sizes.txt text/versions.txt text/months.txt"),
  run("fold -sw 40 text/long"),
  run("fmt -w 60 text/long"),
  run("pr -3 -l 30 -t text/numbers.txt"),
  run("expand -t 4 text/tabs"),
  run("unexpand -a", "        eight spaces        more\n"),
  run("tr -cs A-Za-z \\n", "Some words, and 3 numbers; (or so).\n"),
  run("tr -d 0-9", "a1b2c3\n"),
  run("base64 text/binary"),
  run("base32 text/nul"),
  run("comm text/months.txt text/sizes.txt"),
  run("tsort", "a b\nb c\na c\nd b\n"),
  run("seq -f %05.1f 0 2.5 20"),
  run("factor 1 97 1234567890 18446744073709551557"),
  run("numfmt --to=iec --padding=8 1 1024 1500000 9876543210"),
  run("printf %s|%08.3f|%x|%b\\n text 3.14159 255 a\\tb"),
  run("shuf --random-source=tree/size-70001 -n 5 text/words.txt"),
  run(
    "stat -c %n\u00a0%s\u00a0%a\u00a0%u:%g\u00a0%h\u00a0%F\u00a0%Y\u00a0%b\u00a0%B tree tree/size-4097 tree/fifo tree/links/two tree/links/long",
  ),
  run("readlink -f tree/links/relative tree/links/directory tree/links/long"),
  run("realpath --relative-to=tree/a text/old tree/links"),
  run("date -u -d @1234567890 +%F\u00a0%T\u00a0%j\u00a0%U\u00a0%a"),
  run("env -i A=1 B=2 sh -c env"),
  run("id"),
  run("test -f tree"),
  run("basename -s .gz tree/names/x.tar.gz"),
  run("false"),
];

const GREP: Case[] = [
  run("grep kernel text/words.txt"),
  run("grep -nE ^(page|fault)|EINTR$ text/words.txt"),
  run("grep -icv the text/words.txt text/old text/long"),
  run("grep -ow [a-z]*e text/old"),
  run("grep -A 1 -B 2 --color=always ENOENT text/old"),
  run("grep -f text/patterns -c text/words.txt"),
  run("grep -Pn (?<=x)86|\\d+x text/words.txt"),
  run("grep -F -x -e mode -e kernel text/words.txt"),
  run("grep -z two text/nul"),
  run("grep -b o text/binary text/tabs"),
  run("grep -q nothing-like-it text/words.txt"),
  run("grep x no-such-file text/tabs"),
  run("grep -s x no-such-file"),
  sh(
    "grep -r",
    "grep -rl note tree text | sort; grep -rc '' many | sort | head -20; grep -rn --include='*.txt' gamma . | sort",
  ),
  run("grep -m 3 -H -T a text/words.txt"),
  run("grep \\(a\\)\\1 text/words.txt"),
  run("egrep -o [[:upper:]]{2,} text/words.txt"),
];

const SED: Case[] = [
  run("sed s/kernel/KERNEL/g text/words.txt"),
  run("sed -n 10,15p;/^EPS/p;$= text/words.txt"),
  run("sed -E s/^(\\w+)\u00a0(\\w+)/\\2\u00a0\\1/;s/[aeiou]/\\U&/2 text/old"),
  run("sed -e 1,5d -e /page/!d -e y/abc/xyz/ text/words.txt"),
  run("sed -i.bak s/a/A/;2q text/old text/tabs"),
  run("sed -s -n 1F;$p text/old text/tabs text/months.txt"),
  sh(
    "sed: the hold space",
    "sed -n '1!G;h;$p' text/months.txt; sed 'N;N;s/\\n/+/g' text/versions.txt; sed '/^$/{N;/^\\n$/D}' text/blank-lines",
  ),
  sh(
    "sed: append, insert, change, write",
    "sed -e '2a after' -e '3i before' -e '4c changed' -e '/Jan/w jan' text/months.txt; cat jan; sed '2r text/tabs' text/months.txt",
  ),
  sh(
    "sed: branches",
    "sed ':a;s/^\\(-*[0-9]\\+\\)\\([0-9]\\{3\\}\\)/\\1,\\2/;ta' text/numbers.txt | head -20; sed -n 'l 30' text/utf8",
  ),
  run("sed -z s/\\n/;/g text/months.txt"),
  run("sed s/unterminated text/old"),
];

const SORT: Case[] = [
  run("sort text/words.txt"),
  run("sort -n text/numbers.txt"),
  run("sort -t , -k 4,4 -k 3,3nr text/table.csv"),
  run("sort -fu text/words.txt"),
  run("sort -h text/sizes.txt"),
  run("sort -V text/versions.txt"),
  run("sort -M text/months.txt"),
  run("sort -c text/words.txt"),
  run("sort -k 2.2,2 -s -b text/words.txt"),
  run("sort -o text/numbers.txt -rg text/numbers.txt"),
  run("sort -z text/nul"),
  run("sort -m text/months.txt text/versions.txt"),
  sh("sort with a small buffer, on disk", "seq 20000 | tac | sort -S 64k -T . -n | md5sum"),
  sh(
    "uniq",
    "cut -d, -f2 text/table.csv | sort | uniq -c; cut -d, -f4 text/table.csv | uniq -d; sort text/numbers.txt | uniq -u | wc -l",
  ),
  sh(
    "join",
    "sort text/months.txt > m; join -a 1 -e none -o 0,1.2,2.2 m m; join -t, -1 2 -2 2 text/table.csv text/table.csv 2>&1 | head -3",
  ),
];

const ARCHIVES: Case[] = [
  run("gzip -9nk text/words.txt tree/size-70001"),
  run("gzip -c text/long"),
  run("gzip -1c tree/size-12288"),
  sh(
    "gzip and back",
    "gzip -v text/words.txt text/binary && ls text && gunzip text/words.txt.gz && zcat text/binary.gz | md5sum; ls -l text/*.gz text/words.txt",
  ),
  sh(
    "gzip: a damaged file",
    "gzip -c text/words.txt | head -c 1000 > cut.gz; gzip -t cut.gz; echo $?; gzip -dc cut.gz | wc -c; echo plain | gzip -d; echo $?",
  ),
  sh(
    "gzip -l and several members",
    "(gzip -nc text/old; gzip -nc text/tabs) > two.gz; gzip -l two.gz; gzip -dc two.gz | wc; gzip -d < two.gz | md5sum",
  ),
  sh("gzip of much", "seq 20000 | gzip -n | tee s.gz | wc -c; gzip -dc s.gz | tail -1"),
  run("sha256sum text/words.txt text/binary tree/size-0 tree/size-70001"),
  run("sha512sum --tag text/words.txt"),
  run("md5sum -b text/words.txt no-such-file"),
  run("b2sum text/long"),
  run("cksum text/words.txt tree/size-4096"),
  run("sum -s text/words.txt"),
  sh(
    "sha256sum -c",
    "sha256sum many/f00* > sums; sha256sum -c sums; echo changed > many/f003; sha256sum -c --quiet sums; echo $?",
  ),
  sh(
    "tar c",
    "tar --sort=name -cf - tree text | sha256sum; tar --sort=name --format=pax --pax-option=delete=atime,delete=ctime -cf p.tar tree; sha256sum < p.tar",
  ),
  sh("tar t", "tar --sort=name -cf t.tar tree; tar -tvf t.tar; tar -tf t.tar --wildcards 'tree/a*' | tail -4"),
  sh(
    "tar x",
    "tar --sort=name -cf x.tar tree text && mkdir out && tar -xpf x.tar -C out && diff -r text out/text && tar -df x.tar && echo same",
  ),
  sh(
    "tar z",
    "tar --sort=name -czf z.tgz text many; tar -tzf z.tgz | wc -l; mkdir z; tar -C z -xzf z.tgz --strip-components=1; cmp z/words.txt text/words.txt && echo same; rm z.tgz",
  ),
  sh(
    "tar: change an archive",
    "tar -cf c.tar text/old; tar -rf c.tar text/tabs; tar --delete -f c.tar text/old; tar -tf c.tar; tar -xOf c.tar text/tabs; tar -tf text/words.txt; echo $?",
  ),
  sh(
    "tar through a pipe, excluding",
    "(cd tree && tar -cf - --exclude='*.md' --exclude=modes .) | (mkdir there && cd there && tar -xf -); ls -lR there/a there/links | grep -v '^total'",
  ),
  sh(
    "tar -S",
    "truncate -s 300000 holes; echo end >> holes; touch -d @1000000000 holes; tar -Scf s.tar holes; wc -c < s.tar; rm holes; tar -xf s.tar; wc -c < holes; md5sum holes",
  ),
];

const DIFF: Case[] = [
  run("diff -u text/old text/words.txt"),
  run("diff -r tree/a tree/names"),
  run("diff -y -W 60 text/versions.txt text/months.txt"),
  run("diff -q text/binary text/nul"),
  run("diff -wB text/blank-lines text/no-newline"),
  run("cmp -l text/versions.txt text/months.txt"),
  run("cmp text/old text/old"),
  sh(
    "diff3 and patch by ed script",
    "printf '1\\n2\\n3\\n' > o; printf '1\\ntwo\\n3\\n' > m; printf '1\\n2\\n3\\n4\\n' > y; diff3 -m m o y; diff -e o m",
  ),
];

const AWK: Case[] = [
  sh(
    "awk: fields and sums",
    "awk -F, '{ n[$4]++; s[$4] += $3 } END { for (k in n) print k, n[k], s[k] | \"sort\" }' text/table.csv",
  ),
  sh(
    "awk: functions and formats",
    'awk \'function f(n) { return n < 2 ? n : f(n-1) + f(n-2) } BEGIN { printf "%d %s %.3f %e %c\\n", f(15), substr("kernel", 2, 3), atan2(0, -1), exp(10), 65; print length("abc"), index("hello", "l"), toupper("x"), sqrt(2), int(-3.7), 2^10, 7 % 3 }\'',
  ),
  sh(
    "awk: text",
    "awk '{ gsub(/[aeiou]/, \"<&>\"); print NR \": \" $0 }' text/old | head -5; awk 'length > max { max = length; l = $0 } END { print max, l }' text/words.txt; awk 'NR % 100 == 0' text/words.txt",
  ),
  sh(
    "awk: input and output",
    'awk \'BEGIN { while ((getline l < "text/months.txt") > 0) n++; "echo from a command" | getline x; print n, x; print "out" > "awk.out"; close("awk.out"); system("cat awk.out; exit 3"); exit 5 }\'; echo $?',
  ),
  run("awk -f bin/lines.awk text/words.txt"),
];

const SHELLS: Case[] = [
  ...["pipelines", "heredoc", "traps", "background", "substitution", "arithmetic", "redirections", "control"].flatMap(
    (script) => [
      { name: `dash: ${script}`, argv: ["dash", `bin/${script}.sh`] },
      { name: `bash: ${script}`, argv: ["bash", "-c", `exec 2> /dev/null; . bin/${script}.sh`, `bin/${script}.sh`] },
    ],
  ),
  { name: "bash: arrays", argv: ["bin/arrays.bash"] },
  { name: "bash: jobs", argv: ["bash", "-c", "exec 2> /dev/null; . bin/jobs.bash"] },
  { name: "bash: stopped jobs", argv: ["bash", "-c", "exec 2> /dev/null; . bin/stopcont.bash"] },
  { name: "script by its first line", argv: ["bin/hello.sh", "a b", "c"] },
  { name: "bash script reads standard input", argv: ["bin/upper.bash"], stdin: "quiet\nwords\n" },
  { name: "awk script by its first line", argv: ["bin/lines.awk", "text/words.txt"] },
  { name: "sed script by its first line", argv: ["bin/header.sed", "text/months.txt"] },
  {
    name: "dash -n, -v, -x",
    argv: ["dash", "-c", "dash -n bin/control.sh; echo $?; echo 'echo $((1 + 1))' | dash -vx; dash -c 'if'; echo $?"],
  },
  {
    name: "commands from standard input",
    argv: ["sh"],
    stdin: 'echo one\nread x\nthe next line\necho "x is $x"\nexit 4\n',
  },
  { name: "a shell that kills itself", argv: ["dash", "-c", "echo before; kill -SEGV $$; echo after"] },
  {
    name: "a pipeline that ends early",
    argv: [
      "bash",
      "-c",
      "yes | head -1000 | tail -1; echo ${PIPESTATUS[@]}; seq 1e5 | { read x; echo $x; }; echo ${PIPESTATUS[@]}",
    ],
  },
  {
    name: "a pipe that fills",
    argv: ["bash", "-c", "seq 20000 | { sleep 0.05; md5sum; } ; (sleep 0.05; echo late) | cat"],
  },
  {
    name: "many processes",
    argv: [
      "sh",
      "-c",
      "i=0; while [ $i -lt 40 ]; do /bin/echo $i; i=$((i + 1)); done | tail -1; for f in many/f00*; do cat $f | head -1; done",
    ],
  },
];

const BUSYBOX: Case[] = [
  { name: "busybox: a script", argv: ["bin/busybox.sh"] },
  run("busybox ls -lR tree"),
  run("busybox cp -a tree copy"),
  sh(
    "busybox find",
    "busybox find tree -type f -size +8 -exec busybox md5sum {} + | busybox sort; busybox find tree -perm -4000 | busybox sort; busybox find text -newer text/tabs -name '*.txt' | busybox sort",
  ),
  sh(
    "busybox httpd and wget",
    "busybox httpd -f -p 127.0.0.1:8080 -h /w/text & until busybox wget -q -O got http://127.0.0.1:8080/words.txt 2>/dev/null; do busybox sleep 0.01; done; cmp got text/words.txt && echo same; rm got; busybox wget -q -O - http://127.0.0.1:8080/none; echo $?; busybox wget -q -O - http://127.0.0.1:8081/; echo $?; busybox wget -O - http://10.1.1.1/; echo $?; { kill $!; wait $!; } 2>/dev/null; echo $?",
  ),
  run("busybox sed -n s/kernel/K/gp text/words.txt"),
  { name: "busybox awk", argv: ["busybox", "awk", "{ n += length($0) } END { print n, NR }", "text/words.txt"] },
  run("busybox sort -t , -k 3 -n text/table.csv"),
  run("busybox grep -rn deep tree/a"),
  run("busybox md5sum text/words.txt text/binary"),
  run("busybox sha256sum tree/size-70001"),
  sh(
    "busybox tar",
    "busybox tar -cf b.tar tree text; busybox tar -tvf b.tar | busybox sort -k 6 | busybox head -40; mkdir b; busybox tar -xf b.tar -C b; ls -l b/text | tail -n +2; rm b.tar",
  ),
  sh(
    "busybox gzip",
    "busybox gzip text/words.txt; ls text/words*; busybox zcat text/words.txt.gz | busybox md5sum; gunzip text/words.txt.gz; busybox bzip2 -k text/long && busybox bunzip2 -c text/long.bz2 | cmp - text/long",
  ),
  run("busybox head -n 5 text/words.txt text/old"),
  run("busybox wc text/words.txt text/long"),
  run("busybox diff text/months.txt text/versions.txt"),
  run("busybox stat -c %n:%s:%a:%u:%g:%h:%F:%Y tree/size-4097 tree/fifo tree/links/relative"),
  { name: "busybox sh: traps", argv: ["busybox", "sh", "bin/traps.sh"] },
  { name: "busybox sh: here documents", argv: ["busybox", "sh", "bin/heredoc.sh"] },
  { name: "busybox sh: pipelines", argv: ["busybox", "sh", "bin/pipelines.sh"] },
];

/** Every case; names are unique. */
export const CASES: readonly Case[] = [
  ...LS,
  ...COPY,
  ...FIND,
  ...TEXT,
  ...GREP,
  ...SED,
  ...SORT,
  ...ARCHIVES,
  ...DIFF,
  ...AWK,
  ...SHELLS,
  ...BUSYBOX,
];
