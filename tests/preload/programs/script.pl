# Hashes, strings that grow, regular expressions, sorting, closures. Prints sums.
use strict; use warnings;
my $n = shift;
my (%h, $text, @list);
for my $i (1 .. $n) { my $w = 'w' . ($i * 7919 % 100003); $h{$w} .= "$i,"; push @list, $w; $text .= chr(97 + $i % 26) }
my $sum = 0;
$sum += length $h{$_} for sort keys %h;
print scalar(keys %h), " $sum\n";
my $c = 0; $c++ while $text =~ /c(.)e/g; print "$c\n";
@list = sort { length $a <=> length $b or $a cmp $b } map { scalar reverse } @list;
print "$list[0] $list[-1] ", scalar(@list), "\n";
$text =~ s/([aeiou])/<$1>/g; print length($text), "\n";
my @f = map { my $k = $_; sub { $k * shift } } 1 .. $n / 10; my $t = 0; $t += $_->(3) for @f; print "$t\n";
my $tree; $tree = [$tree, $_, { v => "x" x ($_ % 50) }] for 1 .. $n / 2; my $d = 0; while ($tree) { $d += length $tree->[2]{v}; $tree = $tree->[0] } print "$d\n";
