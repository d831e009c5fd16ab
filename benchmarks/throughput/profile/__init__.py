"""Where the CPU time of a frame goes."""
