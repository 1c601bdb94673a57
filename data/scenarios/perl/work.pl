use strict; use warnings;
use IO::Socket::INET; use File::Temp qw(tempdir); use POSIX qw(:sys_wait_h); use Digest::SHA qw(sha1_hex); use Time::HiRes qw(sleep);
$| = 1;
my $d = tempdir(CLEANUP => 1);
for my $i (1 .. 20) { open my $f, ">", "$d/f$i" or die; print $f "line $_\n" for 1 .. $i; close $f }
opendir my $h, $d; my @names = sort grep { !/^\./ } readdir $h; closedir $h;
my $bytes = 0; $bytes += -s "$d/$_" for @names;
print "files ", scalar @names, " $bytes $names[1]\n";
print "pipe ", join(",", map { chomp; $_ } `printf 'c\\na\\nb\\n' | sort`), " $?\n";
my $pid = fork // die; if (!$pid) { exit 5 } waitpid $pid, 0; print "fork ", $? >> 8, "\n";
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", Proto => "tcp") or die $!;
my $child = fork // die;
if (!$child) { for (1 .. 3) { my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $server->sockport) or die; print $c "hello $_\n"; my $a = <$c>; close $c } exit 0 }
for (1 .. 3) { my $c = $server->accept; my $line = <$c>; print "tcp $line"; print $c uc $line; close $c }
waitpid $child, 0; print "client $?\n";
my $got = 0; $SIG{USR1} = sub { $got++ }; kill USR1 => $$ for 1 .. 3; print "signals $got\n";
$SIG{ALRM} = sub { die "alarm\n" }; eval { Time::HiRes::ualarm(10_000); sleep 5 }; print "caught $@";
my %count; $count{$_}++ for "the quick brown fox jumps over the lazy dog" =~ /(\w)/g;
print join(" ", map { "$_$count{$_}" } (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 4]), "\n";
my @v = sort { $a <=> $b } map { ($_ * 7919) % 1009 } 1 .. 1000; print "sort @v[0..4] $v[-1]\n";
printf "%.6f %s %s\n", sqrt(2) * atan2(1, 1), sha1_hex("kernel mode linux" x 100), 2 ** 40 % 997;
