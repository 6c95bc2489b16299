"""Timelines of messages: what happens at a service centre, and who has to be told by when. See README.md."""
