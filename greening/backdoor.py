"""A Python prompt inside a running process, over a socket."""
