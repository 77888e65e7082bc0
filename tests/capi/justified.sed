# Applied to glibc's transcript before the comparison: each line is one difference, with its reason.
#
# posix_memalign returns its error and sets no errno (POSIX; posix_memalign(3)); glibc 2.36 sets it all the same.
/^posix_memalign(/s/=> ENOMEM out-untouched=1 errno=ENOMEM$/=> ENOMEM out-untouched=1 errno=same/
