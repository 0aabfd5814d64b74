"""The log queue: records of many processes, written by one listener.

Reading order: pipe.py (LogQueue), frames.py and encoding.py (its format), session.py (the sending side: QueueHandler,
flush, counts, stop), listener.py (the receiving side), supervisor.py (a listener process, a listener thread).
Exports LogQueue, QueueHandler, QueueSession, ThreadSession and ProcessSession.
"""
