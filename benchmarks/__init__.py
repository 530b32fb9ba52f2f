"""Side-by-side benchmarks with the programs that one would pick instead; nothing here is a test."""
