"""What the target "wgsl" needs: float32 and int64 in integers of 32 bits, and a device that runs a shader."""
