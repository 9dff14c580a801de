"""Runs and sweeps as files of other programs: speedscope, Model Explorer, Netron, trace viewers, spreadsheets, chats.

``harness.export.write.export`` makes them, a module each; ``harness.export.formats`` lists them.
"""
