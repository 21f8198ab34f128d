"""Other libraries' names for what greening has, so that programs written for them run unchanged.

`greening.compat.eventlet` is the whole of eventlet: its `install()` makes `import eventlet` mean it. Nothing in here is
loaded, and no foreign name is in `sys.modules`, unless it is asked for.
"""
