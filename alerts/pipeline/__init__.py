"""From news of a finding to messages in the outbox: match → hold for → group → inhibit → silence → hours → flood → budget → dedup.

Each stage is pure, and asks nobody: what it needs to know was loaded for the whole batch before.
"""
