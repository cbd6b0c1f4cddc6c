"""What the target "triton" needs: the functions that Triton lacks, and a process that runs or compiles a file."""
