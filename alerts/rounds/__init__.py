"""What happens to messages later, by the system's clock: reminders and escalation, what waits and is let go, digests.

``schedule`` decides the moments (pure); ``escalation``, ``release`` and ``digest`` do what is due; ``turn.Rounds`` is all of
them, called by the rule loop. Nothing is imported here: ``schedule`` is asked where messages are planned, too.
"""
