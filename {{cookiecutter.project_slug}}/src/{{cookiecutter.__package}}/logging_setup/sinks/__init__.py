"""The sinks, a module each: its settings (a Sink) and its handler. Records come from `records.serialize.restore`.

Read first a sink, such as console.py, and background.py if it may block; then dispatcher.py, which
calls the handlers. The table in get_handlers.py names the sinks.
"""
