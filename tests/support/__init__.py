"""Helpers shared by tests in several folders; no test imports another test.

project, combinations: generate projects. scripts, apps: run programs that log. oracle: compare a log with what was
logged. imported: call parts of a generated package in the tests' own process. hostile: values that break formatters.
receivers, mail_server, daemons, servers, network: the other side. doctor, processes: run the doctor, list processes.
"""
