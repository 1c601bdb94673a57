perl work.pl
