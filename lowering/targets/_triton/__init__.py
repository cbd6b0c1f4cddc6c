"""What the target "triton" is made of: the functions that Triton lacks, and what runs or compiles a file."""
