"""The log queue: records of many processes, written by one listener.

Reading order: pipe.py (LogQueue), frames.py and encoding.py (its format), handler.py (the sending side), listener.py
(the receiving side), session.py (flush, counts, stop), thread.py and supervisor.py (a listener thread, a listener
process). Exports LogQueue, QueueHandler, QueueSession, ThreadSession and ProcessSession.
"""
