"""The sinks, one module each, with its settings (a Sink) and handler. Records come from `records.serialize.restore`.

Read a sink first, such as console.py, and background.py if it may block; then dispatcher.py, which
calls the handlers. The table in get_handlers.py lists the sinks.
"""
