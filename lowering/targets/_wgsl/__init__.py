"""What the target "wgsl" is made of: float32 and int64 in integers of 32 bits, and what runs a shader."""
