"""stublint: run every interrupt stub of an x86-64 kernel under the CPU's contract."""
