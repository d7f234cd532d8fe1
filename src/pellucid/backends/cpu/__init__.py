"""The CPU backend: graphs as LLVM code, run by threads of our own."""
