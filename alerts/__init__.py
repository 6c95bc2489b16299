"""Messages: who is told of a finding, in which words, handed over once, acknowledged by link.

``pipeline`` decides (pure), ``planner`` and ``outbox`` write with the finding, ``sender`` leases, sends and confirms through
``hooks``, ``acknowledge`` takes the answer. Nothing here decides whether something is a finding.
"""
