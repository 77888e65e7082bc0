# Strings, hashes, big integers, threads, garbage collection with compaction off. Prints sums.
n = ARGV[0].to_i
h = Hash.new { |hash, k| hash[k] = [] }
(1..n).each { |i| h["w#{i * 7919 % 10007}"] << "v#{i}" * (i % 5 + 1) }
puts h.size, h.values.sum { |v| v.sum(&:size) }
puts h.keys.sort.each_slice(100).map(&:first).join(",").hash.is_a?(Integer), h.keys.sort.join.sum
text = +""
n.times { |i| text << (97 + i % 26).chr }
puts text.gsub(/[aeiou]/) { |m| "<#{m}>" }.size
puts (1..n / 300 + 10).inject(:*).to_s.size
puts 6.times.map { |k| Thread.new { (1..n / 4).map { |i| (i * k).to_s }.join.size } }.map(&:value).inspect
5.times { GC.start }
puts Marshal.load(Marshal.dump(h.to_a)).size
